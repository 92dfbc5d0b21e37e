"""The pieces of chapter 14: all forty questions can be answered over MCP, and their judge takes right answers only.

Further: cells of chapter 14 that a kept output does not show, and the servers that check exercise 13.2.
"""

import ast
import io
import json
import sys
from collections.abc import AsyncIterator
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest

from llmlab import Host, ToolError, connect, measure
from llmlab.agents import Run
from llmlab.lesson import exercise
from llmlab.llm import weights
from llmlab.llm.local import Embedded
from llmlab.llm.reply import ToolCall
from llmlab.trace import Trace
from shop import Shop, lay_out
from stub import Stub, reply

pytestmark = pytest.mark.anyio
ch14 = import_module("chapters.ch14")
MODERN = "2026-07-28"
NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
KINDS = {"orders": 8, "calendar": 7, "repository": 6, "sheet": 6, "messages": 5, "combined": 8}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return lay_out(tmp_path_factory.mktemp("world") / "shop")


@pytest.fixture
async def host(shop: Shop) -> AsyncIterator[Host]:
    async with await Host.open(ch14.servers(shop)) as opened:
        yield opened


def said(answer: str) -> Run:
    return Run("x", "y", Trace(), answer=answer, stopped="done")


def question(shop: Shop, name: str) -> Any:
    [found] = [q for q in ch14.questions(shop) if q.id == name]
    return found


def test_there_are_forty_questions_over_all_servers_alone_and_combined(shop: Shop) -> None:
    asked = ch14.questions(shop)
    assert {kind: sum(q.kind == kind for q in asked) for kind in KINDS} == KINDS
    assert len({q.text for q in asked}) == sum(KINDS.values()) == 40
    assert all(q.servers == [q.kind] for q in asked if q.kind != "combined")
    assert all(len(set(q.servers)) == 2 for q in asked if q.kind == "combined")


def test_no_question_holds_its_answer(shop: Shop) -> None:
    for q in ch14.questions(shop):
        assert not q.task().right(said(q.text)), q.text
        assert not q.task().right(said(""))


async def test_the_right_calls_give_the_right_answers_from_the_servers(shop: Shop, host: Host) -> None:
    for q in ch14.questions(shop):
        results, answer = await ch14.answer_of(host, q)
        assert q.task().right(said(f"It is {answer}.")), (q.text, answer)
        assert all(len(result) < 2000 for result in results), "short enough for a small model"


def test_a_result_that_is_passed_on_as_it_came_is_no_answer(shop: Shop) -> None:
    task = question(shop, "orders 1").task()
    assert task.right(said("It was cancelled."))
    assert not task.right(said('{"id": 1120, "status": "cancelled"}'))
    assert not task.right(said("It is open."))


def test_a_day_may_be_written_in_several_ways(shop: Shop) -> None:
    task = question(shop, "calendar 1").task()
    assert all(task.right(said(day)) for day in ("2026-04-02", "on 2 April", "April 2, 2026"))
    assert not any(task.right(said(day)) for day in ("2026-04-20", "12 April", "April 22"))


async def test_tools_are_chosen_by_the_words_that_they_share_with_the_question(host: Host) -> None:
    tools = host.tools()
    chosen = ch14.choose("What is the total of order 1090?", tools)
    assert len(chosen) == 4
    assert "order_details" in {t.name for t in chosen}
    assert ch14.words("The files, read_posts of it") == {"file", "read", "post"}
    assert [t.name for t in ch14.choose("Oh?", tools, 2)] == [t.name for t in tools[:2]], (
        "no word in common: as they come"
    )


async def test_each_variant_offers_its_own_tools(shop: Shop, host: Host) -> None:
    q = question(shop, "combined 3")
    with Stub() as stub:
        stub.answers = [reply("No.")]
        model = await stub.model()
        measured = await measure.compare(model, ch14.variants(model, host, [q]), [q.task()])
        await model.aclose()
    offered = [{t["function"]["name"] for t in body["tools"]} for body in stub.asked]
    assert [len(names) for names in offered] == [8, 4, 19]
    assert offered[0] >= {"search_posts", "order_details"}
    assert [row["right"] for row in measured.rows] == [False] * 3


