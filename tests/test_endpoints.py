"""OpenAI-compatible servers in processes of their own: llama.cpp's, and one that shares no code with it."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest

import regguf
from llmlab import ModelError, connect, settings
from llmlab.llm import local
from llmlab.llm.reply import ToolCall
from sentence import is_one_sentence
from weather import PARIS, get_weather

KEY = "a-key-of-the-endpoint"
DASLLAMA = "dasllama==0.6.6"
LLAMA = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.model_alias = sys.argv[1], {"smol"}
params.n_ctx, params.n_parallel, params.port, params.verbosity = 4096, 2, 0, -1
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
params.cpuparams.poll = params.cpuparams_batch.poll = 0
params.api_keys, params.use_jinja, params.chat_template = [sys.argv[2]], True, sys.argv[3]
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""

pytestmark = [pytest.mark.anyio, pytest.mark.live]


@dataclass
class Server:
    """A running server, and in what it is unlike others."""

    url: str
    model: str
    knows_its_model: bool
    checks_the_key: bool
    capabilities: dict[str, bool]
    words_too_many: int


def llama_cpp(weights: Path, folder: Path) -> Iterator[Server]:
    """llama.cpp's server. Tools are not probed: it lets a model talk before a call, and this one never comes to it."""
    command = [sys.executable, "-c", LLAMA, str(weights), KEY, local.TEMPLATE]
    env = {**os.environ, "GOMP_SPINCOUNT": "100"}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdin
            assert process.stdout
            url = process.stdout.readline().strip() + "/v1"
            can = {"json_schema": True, "logprobs": True, "vision": False}
            yield Server(url, "smol", False, True, can, 3000)
            process.stdin.close()
            assert process.wait(60) == 0
        finally:
            process.kill()


def dasllama(weights: Path, folder: Path) -> Iterator[Server]:
    """dasllama's server. It takes no weights in Q4_1."""
    kept = settings.load().cache / "tests" / DASLLAMA.replace("==", "-")
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = tempfile.mkdtemp(dir=kept.parent)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--target", part]
        done = subprocess.run([*pip, DASLLAMA], capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(part)
            pytest.skip(f"pip could not fetch {DASLLAMA}, a server to test against: {done.stderr.strip()[-200:]}")
        Path(part).rename(kept)
    file = regguf.as_q5_1(weights, folder / "smol-q5_1.gguf")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {**os.environ, "HOME": str(folder), "DASLLAMA_IMAGE_SAVE": "0", "PYTHONPATH": str(kept)}
    command = [sys.executable, "-c", "from dasllama._cli import dasllama_server; dasllama_server()", "-m", str(file)]
    command += ["-p", str(port), "--host", "127.0.0.1", "-t", "2", "--flat"]
    url = f"http://127.0.0.1:{port}/v1"
    with (folder / "log").open("w") as log, subprocess.Popen(command, env=env, stdout=log, stderr=log) as process:
        try:
            ready = False
            while not ready:
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.05)
                with suppress(httpx2.TransportError):
                    ready = bool(httpx2.get(f"{url}/models").json()["data"])
            can = {"tools": True, "json_schema": True, "logprobs": False, "vision": False}
            yield Server(url, file.name, True, False, can, 9000)
        finally:
            process.terminate()


