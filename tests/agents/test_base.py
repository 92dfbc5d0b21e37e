"""What all agents share: every way to end, budgets inside budgets, composition, faults."""

import asyncio
import dataclasses
import json
from typing import Any

import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scripted import AGENTS, TOKENS, Script, acts, look, looking, whole

from llmlab import Budget, Trace
from llmlab import trace as tracing
from llmlab.agents import Agent, Recursive, Repetition, Run, SingleStep, ToolLoop
from llmlab.errors import BudgetExceeded
from llmlab.show.formatters import bundle
from llmlab.tools import tool
from sentence import is_one_sentence

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]
every_agent = pytest.mark.parametrize("name", AGENTS)
ENDS = {"done", "steps", "tokens", "seconds", "money", "depth", "repetition", "error"}


def made(name: str, *answers: Any, **config: Any) -> tuple[Agent, Script]:
    build, usual = AGENTS[name]
    script = Script(*(answers or usual), **config)
    return build(script.model), script


@every_agent
async def test_an_agent_takes_a_task_and_returns_a_run(name: str) -> None:
    agent, script = made(name)
    run = await agent.run("1, 2, 3")
    assert (run.agent, run.task, run.stopped, run.ok, run.why) == (name, "1, 2, 3", "done", True, "")
    assert str(run) == run.answer
    assert run.answer
    assert run.spent.model_calls == len(script.asked) == len(run.trace.of("model"))
    assert run.spent.tokens == TOKENS * len(script.asked)
    assert (run.trace.steps[0].name, run.trace.steps[0].get("task")) == (name, "1, 2, 3")
    assert {step.status for step in run.trace} == {"ok"}
    assert tracing.current() is None


@every_agent
async def test_the_prompts_are_data_that_one_agent_may_change_for_itself(name: str) -> None:
    agent, _ = made(name)
    before = dict(type(agent).prompts)
    agent.prompts["more"] = "x"
    assert type(agent).prompts == before


async def test_a_prompt_of_ones_own_replaces_that_of_the_class() -> None:
    script = Script("Hallo.")
    await SingleStep(script.model, prompts={"task": "In German: {task}"}).run("Hello.")
    assert script.said == ["In German: Hello."]


async def test_braces_in_a_task_are_text_and_no_places() -> None:
    agent = SingleStep(Script("").model, prompts={"task": "{task} {more} {unknown}"})
    assert agent.prompt("task", task="{more} {task}", more="2") == "{more} {task} 2 {unknown}"


LIMITS = {
    "steps": Budget(steps=4),
    "tokens": Budget(tokens=2 * TOKENS),
    "seconds": Budget(seconds=60),
    "money": Budget(money=2 * TOKENS / 1e6),
    "repetition": Budget(),
    "error": Budget(),
}


@pytest.mark.parametrize("limit", LIMITS)
async def test_a_run_that_is_stopped_says_why_and_keeps_its_best_answer(limit: str) -> None:
    def answer(body: Any) -> Any:
        n = len(script.asked)
        if limit == "error" and n == 3:
            return httpx2.ConnectError("it died")
        if limit == "seconds" and n == 2:
            tracing.current().advance_to(61)
        city = "Oslo" if limit == "repetition" else f"City {n}"
        return acts(("look", {"city": city}), text=f"Best {n}.")

    script = Script(answer, price_in=1.0, price_out=1.0)
    run = await ToolLoop(script.model, [look], budget=LIMITS[limit]).run("Look around.")
    assert run.stopped == limit
    assert run.why.endswith(".")
    assert "\n" not in run.why
    assert ". " not in run.why
    assert not run.ok
    assert run.answer == ("Best 3." if limit == "repetition" else "Best 2.")
    assert len(run.trace.of("model")) == len(script.asked) == (3 if limit in ("repetition", "error") else 2)
    assert {step.status for step in run.trace} == {"ok", "error"}


async def test_an_agent_that_is_too_deep_does_not_begin() -> None:
    with Trace(budget=Budget(depth=1)), tracing.current().span("all"):
        run = await SingleStep(Script("").model).run("Say it.")
    assert (run.stopped, run.answer, len(run.trace.of("model"))) == ("depth", None, 0)