async def test_a_program_between_the_calls_takes_the_data_and_not_the_words(shop: Shop, host: Host) -> None:
    q = question(shop, "combined 3")
    with Stub() as stub:
        stub.answers = [
            reply("", {"search_posts": '{"text": "milk jug"}'}),
            reply("It is order 9999."),  # wrong, and of no weight
            reply("", {"order_details": '{"order_id": 1129}'}),
            reply("In Galway."),
        ]
        model = await stub.model()
        run = await ch14.Between(model, host, [q]).run(q.text)
        await model.aclose()
    assert "order 1129" in stub.asked[2]["messages"][0]["content"]
    assert "Galway" in stub.asked[3]["messages"][-1]["content"]
    assert q.task().right(run)


async def test_a_step_that_gives_nothing_ends_the_run_with_a_sentence(shop: Shop, host: Host) -> None:
    q = question(shop, "combined 3")
    with Stub() as stub:
        stub.answers = [reply("It is order 1129.")]
        model = await stub.model()
        run = await ch14.Between(model, host, [q]).run(q.text)
        await model.aclose()
    assert (run.stopped, len(stub.asked)) == ("error", 1)
    assert "has to give what the next one needs" in run.why


@pytest.mark.live
async def test_the_box_shows_and_counts_what_its_model_reads_without_running_it(host: Host, box: Embedded) -> None:
    model, tools = await connect("embedded"), ch14.tools_of(host, "calendar")
    offered = [t.openai() for t in tools]
    prompt = await ch14.prompt_of(model, {"messages": [{"role": "user", "content": "When?"}], "tools": offered, "n": 1})
    assert "next_event(title: string, after: date): Find when" in prompt
    assert "  after: A day, such as 2026-07-01\n" in prompt
    assert "properties" not in prompt
    alone, read = await ch14.tokens(model, "When?"), await ch14.tokens(model, "When?", tools)
    assert alone < read < await ch14.tokens(model, json.dumps(offered))
    assert not any("completion_tokens" in str(step.response) for step in model.trace), "nothing was written"


async def test_what_an_endpoint_makes_of_a_request_is_not_asked_and_its_tokens_are_those_of_a_reply(host: Host) -> None:
    with Stub() as stub:
        model = await stub.model()
        assert "does not show" in await ch14.prompt_of(model, {"messages": []})
        assert stub.asked == []
        assert await ch14.tokens(model, "When?", ch14.tools_of(host, "calendar")) == 10
        assert (stub.asked[0]["max_tokens"], len(stub.asked[0]["tools"])) == (1, 3)
        await model.aclose()


async def test_the_story_goes_from_discovery_to_the_answer(shop: Shop, host: Host) -> None:
    q = question(shop, "orders 1")
    with Stub() as stub:
        stub.answers = [reply("", {"order_details": '{"order_id": 1120}'}), reply("It was cancelled.")]
        model = await stub.model()
        run = await ch14.variants(model, host, [q])["tools of its servers"].run(q.text)
        await model.aclose()
    arrows = [
        line.split(":")[0].strip() for line in ch14.story(host.trace, run.trace).text.splitlines() if ">>" in line
    ]
    to_model, back = ["host->>model", "model-->>host"], ["host->>orders", "orders-->>host"]
    assert arrows == [*back, *to_model, *back, *to_model]


def cell(name: str) -> str:
    """The source of a cell of the notebook."""
    [file] = NOTEBOOKS.glob("14_*.ipynb")
    [found] = [cell for cell in nbformat.read(file, as_version=4).cells if cell.id == name]
    return str(found.source)


