import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmlab import ModelError, connect
from llmlab.errors import LabError, WeightsError
from llmlab.llm import weights
from sentence import is_one_sentence
from stub import KEY, Raw, Stub, chunks, error, reply, stream

pytestmark = pytest.mark.anyio

HTML = "<html>\n<body>Please log in. Then come back.</body>\n</html>"
SOME = chunks(reply("Once upon a time"))[:4]  # "Once upon a", and no finish reason


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The openai client tries again after half a second, then after one."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.0)


FAULTS: dict[str, tuple[Raw | dict, str, str]] = {
    "a wrong key": (
        error(401, f"Incorrect API key provided: {KEY}.\nFind it in your account."),
        "auth",
        "OPENAI_API_KEY",
    ),
    "no permission": (error(403, "Country not supported"), "auth", "Country not supported"),
    "an unknown model": (error(404, "The model 'stub-model' does not exist"), "not_found", "'stub-model'"),
    "an unknown path": (Raw('{"detail": "Not Found"}', 404), "not_found", "OPENAI_BASE_URL"),
    "too many requests": (error(429, "Slow down", retry_after="61"), "rate_limit", "after 61 seconds"),
    "too many requests, no time": (error(429, "Slow down"), "rate_limit", "in a minute"),
    "a failing server": (error(500, "CUDA error"), "server", "CUDA error"),
    "a failing gateway": (Raw(HTML, 502, "text/html"), "server", "502"),
    "a wrong request": (error(400, "messages[0].role: wizard is none"), "bad_request", "wizard"),
    "too long, OpenAI": (
        error(400, "This model's maximum context length is 4096 tokens. However, you requested 5010 tokens."),
        "context",
        "5010",
    ),
    "too long, llama.cpp": (
        error(400, "request (5010 tokens) exceeds the available context size (4096 tokens), try increasing it"),
        "context",
        "new conversation",
    ),
    "too long, another": (
        error(400, "the rendered prompt is 12021 tokens; the model context is 8192 — shorten the conversation"),
        "context",
        "12021",
    ),
    "no JSON": (Raw("<<<"), "not_json", "'<<<'"),
    "JSON cut short": (Raw('{"choices": [{"mess'), "not_json", "OPENAI_BASE_URL"),
    "a log-in page": (Raw(HTML, kind="text/html"), "not_json", "<html>"),
    "a list": (Raw("[1, 2]"), "not_json", "[1, 2]"),
    "an empty body": (Raw(" "), "not_json", "OPENAI_BASE_URL"),
    "no chat reply": ({"status": "ok"}, "not_json", '{"status": "ok"}'),
    "no choices": (Raw('{"choices": []}'), "not_json", "choices[0].message"),
    "no message": (Raw('{"choices": [{"text": "Hi"}]}'), "not_json", "choices[0].message"),
    "a reply cut short": (Raw(json.dumps(reply())[:40], cut=True), "cut_off", "broke off"),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_one_sentence_of_its_kind_and_the_trace_is_kept(
    stub: Stub, fault: str, streamed: bool
) -> None:
    answer, kind, contains = FAULTS[fault]
    stub.answers = [reply(), answer]
    model = await stub.model()
    await model.chat("Hi")
    with pytest.raises(ModelError) as caught:
        await model.chat("And now?", stream=streamed)
    said = str(caught.value)
    assert caught.value.kind == kind, said
    assert is_one_sentence(said), said
    assert contains in said
    assert KEY not in said
    before, failed = model.trace
    assert (before.status, before.response) == ("ok", reply())
    assert (failed.status, failed.error, failed.get("error.type")) == ("error", said, kind)
    if isinstance(answer, dict):
        assert failed.response == answer
    assert failed.request["messages"] == [{"role": "user", "content": "And now?"}]


STREAM_FAULTS: dict[str, tuple[Raw, str, str]] = {
    "ended without a finish reason": (stream(*SOME), "cut_off", "'Once upon a'"),
    "cut in the middle": (stream(*SOME, cut=True), "cut_off", "broke off"),
    "an error inside": (stream(*SOME, {"error": {"message": "out of\nmemory"}}), "server", "out of memory"),
    "no JSON inside": (
        Raw(stream(*SOME).content + "data: <<<\n\n", kind="text/event-stream"),
        "not_json",
        "Expecting value",
    ),
    "no object inside": (stream(*SOME, "hello"), "not_json", "hello"),
    "a pause that is too long": (stream(*SOME, hang=True), "timeout", "0.2 seconds"),
}


@pytest.mark.parametrize("fault", STREAM_FAULTS)
async def test_a_broken_stream_keeps_the_text_so_far_in_the_trace(stub: Stub, fault: str) -> None:
    answer, kind, contains = STREAM_FAULTS[fault]
    stub.answers = [answer]
    model = await stub.model(timeout=0.2)
    with pytest.raises(ModelError) as caught:
        await model.chat("Tell me a story", stream=True)
    said = str(caught.value)
    assert caught.value.kind == kind, said
    assert is_one_sentence(said), said
    assert contains in said
    (step,) = model.trace
    assert (step.status, step.get("error.type")) == ("error", kind)
    assert step.response["choices"][0]["message"]["content"] == "Once upon a"


async def test_a_server_that_does_not_answer_in_time_is_a_timeout(stub: Stub) -> None:
    stub.answers = [Raw("{", hang=True)]
    model = await stub.model(timeout=0.1)
    with pytest.raises(ModelError, match="LLMLAB_TIMEOUT") as caught:
        await model.chat("Hi")
    assert caught.value.kind == "timeout"
    assert is_one_sentence(str(caught.value))


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_a_moment_of_overload_is_waited_out(stub: Stub, streamed: bool) -> None:
    stub.answers = [error(429, "Slow down", retry_after="0"), error(503, "Loading"), reply()]
    model = await stub.model()
    assert (await model.chat("Hi", stream=streamed)).text == "Hello."
    assert [step.status for step in model.trace] == ["ok"]
    assert len(stub.asked) == 3


async def test_a_long_pause_that_a_server_asks_for_is_an_error_at_once(stub: Stub) -> None:
    stub.answers = [error(429, "Slow down", retry_after="61")]
    with pytest.raises(ModelError, match="after 61 seconds"):
        await (await stub.model()).chat("Hi")
    assert len(stub.asked) == 1


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("host", ["nobody.invalid", "127.0.0.1"])
async def test_a_server_that_is_not_there_is_unreachable(host: str, streamed: bool) -> None:
    url = f"http://{host}:{closed_port()}/v1"
    model = await connect("endpoint", base_url=url, api_key=KEY, model="any")
    with pytest.raises(ModelError, match=re.escape(url)) as caught:
        await model.chat("Hi", stream=streamed)
    assert caught.value.kind == "unreachable"
    assert is_one_sentence(str(caught.value))
    with pytest.raises(ModelError) as caught:
        await connect("endpoint", base_url=url, api_key=KEY)  # asks which models there are
    assert caught.value.kind == "unreachable"


async def test_a_password_in_the_address_is_in_no_error() -> None:
    url = f"http://me:secret@127.0.0.1:{closed_port()}/v1"
    model = await connect("endpoint", base_url=url, model="any")
    with pytest.raises(ModelError) as caught:
        await model.chat("Hi")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("models", [error(401, "no"), Raw(HTML, kind="text/html"), Raw("{}"), Raw("<<<")])
async def test_a_list_of_models_that_does_not_come_is_a_sentence(stub: Stub, models: Raw) -> None:
    stub.models = models
    with pytest.raises(LabError) as caught:
        await stub.model(model=None)
    assert is_one_sentence(str(caught.value))


async def test_faults_of_any_other_path_are_the_same(stub: Stub) -> None:
    stub.answers = [error(404, "no such path")]
    model = await stub.model()
    with pytest.raises(ModelError) as caught:
        await model.post("/responses", {"input": "Hi"})
    assert caught.value.kind == "not_found"
    (step,) = model.trace
    assert (step.status, step.get("error.type")) == ("error", "not_found")


async def test_missing_weights_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="llmlab fetch") as caught:
        await connect("embedded", cache=tmp_path)
    assert is_one_sentence(str(caught.value))


@pytest.mark.parametrize(("size", "contains"), [(1_000_000, "1,000,000"), (weights.get("tiny").size, "SHA-256")])
async def test_weights_cut_short_or_altered_do_not_start(tmp_path: Path, size: int, contains: str) -> None:
    file = weights.path_of(weights.get("tiny"), tmp_path)
    file.parent.mkdir()
    with file.open("wb") as out:
        out.truncate(size)
    with pytest.raises(WeightsError, match=contains) as caught:
        await connect("embedded", cache=tmp_path)
    assert is_one_sentence(str(caught.value))
