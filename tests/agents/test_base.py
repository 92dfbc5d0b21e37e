"""What all agents share: every way to end, budgets inside budgets, composition, faults."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scripted import AGENTS, TOKENS, Script, acts, look, looking

from llmlab import Budget, Trace, wait
from llmlab import trace as tracing
from llmlab.agents import Agent, Run, SingleStep, ToolLoop
from llmlab.show.formatters import bundle

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]
every_agent = pytest.mark.parametrize("name", AGENTS)
ENDS = {"done", "steps", "tokens", "seconds", "money", "depth", "repetition", "error"}


def made(name: str, *answers: Any) -> tuple[Agent, Script]:
    build, usual = AGENTS[name]
    script = Script(*(answers or usual))
    return build(script.model), script


@every_agent
async def test_an_agent_takes_a_task_and_returns_a_run(name: str) -> None:
    agent, script = made(name)
    run = await agent.run("1, 2, 3")
    assert (run.agent, run.task, run.stopped, run.ok, run.why) == (name, "1, 2, 3", "done", True, "")
    assert str(run) == run.answer != ""
    assert run.spent.model_calls == len(script.asked) == len(run.trace.of("model"))
    assert run.spent.tokens == TOKENS * len(script.asked)
    assert (run.trace.steps[0].name, run.trace.steps[0].get("task")) == (name, "1, 2, 3")
    assert {step.status for step in run.trace} == {"ok"}
    assert tracing.current() is None
    assert agent.last is run


async def test_a_prompt_of_ones_own_replaces_that_of_the_class_and_braces_in_a_task_are_text() -> None:
    agent = SingleStep(Script("").model, prompts={"task": "{task} {more} {unknown}"})
    assert agent.prompt("task", task="{more} {task}", more="2") == "{more} {task} 2 {unknown}"
    assert SingleStep.prompts == {"task": "{task}"}


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
    assert (run.stopped, run.ok) == (limit, False)
    assert run.why.endswith(".")
    assert "\n" not in run.why
    assert run.answer == ("Best 3." if limit == "repetition" else "Best 2.")
    assert len(run.trace.of("model")) == len(script.asked) == (3 if limit in ("repetition", "error") else 2)


async def test_a_model_that_goes_round_in_a_circle_is_stopped_in_a_short_sentence() -> None:
    circle = [acts(("look", {"city": city * 500})) for city in "ABABAB"]
    run = await ToolLoop(Script(*circle).model, [look]).run("Look.")
    assert (run.stopped, len(run.trace.of("tool"))) == ("repetition", 4)
    assert 'look({"city": "AAA' in run.why
    assert len(run.why) < 300


@pytest.mark.parametrize("task", ["", " \n", None, 7])
async def test_what_is_no_task_is_an_error_before_any_call(task: Any) -> None:
    agent, script = made("tool loop")
    run = await agent.run(task)
    assert (run.stopped, run.answer, script.asked, len(run.trace)) == ("error", None, [], 0)
    assert "a task in words" in run.why
    assert "(no answer)" in bundle(run)["text/plain"]


async def test_a_budget_in_money_without_prices_is_refused() -> None:
    run = await SingleStep(Script("Hi.").model, budget=Budget(money=1)).run("Say it.")
    assert run.stopped == "error"
    assert "LLMLAB_PRICE_IN" in run.why


@pytest.mark.parametrize("name", ["tool loop", "self-consistency", "recursive decomposition", "team"])
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
    assert "running" not in {step.status for step in trace}
    assert agent.last is not None
    assert agent.last.stopped == trace.steps[0].status == trace.of("model")[-1].status == "interrupted"
    assert agent.last.calls().of("model") == trace.of("model")


# Agents in agents


def asking(agent: Agent) -> Any:
    async def ask_expert(question: str) -> str:
        """Ask an expert."""
        return str(await agent.run(question))

    return ask_expert


async def test_an_agent_that_is_a_tool_of_another_works_inside_its_trace() -> None:
    inner = Script("Rain.")
    outer = Script(acts(("ask_expert", {"question": "Oslo?"})), "It rains in Oslo.")
    run = await ToolLoop(outer.model, [asking(SingleStep(inner.model))]).run("Weather?")
    assert (run.answer, inner.said, outer.said[1]) == ("It rains in Oslo.", ["Oslo?"], "Rain.")
    names = [(step.name, step.parent) for step in run.trace]
    assert names == [("tool loop", None), ("chat", 1), ("ask_expert", 1), ("single step", 3), ("chat", 4), ("chat", 1)]
    assert run.spent.model_calls == 3


async def test_the_budget_of_the_outer_agent_holds_for_the_inner_one_too() -> None:
    inner, outer = Script(looking(1)), Script(acts(("ask_expert", {"question": "Oslo?"})))
    run = await ToolLoop(outer.model, [asking(ToolLoop(inner.model, [look]))], budget=Budget(steps=6)).run("Weather?")
    assert run.stopped == "steps"
    assert len(run.trace.of("model")) + len(run.trace.of("tool")) == 6


async def test_agents_that_call_each_other_without_end_are_stopped_by_their_depth() -> None:
    script = Script(acts(("ask_expert", {"question": "And you?"}), text="Passing it on."))
    agent = ToolLoop(script.model, budget=Budget(depth=4, steps=100))
    agent.tools = ToolLoop(script.model, [asking(agent)]).tools
    run = await agent.run("Who knows?")
    depths: dict[int | None, int] = {None: 0}
    for step in run.trace:
        depths[step.id] = depths[step.parent] + (step.kind == "span")
    assert max(depths.values()) == 4
    assert run.stopped == "repetition"  # each of the four asks again until it may not


async def test_runs_side_by_side_in_one_trace_have_budgets_and_parts_of_their_own() -> None:
    both = asyncio.Barrier(2)

    async def wait(body: Any) -> Any:
        await both.wait()
        return acts(("look", {"city": body["messages"][0]["content"]}))

    agent = ToolLoop(Script(wait).model, [look], budget=Budget(steps=3))
    with Trace("mine") as mine:
        runs = await asyncio.gather(agent.run("Oslo"), agent.run("Rome"))
    assert [(run.stopped, run.trace, run.spent.model_calls) for run in runs] == [("steps", mine, 2)] * 2
    assert [run.calls().steps[0].get("task") for run in runs] == ["Oslo", "Rome"]
    assert [len(run.calls()) for run in runs] == [4, 4]


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


# Random replies and tasks

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
odd = data.map(lambda x: {"choices": [{"message": {"content": x}}]}) | data.map(lambda x: {"x": x})
odd_calls = data.map(
    lambda x: {"choices": [{"message": {"tool_calls": [x, {"id": x, "function": {"name": x, "arguments": x}}]}}]}
)
replies = texts | data.map(json.dumps) | shaped | calls | odd | odd_calls | st.sampled_from([400, 500])


@every_agent
@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(replies, min_size=1, max_size=8), texts)
@example(["Yes."], "{results}{task}{goal} half \ud83d an emoji \x00")
@example(["Yes."], "[" * 100_000)
@example(["Yes."], "1," * 50_000)
async def test_whatever_the_task_and_the_replies_are_a_run_keeps_to_its_budget_and_ends(
    name: str, answers: list[Any], task: str
) -> None:
    agent, script = made(name, *answers)
    agent.budget = Budget(steps=8, tokens=6 * TOKENS, depth=6)
    run = await agent.run(task)
    assert run.stopped in ENDS
    assert run.why or run.ok
    assert len(run.why) < 1000
    assert run.spent.model_calls + run.spent.tool_calls <= 8
    assert len(script.asked) == len(run.trace.of("model"))
    assert "running" not in {step.status for step in run.trace}
    assert len(bundle(run)["text/plain"]) < 10_000


class Line:
    """The line in the cell, as a list of what stood there; None once it was cleared."""

    def __init__(self) -> None:
        self.said: list[str | None] = []

    def say(self, text: str) -> None:
        if self.said[-1:] != [text]:
            self.said.append(text)

    def clear(self) -> None:
        self.said.append(None)


@pytest.mark.parametrize("quiet", [False, True])
async def test_a_line_says_what_a_run_does_now_and_is_gone_at_its_end(
    quiet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[Line] = []
    monkeypatch.setattr(wait, "TICK", 0.005)
    monkeypatch.setattr(wait, "watched", lambda: lines.append(Line()) or lines[-1])

    async def inner(city: str) -> str:
        """Ask somebody else."""
        await asyncio.sleep(0.1)
        return str(await SingleStep(slow.model, name="helper").run(city))

    async def later(answer: Any) -> Any:
        await asyncio.sleep(0.1)
        return answer

    slow = Script(lambda body: later("It snows."))
    script = Script(lambda body: later(acts(("inner", {"city": "Oslo"}))), lambda body: later("Snow."))
    script.model.quiet = slow.model.quiet = quiet
    run = await ToolLoop(script.model, [inner]).run("How is it there?")
    assert (run.answer, len(lines)) == ("Snow.", 0 if quiet else 1), "a run inside another one has no line of its own"
    for line in lines:
        assert line.said == [
            "call 1 · chat",
            'call 2 · inner({"city": "Oslo"})',
            "call 3 · chat",
            "call 4 · chat",
            None,
        ]


async def test_a_line_is_gone_also_when_a_run_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    monkeypatch.setattr(wait, "TICK", 0.005)
    monkeypatch.setattr(wait, "watched", lambda: line)
    task = asyncio.create_task(SingleStep(Script(lambda body: asyncio.sleep(60)).model).run("wait"))
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert line.said == ["call 1 · chat", None]