async def test_a_model_that_repeats_itself_is_stopped_also_when_it_goes_round_in_a_circle() -> None:
    circle = [acts(("look", {"city": city})) for city in "ABABAB"]
    run = await ToolLoop(Script(*circle).model, [look]).run("Look.")
    assert (run.stopped, len(run.trace.of("tool"))) == ("repetition", 4)
    assert 'look({"city": "A"})' in run.why


async def test_a_repetition_is_told_in_a_sentence_however_long_the_thing_is() -> None:
    loop = Repetition(2)
    loop.check("x" * 1000)
    loop.check("y")
    with pytest.raises(BudgetExceeded) as caught:
        loop.check("x" * 1000)
    assert (caught.value.limit, len(str(caught.value)) < 250) == ("repetition", True)
    assert is_one_sentence(str(caught.value))


@every_agent
@pytest.mark.parametrize("task", ["", " \n", None, 7])
async def test_what_is_no_task_is_an_error_before_any_call(name: str, task: Any) -> None:
    agent, script = made(name)
    run = await agent.run(task)
    assert (run.stopped, run.answer, script.asked, len(run.trace)) == ("error", None, [], 0)
    assert is_one_sentence(run.why)
    assert "(no answer)" in bundle(run)["text/plain"]


@every_agent
@pytest.mark.parametrize("task", ["long " * 20_000, "[" * 100_000, "1," * 50_000, "9" * 100_000])
async def test_a_task_of_100000_characters_ends_like_any_other(name: str, task: str) -> None:
    agent, script = made(name)
    agent.budget = Budget(steps=6)
    run = await agent.run(task)
    assert run.stopped in ENDS
    assert len(run.why) < 1000
    assert task.strip(",")[:50_000] in json.dumps(script.asked[0]).replace(", ", ",") or name.startswith("recursive")
    assert len(bundle(run)["text/plain"]) < 10_000


@every_agent
async def test_a_task_that_the_model_cannot_take_is_an_error_that_says_so(name: str) -> None:
    agent, _ = made(name, 400)
    run = await agent.run("1, 2, 3")
    assert run.stopped == "error"
    assert "takes requests in the form of its API" in run.why
    assert {step.status for step in run.trace if step.kind == "model"} == {"error"}


@every_agent
async def test_a_model_that_dies_in_its_last_call_leaves_a_run_with_its_trace(name: str) -> None:
    _, answers = await whole(name, "1, 2, 3")
    agent, script = made(name, *answers[:-1], httpx2.ReadError("it died"))
    run = await agent.run("1, 2, 3")
    assert run.stopped == "error"
    assert "broke off in the middle" in run.why
    assert len(run.trace.of("model")) == len(script.asked)
    assert run.trace.of("model")[-1].status == "error"


@every_agent
async def test_an_interrupt_goes_on_to_the_cell_and_leaves_no_call_behind(name: str) -> None:
    begun = asyncio.Event()

    async def never(body: Any) -> str:
        begun.set()
        await asyncio.Event().wait()
        return ""

    agent, _ = made(name, *AGENTS[name][1][:1], never) if name == "tool loop" else made(name, never)
    with Trace() as trace:
        running = asyncio.create_task(agent.run("1, 2, 3"))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (trace.steps[0].name, trace.steps[0].status) == (name, "interrupted")
    assert "running" not in {step.status for step in trace}
    assert agent.last is not None
    assert (agent.last.stopped, agent.last.why) == ("interrupted", "The run was stopped from outside.")
    assert agent.last.calls().of("model") == trace.of("model")
    assert trace.of("model")[-1].status == "interrupted"


# --- Agents in agents -------------------------------------------------------------------------------------------------


def as_tool(agent: Agent) -> Any:
    @tool
    async def ask_expert(question: str) -> str:
        """Ask an expert."""
        return str(await agent.run(question))

    return ask_expert


async def test_an_agent_that_is_a_tool_of_another_works_inside_its_trace() -> None:
    inner = Script("Rain.")
    outer = Script(acts(("ask_expert", {"question": "Oslo?"})), "It rains in Oslo.")
    run = await ToolLoop(outer.model, [as_tool(SingleStep(inner.model))]).run("Weather?")
    assert (run.answer, inner.said, outer.asked[1]["messages"][-1]["content"]) == (
        "It rains in Oslo.",
        ["Oslo?"],
        "Rain.",
    )
    depth = {step.id: step.parent for step in run.trace}
    names = [(step.name, depth[step.id]) for step in run.trace]
    assert names == [("tool loop", None), ("chat", 1), ("ask_expert", 1), ("single step", 3), ("chat", 4), ("chat", 1)]
    assert run.spent.model_calls == 3


