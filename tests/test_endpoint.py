"""The connected model behind an address of its own, asked by clients that know nothing of the lab."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx2
import openai
import pytest

from llmlab import Budget, Model, Trace, connect
from stub import Stub, reply

pytestmark = pytest.mark.anyio
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def stub():
    with Stub() as stub:
        yield stub


_made: list[openai.AsyncOpenAI] = []


def theirs(url: str) -> openai.AsyncOpenAI:
    _made.append(openai.AsyncOpenAI(base_url=url, api_key="none"))
    return _made[-1]


@pytest.fixture(autouse=True)
async def closed() -> AsyncIterator[None]:
    yield
    while _made:
        await _made.pop().close()


@pytest.fixture
async def model(stub: Stub) -> AsyncIterator[Model]:
    model = await stub.model()
    yield model
    await model.aclose()


async def test_a_client_that_blocks_the_event_loop_is_answered_and_every_request_is_in_the_trace(
    stub: Stub, model: Model
) -> None:
    stub.answers = [reply("Good morning."), reply("", {"weather": '{"city": "Cork"}'})]
    with Trace("framework") as trace:
        async with model.endpoint() as url:
            client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)  # waits without giving way
            said = client.chat.completions.create(
                model="any", messages=[{"role": "user", "content": "Hi"}], temperature=0.5, max_completion_tokens=7
            )
            asked = client.chat.completions.create(
                model="any", messages=[{"role": "user", "content": "Cork?"}], tools=[WEATHER], tool_choice="auto"
            )
            assert [m.id for m in client.models.list()] == ["stub-model"]
    assert said.choices[0].message.content == "Good morning."
    assert asked.choices[0].message.tool_calls[0].function.name == "weather"
    first, second = (step.request for step in trace.of("model"))
    assert (first["model"], first["temperature"], first["max_tokens"]) == ("stub-model", 0.5, 7)
    assert second["tools"] == [WEATHER]
    assert second["tool_choice"] == "auto"
    assert len(model.trace) == 0


async def test_what_is_asked_for_as_a_stream_comes_as_one(stub: Stub, model: Model) -> None:
    stub.answers = [reply("", {"weather": '{"city": "Cork"}'})]
    async with model.endpoint() as url:
        client = theirs(url)
        stream = await client.chat.completions.create(
            model="any", messages=[{"role": "user", "content": "Cork?"}], tools=[WEATHER], stream=True
        )
        chunks = [chunk async for chunk in stream]
    [made] = chunks[0].choices[0].delta.tool_calls
    assert (made.index, json.loads(made.function.arguments)) == (0, {"city": "Cork"})
    assert chunks[-1].usage is not None


async def test_what_goes_wrong_is_said_to_the_client_in_a_sentence_and_not_tried_again(model: Model) -> None:
    async with model.endpoint() as url:
        client = theirs(url)
        with Trace("t", budget=Budget(steps=1)), pytest.raises(openai.BadRequestError, match="messages"):
            await client.chat.completions.create(model="any", messages=None)
        with pytest.raises(openai.NotFoundError, match="answers /chat/completions"):
            await client.embeddings.create(model="any", input="x")


async def test_a_budget_holds_for_the_clients_too(model: Model) -> None:
    with Trace("t", budget=Budget(steps=1)) as trace:
        async with model.endpoint() as url:
            client = theirs(url)
            await client.chat.completions.create(model="any", messages=[{"role": "user", "content": "1"}])
            with pytest.raises(openai.BadRequestError, match="budget"):
                await client.chat.completions.create(model="any", messages=[{"role": "user", "content": "2"}])
    assert len(trace.of("model")) == 1


async def test_nobody_finds_it_who_was_not_given_the_address_and_it_ends_with_the_block(model: Model) -> None:
    async with model.endpoint() as url:
        port = httpx2.URL(url).port
        async with httpx2.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"http://127.0.0.1:{port}/v1/models")).status_code == 404
            assert (await client.post(f"http://127.0.0.1:{port}/v1/chat/completions", json={})).status_code == 404
    with pytest.raises(httpx2.ConnectError):
        async with httpx2.AsyncClient(trust_env=False) as client:
            await client.get(f"{url}/models")


async def test_a_framework_is_recorded_and_replayed(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMLAB_CHAPTER", "16_frameworks")
    said = []
    for override in ({"record": tmp_path}, {"replay": tmp_path, "strict": True}):
        model = await (stub.model(**override) if "record" in override else connect(**override))
        async with model.endpoint() as url:
            client = theirs(url)
            with anyio.fail_after(20):
                done = await client.chat.completions.create(model="x", messages=[{"role": "user", "content": "Hi"}])
        said.append(done.choices[0].message.content)
        await model.aclose()
    assert said[0] == said[1]
    assert len(stub.asked) == 1
