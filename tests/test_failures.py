"""Whatever goes wrong between the lab and a model is one sentence of its kind, and the trace is kept."""

import json
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from llmlab import LabError, ModelError, connect
from stub import KEY, Raw, Stub, chunks, error, reply, stream

pytestmark = pytest.mark.anyio
HTML = "<html>\n<body>Please log in. Then come back.</body>\n</html>"
SOME = chunks(reply("Once upon a time"))[:4]  # "Once upon a", and no finish reason
LATER = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)


@pytest.fixture(autouse=True)
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.0)  # it tries again after half a second, then one
    with Stub() as running:
        yield running


FAULTS: dict[str, tuple[Raw | dict[str, Any], str, str]] = {
    "a wrong key": (error(401, f"Wrong key: {KEY}.\nFind it in your account."), "auth", "OPENAI_API_KEY"),
    "no permission": (error(403, "Country not supported"), "auth", "Country not supported"),
    "an unknown model": (error(404, "The model 'stub-model' does not exist"), "not_found", "'stub-model'"),
    "an unknown path": (Raw('{"detail": "Not Found"}', 404), "not_found", "OPENAI_BASE_URL"),
    "too many requests": (error(429, "Slow down"), "rate_limit", "in a minute"),
    "a long pause": (error(429, "Slow down", retry_after="61"), "rate_limit", "after 61 seconds"),
    "a long pause in ms": (error(429, "Slow down", retry_after_ms="61000"), "rate_limit", "in a minute"),
    "a pause until": (error(429, "Slow down", retry_after=LATER), "rate_limit", f"after {LATER}."),
    "a failing server": (error(500, "CUDA error"), "server", "CUDA error"),
    "a failing gateway": (Raw(HTML, 502, "text/html"), "server", "502"),
    "a wrong request": (error(400, "messages[0].role: wizard is none"), "bad_request", "wizard"),
    "too long, OpenAI": (error(400, "maximum context length is 4096 tokens, you asked for 5010"), "context", "5010"),
    "too long, llama.cpp": (error(400, "request (5010 tokens) exceeds the available context size"), "context", "new"),
    "too long, another": (error(400, "prompt is 12021 tokens; the model context is 8192"), "context", "12021"),
    "no JSON": (Raw("<<<"), "not_json", "'<<<'"),
    "JSON cut short": (Raw('{"choices": [{"mess'), "not_json", "OPENAI_BASE_URL"),
    "a log-in page": (Raw(HTML, kind="text/html"), "not_json", "<html>"),
    "a list": (Raw("[1, 2]"), "not_json", "[1, 2]"),
    "an empty body": (Raw(" "), "not_json", "OPENAI_BASE_URL"),
    "no chat reply": ({"status": "ok"}, "not_json", '{"status": "ok"}'),
    "no choices": (Raw('{"choices": []}'), "not_json", "choices[0].message"),
    "no message": (Raw('{"choices": [{"text": "Hi"}]}'), "not_json", "choices[0].message"),
    "no text": (Raw('{"choices": [{"message": {"content": 7}}]}'), "not_json", "choices[0].message"),
    "no name": (Raw('{"choices": [{"message": {"tool_calls": [{"function": {"name": 1}}]}}]}'), "not_json", "choices"),
    "a reply cut short": (Raw(json.dumps(reply())[:40], cut=True), "cut_off", "broke off"),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_one_sentence_and_the_trace_is_kept(stub: Stub, fault: str, streamed: bool) -> None:
    answer, kind, contains = FAULTS[fault]
    stub.answers = [reply(), answer]
    model = await stub.model()
    await model.chat("Hi")
    with pytest.raises(ModelError) as caught:
        await model.chat("And now?", stream=streamed)
    said = str(caught.value)
    assert (caught.value.kind, contains in said, "\n" in said, KEY in said) == (kind, True, False, False), said
    before, failed = model.trace
    assert (before.status, before.response) == ("ok", reply())
    assert (failed.status, failed.error, failed.get("error.type")) == ("error", said, kind)
    assert failed.response == answer or not isinstance(answer, dict)
    assert failed.request["messages"] == [{"role": "user", "content": "And now?"}]
    if "pause" in fault:
        assert len(stub.asked) == 2, "it does not wait for minutes in silence"


STREAM_FAULTS: dict[str, tuple[Raw, str, str]] = {
    "ended without a finish reason": (stream(*SOME), "cut_off", "'Once upon a'"),
    "cut in the middle": (stream(*SOME, cut=True), "cut_off", "broke off"),
    "an error inside": (stream(*SOME, {"error": {"message": "out of\nmemory"}}), "server", "out of memory"),
    "no JSON inside": (Raw(stream(*SOME).content + "data: <<<\n\n", kind="text/event-stream"), "not_json", "Expecting"),
    "no object inside": (stream(*SOME, "hello"), "not_json", "hello"),
    "a pause that is too long": (stream(*SOME, hang=True), "timeout", "LLMLAB_TIMEOUT"),
}


@pytest.mark.parametrize("fault", STREAM_FAULTS)
async def test_a_broken_stream_keeps_the_text_so_far_in_the_trace(stub: Stub, fault: str) -> None:
    answer, kind, contains = STREAM_FAULTS[fault]
    stub.answers = [answer]
    model = await stub.model(timeout=0.2)
    with pytest.raises(ModelError, match=re.escape(contains)) as caught:
        await model.chat("Tell me a story", stream=True)
    (step,) = model.trace
    assert (caught.value.kind, step.status, step.get("error.type")) == (kind, "error", kind)
    assert step.response["choices"][0]["message"]["content"] == "Once upon a"
    if kind == "timeout":
        stub.answers = [Raw("{", hang=True)]
        with pytest.raises(ModelError, match=r"0\.2 seconds"):
            await model.chat("Tell me a story")


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_a_moment_of_overload_is_waited_out(stub: Stub, streamed: bool) -> None:
    soon = error(429, "Slow down", retry_after="soon")
    stub.answers = [soon, error(503, "Loading", retry_after="0"), reply()]
    model = await stub.model()
    assert (await model.chat("Hi", stream=streamed)).text == "Hello."
    assert ([step.status for step in model.trace], len(stub.asked)) == (["ok"], 3)


@pytest.mark.parametrize("host", ["nobody.invalid", "me:secret@127.0.0.1"])
async def test_a_server_that_is_not_there_is_unreachable_and_no_password_shows(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # closed again at once
    url = f"http://{host}:{port}/v1"
    model = await connect("endpoint", base_url=url, api_key=KEY, model="any")
    listing = {"base_url": url, "api_key": KEY}  # without a name it asks which models there are
    for call in (model.chat, lambda hi: model.chat(hi, stream=True), lambda hi: connect("endpoint", **listing)):
        with pytest.raises(ModelError, match=f"{host.rpartition('@')[2]}:{port}/v1.*OPENAI_BASE_URL") as caught:
            await call("Hi")
        assert (caught.value.kind, "secret" in str(caught.value)) == ("unreachable", False)


@pytest.mark.parametrize("models", [error(401, "no"), Raw(HTML, kind="text/html"), Raw("{}"), Raw("<<<")])
async def test_a_list_of_models_that_does_not_come_is_a_sentence(stub: Stub, models: Raw) -> None:
    stub.models = models
    with pytest.raises(LabError, match=r"(set|check) .*(OPENAI_|in .env)"):
        await stub.model(model=None)