async def test_the_budget_of_the_inner_agent_ends_the_inner_one_only() -> None:
    inner = Script(looking(1))
    outer = Script(acts(("ask_expert", {"question": "Oslo?"})), "Enough.")
    expert = ToolLoop(inner.model, [look], budget=Budget(steps=3))
    run = await ToolLoop(outer.model, [as_tool(expert)]).run("Weather?")
    assert (run.stopped, run.answer) == ("done", "Enough.")
    assert (len(inner.asked), run.spent.model_calls, run.spent.tool_calls) == (2, 4, 2)


async def test_the_budget_of_the_outer_agent_holds_for_the_inner_one_too() -> None:
    inner = Script(looking(1))
    outer = Script(acts(("ask_expert", {"question": "Oslo?"})))
    run = await ToolLoop(outer.model, [as_tool(ToolLoop(inner.model, [look]))], budget=Budget(steps=6)).run("Weather?")
    assert run.stopped == "steps"
    assert "allows 6 model and tool steps and 6 model and tool steps are used" in run.why
    assert len(run.trace.of("model")) + len(run.trace.of("tool")) == 6


async def test_agents_that_call_each_other_without_end_are_stopped_by_their_depth() -> None:
    script = Script(acts(("ask_expert", {"question": "And you?"}), text="Passing it on."))
    agent = ToolLoop(script.model, budget=Budget(depth=4, steps=100))
    agent.tools = [as_tool(agent)]
    run = await agent.run("Who knows?")
    depths: dict[int | None, int] = {None: 0}
    for step in run.trace:
        depths[step.id] = depths[step.parent] + (step.kind == "span")
    assert max(depths.values()) == 4
    assert run.stopped == "repetition"  # each of the four asks again until it may not


async def test_two_runs_in_one_trace_have_budgets_and_parts_of_their_own() -> None:
    script = Script(looking(1))
    agent = ToolLoop(script.model, [look], budget=Budget(steps=3))
    with Trace("mine") as mine:
        runs = [await agent.run("One."), await agent.run("Two.")]
    assert [(run.stopped, run.trace, run.spent.model_calls) for run in runs] == [("steps", mine, 2)] * 2
    assert [mine.part(run.part).steps[0].get("task") for run in runs] == ["One.", "Two."]
    assert [len(mine.part(run.part)) for run in runs] == [4, 4]


# --- Composition ------------------------------------------------------------------------------------------------------


async def test_runs_follow_each_other_in_plain_python() -> None:
    script = Script("A draft.", "A text.")
    agent = SingleStep(script.model)
    draft = await agent.run("Draft.")
    text = await agent.run(f"Improve: {draft}")
    assert (script.said, text.answer) == (["Draft.", "Improve: A draft."], "A text.")


async def test_runs_go_side_by_side_and_keep_their_parts() -> None:
    both = asyncio.Barrier(3)

    async def wait(body: Any) -> str:
        await both.wait()
        return f"About {body['messages'][-1]['content']}"

    agent = SingleStep(Script(wait).model)
    with Trace("mine") as mine:
        runs = await asyncio.gather(*(agent.run(city) for city in ("Oslo", "Rome", "Paris")))
    assert [run.answer for run in runs] == ["About Oslo", "About Rome", "About Paris"]
    for run in runs:
        span, chat = mine.part(run.part)
        assert (span.get("task"), chat.parent) == (run.task, span.id)
    assert mine.totals.model_calls == 3


@pytest.mark.parametrize("kind", ["sum", "words"])
async def test_a_router_chooses_the_next_run_by_the_answer_of_the_first(kind: str) -> None:
    script = Script(kind, "Done.")
    routes = {"sum": Recursive(script.model), "words": SingleStep(script.model)}
    chosen = routes[(await SingleStep(script.model).run("What is it?")).answer]
    assert (await chosen.run("1, 2")).agent == {"sum": "recursive decomposition", "words": "single step"}[kind]


# --- Faults -----------------------------------------------------------------------------------------------------------


