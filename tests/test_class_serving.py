"""One model for a class: behind a key, each reader in turn, and nothing but the model's API."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest

from classroom import serving
from classroom.queueing import TooMany, Turns
from llmlab import connect
from stub import KEY, Raw, Stub, reply

pytestmark = pytest.mark.anyio


async def takes(turns: Turns, reader: str, order: list[str], seconds: float = 0.01) -> None:
    async with turns.turn(reader):
        order.append(reader)
        await asyncio.sleep(seconds)


async def test_a_greedy_reader_does_not_starve_the_others() -> None:
    turns, order = Turns(1), list[str]()
    greedy = [asyncio.create_task(takes(turns, "greedy", order)) for _ in range(10)]
    await asyncio.sleep(0)
    others = [asyncio.create_task(takes(turns, name, order)) for name in ("anna", "ben", "cleo")]
    await asyncio.gather(*greedy, *others)
    assert set(order[1:5]) >= {"anna", "ben", "cleo"}, "each of them comes before the greedy one's third request"
    assert order.count("greedy") == 10


async def test_slots_are_used_by_whoever_is_there_and_given_back_by_who_leaves() -> None:
    turns, order = Turns(2), list[str]()
    alone = [asyncio.create_task(takes(turns, "anna", order, 0.05)) for _ in range(4)]
    await asyncio.sleep(0.01)
    assert turns.running.total() == 2
    for task in (alone[0], alone[3]):  # one that runs, one that waits
        task.cancel()
    await asyncio.gather(*alone, return_exceptions=True)
    assert (turns.running.total(), len(turns.waiting["anna"])) == (0, 0)
    assert turns.served["anna"] == 2


async def test_one_reader_may_have_so_many_requests_waiting_and_no_more() -> None:
    turns = Turns(1, most=2)
    running = [asyncio.create_task(takes(turns, "anna", [], 0.05)) for _ in range(3)]
    await asyncio.sleep(0.01)
    with pytest.raises(TooMany):
        await takes(turns, "anna", [])
    await takes(turns, "ben", [])
    await asyncio.gather(*running)


@pytest.fixture
def stub():
    with Stub() as stub:
        yield stub


@pytest.fixture
async def gateway(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[str, serving.Gateway]]:
    for name, value in {"OPENAI_BASE_URL": stub.url, "OPENAI_API_KEY": KEY, "LLMLAB_MODEL": "stub-model"}.items():
        monkeypatch.setenv(name, value)
    async with serving.served(key="class") as (where, gateway):
        yield where, gateway


async def ask(where: str, key: str = "class.anna", timeout: float = 60, stream: bool = False) -> Any:
    """What a client that knows nothing of the lab gets: a reply, or the pieces of a streamed one."""
    async with openai.AsyncOpenAI(base_url=f"{where}/v1", api_key=key, max_retries=0, timeout=timeout) as client:
        came: Any = await client.chat.completions.create(model="x", messages=[], stream=stream)  # type: ignore[call-overload]
        return [piece async for piece in came] if stream else came


async def test_a_kernel_with_the_two_lines_talks_to_the_class_model(
    stub: Stub, gateway: tuple[str, serving.Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, served = gateway
    address, key, classroom = (line.split("=", 1)[1] for line in served.lines.splitlines())
    assert classroom == f"{address.removesuffix('/v1')}/?key={key}"
    model = await connect("endpoint", base_url=address, api_key=f"{key}.anna", model=None)
    stub.answers = [reply("Good morning.")]
    said = await model.chat("Hi", stream=True)
    await model.aclose()
    assert (said.text, said.source, said.model) == ("Good morning.", "endpoint", "stub-model-2")
    assert stub.headers[-1]["authorization"] == f"Bearer {KEY}", "the class never sees the teacher's own key"
    [row] = served.turns.table()
    assert (row["reader"], row["served"], row["waiting"]) == ("anna", 1, 0)
    assert served.turns.speed() > 0


async def test_without_the_key_there_is_nothing_and_with_it_only_the_models_api(
    stub: Stub, gateway: tuple[str, serving.Gateway]
) -> None:
    where, _ = gateway
    for key in ("", "clas", "classy", "klass.anna"):
        with pytest.raises(openai.AuthenticationError, match="missing or wrong"):
            await ask(where, key or "none")
    async with httpx2.AsyncClient(trust_env=False, headers={"authorization": "Bearer class"}) as http:
        for path in ("/status", "/", "/v1/models"):
            assert (await http.get(where + path, headers={"authorization": ""})).status_code == 401
            assert (await http.get(where + path)).status_code == 200
        for path in ("/slots", "/v1/files", "/lora-adapters", "/metrics", "/v1/../slots"):
            assert (await http.post(where + path, json={})).status_code == 404
        page = (await http.get(f"{where}/?key=class")).text
    assert "OPENAI_BASE_URL" in page
    assert "http://" not in page.replace(where, ""), "the page asks nobody else"
    assert stub.asked == []


async def test_errors_of_the_model_come_as_they_are_and_of_the_reader_in_a_sentence(
    stub: Stub, gateway: tuple[str, serving.Gateway]
) -> None:
    where, served = gateway
    stub.answers = [Raw('{"error": {"message": "no such field"}}', status=400)]
    with pytest.raises(openai.BadRequestError, match="no such field"):
        await ask(where)
    async with httpx2.AsyncClient(trust_env=False) as http:
        for text in ("", "[1]", "{"):
            answer = await http.post(f"{where}/v1/completions", content=text, headers={"authorization": "Bearer class"})
            assert (answer.status_code, "JSON object" in answer.text) == (400, True)
    assert served.turns.running.total() == 0


async def test_who_waits_long_is_kept_waiting_and_not_cut_off(
    stub: Stub, gateway: tuple[str, serving.Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "PATIENCE", 0.05)
    where, served = gateway
    served.turns.slots = 1
    async with served.turns.turn("somebody"):
        asked = asyncio.create_task(ask(where, timeout=3))
        streamed = asyncio.create_task(ask(where, timeout=3, stream=True))
        await asyncio.sleep(4)
    assert (await asked).choices[0].message.content == "Hello."
    assert await streamed


async def test_a_reader_who_leaves_gives_the_place_back(gateway: tuple[str, serving.Gateway]) -> None:
    where, served = gateway
    served.turns.slots = 1
    async with served.turns.turn("somebody"):
        with pytest.raises(openai.APITimeoutError):
            await ask(where, timeout=0.2)
    await asyncio.sleep(0.5)
    assert served.turns.running.total() == 0