@pytest.fixture(
    scope="module", params=[llama_cpp, pytest.param(dasllama, marks=pytest.mark.slow)], ids=lambda p: p.__name__
)
def server(
    request: pytest.FixtureRequest, box_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Each of the two servers, for all tests."""
    yield from request.param(box_weights, tmp_path_factory.mktemp("server"))


@pytest.fixture(autouse=True)
def _configured(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a reader does it."""
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_a_chat_gives_text_and_usage(server: Server, streamed: bool) -> None:
    model = await connect()
    assert (model.name, model.source) == (server.model, "endpoint")
    system = {"role": "system", "content": "You are a helpful assistant."}
    question = {"role": "user", "content": "What is the capital of France?"}
    answer = await model.chat([system, question], max_tokens=16, stream=streamed)
    assert "Paris" in answer.text
    assert (answer.source, answer.model, answer.finish_reason, answer.note) == ("endpoint", server.model, "stop", "")
    assert answer.input_tokens > 20
    assert 0 < answer.output_tokens <= 16
    assert (answer.first_token_seconds is not None) is streamed
    assert answer.message == {"role": "assistant", "content": answer.text}
    assert model.trace.totals.input_tokens == answer.input_tokens


async def test_a_limit_on_the_tokens_is_kept_and_told(server: Server) -> None:
    answer = await (await connect()).chat("Tell me a long story.", max_tokens=3)
    assert (answer.output_tokens, answer.finish_reason) == (3, "length")


async def test_capabilities_are_found_out(server: Server) -> None:
    model = await connect()
    assert model.abilities == {}
    assert {c: await model.can(c) for c in server.capabilities} == server.capabilities
    assert model.abilities == server.capabilities


async def test_a_schema_makes_json_of_its_shape(server: Server) -> None:
    shape = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    answer = await (await connect()).chat("How many legs has a cat?", schema=shape, max_tokens=200)
    assert list(answer.json()) == ["n"]
    assert isinstance(answer.json()["n"], int)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_a_tool_call_that_is_required_comes_and_can_be_answered(server: Server, streamed: bool) -> None:
    model = await connect()
    asked = await model.chat(PARIS, tools=[get_weather], tool_choice="required", max_tokens=60, stream=streamed)
    (call,) = asked.tool_calls
    assert (call.name, asked.finish_reason) == ("get_weather", "tool_calls")
    result = await get_weather.call(call.arguments)
    assert result.text == "Rain in Paris."
    messages = [*PARIS, asked.message, {"role": "tool", "tool_call_id": call.id, "content": result.text}]
    assert (await model.chat(messages, max_tokens=8, stream=streamed)).output_tokens > 0


async def test_a_call_whose_arguments_are_no_json_does_not_end_the_conversation(server: Server) -> None:
    model = await connect()
    broken = replace(
        await model.chat("Hi", max_tokens=2), tool_calls=[ToolCall("c1", "get_weather", '{"city": "Paris}}')]
    )
    refused = await get_weather.call(broken.tool_calls[0].arguments)
    assert not refused.ok
    assert "Paris}}" in broken.message["tool_calls"][0]["function"]["arguments"], "the model reads what it wrote"
    messages = [*PARIS, broken.message, {"role": "tool", "tool_call_id": "c1", "content": refused.text}]
    assert (await model.chat(messages, tools=[get_weather], max_tokens=8)).output_tokens > 0


async def test_an_unknown_model_is_refused_by_a_server_that_looks_at_the_name(server: Server) -> None:
    model = await connect(model="no-such-model")
    if not server.knows_its_model:
        assert (await model.chat("Hi", max_tokens=2)).model == server.model
        return
    with pytest.raises(ModelError, match="no-such-model") as caught:
        await model.chat("Hi")
    assert caught.value.kind == "not_found"
    assert is_one_sentence(str(caught.value))


async def test_a_wrong_key_is_refused_by_a_server_that_looks_at_it(server: Server) -> None:
    model = await connect(api_key="another-key", model=server.model)
    if not server.checks_the_key:
        assert (await model.chat("Hi", max_tokens=2)).output_tokens == 2
        return
    with pytest.raises(ModelError, match="OPENAI_API_KEY") as caught:
        await model.chat("Hi")
    assert caught.value.kind == "auth"


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_a_prompt_that_is_too_long_is_refused_and_the_next_call_works(server: Server, streamed: bool) -> None:
    model = await connect()
    with pytest.raises(ModelError) as caught:
        await model.chat("word " * server.words_too_many, stream=streamed)
    assert caught.value.kind == "context"
    assert is_one_sentence(str(caught.value))
    assert (await model.chat("Hi", max_tokens=2, stream=streamed)).output_tokens == 2
    assert [step.status for step in model.trace] == ["error", "ok"]


async def test_what_it_said_can_be_replayed_without_it(server: Server, tmp_path: Path) -> None:
    teacher = await connect(record=tmp_path, chapter="one")
    questions = [("What is ice?", 0.0), ("What is ice?", 1.0), ("What is fog?", 0.0)]
    live = [await teacher.chat(question, temperature=t, max_tokens=8) for question, t in questions]
    pupil = await connect(replay=tmp_path, chapter="one", strict=True, base_url=None)
    again = [await pupil.chat(question, temperature=t, max_tokens=8) for question, t in questions]
    assert pupil.name == server.model
    assert [r.source for r in again] == ["recording"] * 3
    for before, after in zip(live, again, strict=True):
        assert (after.text, after.seed, after.response) == (before.text, before.seed, before.response)
        assert after.seconds == pytest.approx(before.seconds, abs=1)