async def test_a_tool_that_never_returns_is_a_result_that_the_model_reads() -> None:
    @tool
    async def sleep(city: str) -> str:
        """Sleep."""
        await asyncio.Event().wait()
        return ""

    script = Script(acts(("sleep", {"city": "Oslo"})), "It never came.")
    run = await ToolLoop(script.model, [dataclasses.replace(sleep, timeout=0.01)]).run("Sleep.")
    assert (run.stopped, run.answer) == ("done", "It never came.")
    assert "took longer" in script.said[1]


async def test_the_last_run_stays_with_its_agent_and_each_agent_has_its_own() -> None:
    one, other = SingleStep(Script("Yes.").model), SingleStep(Script("No.").model)
    assert one.last is None
    first = await one.run("One?")
    assert one.last is first
    assert await one.run("Two?") is one.last is not first
    assert other.last is None


class Broken(Agent):
    """An agent with a bug of its own."""

    async def work(self, run: Run) -> None:
        run.answer = {}["nothing"]


async def test_a_bug_in_an_agent_of_ones_own_is_shown_with_its_place() -> None:
    agent = Broken(Script("").model)
    with Trace() as trace, pytest.raises(KeyError, match="nothing"):
        await agent.run("Work.")
    assert agent.last is not None
    assert (agent.last.stopped, agent.last.why, agent.last.trace) == ("error", "KeyError: 'nothing'", trace)
    assert (trace.steps[0].status, trace.steps[0].error) == ("error", "'nothing'")
    assert tracing.current() is trace or tracing.current() is None


# --- Random replies ---------------------------------------------------------------------------------------------------

quietly = settings(deadline=None, derandomize=True, max_examples=40)
texts = st.text(max_size=30) | st.text(st.characters(), max_size=5)
data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["look", "nothing", ""]) | texts
steps = st.fixed_dictionaries({"tool": names, "task": texts, "needs": st.lists(st.integers(-1, 3), max_size=3)})
items = st.lists(st.integers() | texts, max_size=5)
shaped = st.one_of(
    st.fixed_dictionaries({"steps": st.lists(steps, max_size=4)}),
    st.fixed_dictionaries({"left": items, "right": items}),
    st.fixed_dictionaries({"tasks": st.lists(texts, max_size=7)}),
    st.fixed_dictionaries({"meets": st.booleans(), "score": st.integers(-1, 11), "advice": texts}),
).map(json.dumps)
arguments = st.fixed_dictionaries({"city": texts}).map(json.dumps) | data.map(json.dumps) | texts
calls = st.lists(st.tuples(names, arguments), min_size=1, max_size=3).map(lambda some: acts(*some))
odd = data.map(lambda content: {"choices": [{"message": {"content": content}}]}) | data
odd_calls = data.map(lambda call: {"choices": [{"message": {"tool_calls": [call, {"function": call}]}}]})
named = data.map(
    lambda x: {"choices": [{"message": {"tool_calls": [{"id": x, "function": {"name": x, "arguments": x}}]}}]}
)
replies = texts | data.map(json.dumps) | shaped | calls | odd | odd_calls | named | st.sampled_from([400, 500])


@every_agent
@quietly
@given(
    st.lists(replies.filter(lambda answer: not isinstance(answer, int) or answer in (400, 500)), min_size=1, max_size=8)
)
async def test_whatever_the_model_replies_a_run_keeps_to_its_budget_and_ends(name: str, answers: list[Any]) -> None:
    agent, script = made(name, *[reply if isinstance(reply, str | int | dict) else {"x": reply} for reply in answers])
    agent.budget = Budget(steps=8, tokens=6 * TOKENS, depth=6)
    run = await agent.run("1, 2, 3, 4")
    assert run.stopped in ENDS
    assert run.why or run.ok
    assert not run.why or not run.ok or " criteria." in run.why  # done, and told that the best draft lacks something
    assert run.spent.model_calls + run.spent.tool_calls <= 8
    assert len(script.asked) == len(run.trace.of("model"))
    assert "running" not in {step.status for step in run.trace}
    assert bundle(run)["text/plain"]


@every_agent
@quietly
@given(texts)
@example("{results}{task}{goal}")
@example("half \ud83d an emoji")
@example("\x00")
async def test_whatever_the_task_is_the_run_ends(name: str, task: str) -> None:
    agent, _ = made(name)
    assert (await agent.run(task)).stopped in ENDS
