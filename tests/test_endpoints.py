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

from llmlab import ModelError, connect, settings
from llmlab.llm import local, weights
from llmlab.llm.reply import ToolCall
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


def llama_cpp(folder: Path, gguf: Path) -> Iterator[Server]:
    """llama.cpp's server. Tools are not probed: it lets a model talk before a call, and this one never comes to it."""
    command = [sys.executable, "-c", LLAMA, str(gguf), KEY, local.TEMPLATE]
    env = {**os.environ, "GOMP_SPINCOUNT": "100"}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        url = process.stdout.readline().strip() + "/v1"
        yield Server(url, "smol", False, True, {"json_schema": True, "logprobs": True, "vision": False}, 3000)
        process.stdin.close()


def dasllama(folder: Path, _: Path) -> Iterator[Server]:
    """dasllama's server. It does not take the tiny model, whose weights are in Q4_1."""
    kept = settings.load().cache / "tests" / DASLLAMA.replace("==", "-")
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = tempfile.mkdtemp(dir=kept.parent)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--target", part]
        if subprocess.run([*pip, DASLLAMA]).returncode:
            shutil.rmtree(part)
            pytest.skip(f"pip could not fetch {DASLLAMA}, a server to test against")
        Path(part).rename(kept)
    file = weights.find(weights.get("small"), settings.load().cache)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    env = {**os.environ, "HOME": str(folder), "DASLLAMA_IMAGE_SAVE": "0", "PYTHONPATH": str(kept)}
    command = [sys.executable, "-c", "from dasllama._cli import dasllama_server; dasllama_server()", "-m", str(file)]
    command += ["-p", port, "--host", "127.0.0.1", "-t", "2", "--flat"]
    url, ready = f"http://127.0.0.1:{port}/v1", False
    with (folder / "log").open("w") as log, subprocess.Popen(command, env=env, stdout=log, stderr=log) as process:
        while not ready:
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
            with suppress(httpx2.TransportError):
                ready = bool(httpx2.get(f"{url}/models").json()["data"])
        can = {"tools": True, "json_schema": True, "logprobs": False, "vision": False}
        yield Server(url, file.name, True, False, can, 40_000)
        process.terminate()


@pytest.fixture(
    scope="module", params=[llama_cpp, pytest.param(dasllama, marks=pytest.mark.slow)], ids=lambda p: p.__name__
)
def server(
    request: pytest.FixtureRequest, box_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Each of the two servers, for all tests."""
    yield from request.param(tmp_path_factory.mktemp("server"), box_weights)


@pytest.fixture(autouse=True)
def _configured(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a reader does it."""
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_a_chat_gives_text_and_usage_and_can_be_replayed(server: Server, streamed: bool, tmp_path: Path) -> None:
    model = await connect(record=tmp_path, chapter="one")
    assert (model.name, model.source) == (server.model, "endpoint")
    question = [{"role": "user", "content": "What is the capital of France?"}]
    live = [await model.chat(question, max_tokens=16, temperature=t, stream=streamed) for t in (0.0, 1.0)]
    assert "Paris" in live[0].text
    assert (live[0].model, live[0].note, live[0].message["content"]) == (server.model, "", live[0].text)
    assert (live[0].input_tokens > 10, 0 < live[0].output_tokens <= 16) == (True, True)
    pupil = await connect(replay=tmp_path, chapter="one", strict=True, base_url=None)
    for before in live:
        again = await pupil.chat(question, max_tokens=16, temperature=before.request["temperature"])
        assert (again.source, again.text, again.seed) == ("recording", before.text, before.seed)


async def test_capabilities_are_found_out(server: Server) -> None:
    model = await connect()
    assert model.known_capabilities == {}
    assert {c: await model.can(c) for c in server.capabilities} == server.capabilities
    assert model.known_capabilities == server.capabilities


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_a_tool_call_that_is_required_comes_and_can_be_answered(server: Server, streamed: bool) -> None:
    model = await connect()
    asked = await model.chat(PARIS, tools=[get_weather], tool_choice="required", max_tokens=60, stream=streamed)
    (call,) = asked.tool_calls
    assert (call.name, asked.finish_reason) == ("get_weather", "tool_calls")
    broken = replace(asked, tool_calls=[ToolCall(call.id, "get_weather", '{"city": "Paris}}')])  # no JSON
    for reply in (asked, broken):
        result = await get_weather.call(reply.tool_calls[0].arguments)
        messages = [*PARIS, reply.message, {"role": "tool", "tool_call_id": call.id, "content": result.text}]
        assert (await model.chat(messages, tools=[get_weather], max_tokens=8, stream=streamed)).output_tokens > 0


async def test_an_unknown_model_and_a_wrong_key_are_refused_by_a_server_that_looks_at_them(server: Server) -> None:
    for wrong, looks, kind in (
        ({"model": "no-such-model"}, server.knows_its_model, "not_found"),
        ({"api_key": "another-key", "model": server.model}, server.checks_the_key, "auth"),
    ):
        model = await connect(**wrong)
        if not looks:
            assert (await model.chat("Hi", max_tokens=2)).output_tokens == 2
            continue
        with pytest.raises(ModelError) as caught:
            await model.chat("Hi")
        assert caught.value.kind == kind


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_limits_on_tokens_are_kept_and_told(server: Server, streamed: bool) -> None:
    model = await connect()
    with pytest.raises(ModelError) as caught:
        await model.chat("word " * server.words_too_many, stream=streamed)
    assert caught.value.kind == "context"
    answer = await model.chat("Tell me a long story.", max_tokens=3, stream=streamed)
    assert (answer.output_tokens, answer.finish_reason) == (3, "length")