async def run_cell(source: str, names: dict[str, Any]) -> str:
    """Run a cell as a kernel does, awaiting in it: what it prints."""
    code = compile(source, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with redirect_stdout(io.StringIO()) as said:
        waits = eval(code, names)
        if waits is not None:
            await waits
    return said.getvalue()


def claims_to_read(word: str) -> str:
    """Look a word up."""
    return word


@pytest.mark.parametrize("kind", ["function", "mcp.json"])
async def test_a_server_of_the_readers_own_is_plugged_in_and_not_believed(
    shop: Shop, tmp_path: Path, kind: str
) -> None:
    command = [sys.executable, "-m", "shop.calendar", "--calendar", str(shop.calendar)]
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"days": {"command": command[0], "args": command[1:]}}}), "utf-8")
    source = cell("14-116").replace(
        "MINE = None", f"MINE = {'[claims_to_read]' if kind == 'function' else repr(str(file))}"
    )
    asked: list[str] = []
    names: dict[str, Any] = {"Host": Host, "display": lambda shown: None, "claims_to_read": claims_to_read}
    names["approval"] = SimpleNamespace(Approval=lambda: lambda server, offer, arguments: asked.append(str(offer)))
    source = source.replace("display(my_host)", "await my_host.tools()[0].call({})")
    said = await run_cell(source, names)
    first = {"function": "mine.claims_to_read", "mcp.json": "days.events_between"}[kind]
    assert asked == [first], "nothing that a stranger says of itself is believed"
    assert f"{first.partition('.')[2]}: " in said


async def test_by_hand_each_call_gets_its_own_result_and_a_wrong_one_ends_nothing(host: Host) -> None:
    calls = [
        ToolCall("a", "next_event", '{"title": "tasting", "after": "2026-07-01"}'),
        ToolCall("b", "no_such_tool", "{}"),
        ToolCall("c", "next_event", "{not JSON"),
    ]
    names = {"Trace": Trace, "ToolError": ToolError, "host": host, "json": json}
    wish = SimpleNamespace(tool_calls=calls, message={"role": "assistant"})
    names |= {"wish": wish, "seen": [], "offered": [], "answer": None, "model": SimpleNamespace(chat=no_chat)}
    await run_cell(cell("14-22") + "\n" + cell("14-26"), names)
    told = {message["tool_call_id"]: message["content"] for message in names["seen"][1:]}
    assert "2026-07-09" in told["a"]
    assert told["b"].startswith("error: the tools of server calendar are")
    assert told["c"].startswith("error: ")


async def no_chat(*messages: Any, **settings: Any) -> str:
    """What the model would be asked, when only the request is of interest."""
    return ""


async def unconfirmed(wire: Any, meta: Any, hello: Any) -> str:
    """A handshake without its last message."""
    found = await wire.ask("server/discover", {"_meta": meta})
    return MODERN if "supportedVersions" in found else (await wire.ask("initialize", hello))["protocolVersion"]


async def with_a_reply(wire: Any, meta: Any, hello: Any) -> str:
    """A handshake whose confirmation is a request."""
    found = await wire.ask("server/discover", {"_meta": meta})
    if "supportedVersions" in found:
        return MODERN
    settled = await wire.ask("initialize", hello)
    await wire.ask("notifications/initialized")
    return str(settled["protocolVersion"])


@pytest.mark.parametrize("work", [unconfirmed, with_a_reply])
async def test_in_exercise_13_2_a_server_of_the_handshake_era_refuses_half_a_handshake(work: Any) -> None:
    points = await exercise("13.2").check(work, None)
    refused = [ok for ok, text in points if text.endswith("the server says: The handshake is not complete")]
    assert refused == [False, False], "one for each older version"
    assert (True, "after that, tools/list is answered; the server says: yes") in points, "and the modern one answers"


async def test_in_exercise_13_2_an_error_in_the_readers_code_comes_out_as_it_is() -> None:
    async def wrong(wire: Any, meta: Any, hello: Any) -> None:
        wire.send({"no": "method"})
        await wire.ask("server/discover", {"_meta": meta})

    with pytest.raises(ValueError, match="a message has a method"):
        await exercise("13.2").check(wrong, None)


def test_chapter_15_has_a_measurement_of_the_standard_model_to_hold_its_claim_against() -> None:
    kept = [done for done in measure.kept("15") if done.about["model"] == weights.CATALOGUE["standard"].name]
    assert [done.rate(host="careless")[1] for done in kept] == [20]
