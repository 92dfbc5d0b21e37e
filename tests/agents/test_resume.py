"""A saved run goes on from where it broke off, and pays only the rest. What a file may hold: tests/test_trace.py."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from scripted import AGENTS, Script, acts, look, whole

from llmlab import trace as tracing
from llmlab.agents import Agent, Run, SelfConsistency, SingleStep, ToolLoop

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]
TASK = "1, 2, 3"
OSLO = acts(("look", {"city": "Oslo"}))


async def never(body: Any) -> str:
    await asyncio.Event().wait()
    return ""


async def break_off(agent: Agent, path: Path, calls: int, kind: str = "model") -> None:
    """Run an agent until so many calls are finished, and leave the file as a killed kernel leaves it."""

    def kept() -> int:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return sum(json.loads(line).get("kind") == kind for line in lines if line)

    running = asyncio.create_task(agent.run(TASK, save=path))
    while not path.exists() or kept() < calls:
        assert not running.done(), running.result()
        await asyncio.sleep(0)
    left = path.read_bytes()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    path.write_bytes(left)


@pytest.mark.parametrize("name", AGENTS)
async def test_a_run_that_broke_off_after_any_call_goes_on_and_pays_only_the_rest(name: str, tmp_path: Path) -> None:
    build, _ = AGENTS[name]
    expected, answers = await whole(name, TASK)
    for n in range(len(answers) + 1):
        path = tmp_path / f"{n}.jsonl"
        await break_off(build(Script(*answers[:n], never).model), path, n)
        script = Script(*answers[n:], "never")
        run = await build(script.model).run(TASK, save=path)
        assert (run.stopped, run.answer, str(run.notes)) == ("done", expected.answer, str(expected.notes))
        assert len(script.asked) == len(answers) - n
        assert run.spent.tokens == expected.spent.tokens, "what was paid before counts for the budget"
        assert [bool(step.resumed) for step in run.trace.of("model")].count(True) == n


async def test_calls_side_by_side_are_kept_each_for_itself(tmp_path: Path) -> None:
    def answer(body: Any) -> Any:
        return f"Answer: {body['seed']}" if body["seed"] % 2 else never

    path = tmp_path / "run.jsonl"
    await break_off(SelfConsistency(Script(answer).model, samples=5), path, 2)
    script = Script("Answer: 8")
    run = await SelfConsistency(script.model, samples=5).run(TASK, save=path)
    assert (sorted(body["seed"] for body in script.asked), run.notes["votes"]) == ([0, 2, 4], {"8": 3, "1": 1, "3": 1})


async def test_calls_side_by_side_take_no_longer_when_they_are_kept(tmp_path: Path) -> None:
    """A clock that counted them one after the other would end a resumed run by its budget of seconds."""
    all_asked, all_called = asyncio.Barrier(3), asyncio.Barrier(3)

    async def answer(body: Any) -> str:
        await all_asked.wait()
        tracing.current().advance_to(100)
        return "Answer: 5"

    async def wait(city: str) -> str:
        """Wait."""
        await all_called.wait()
        tracing.current().advance_to(200)
        return city

    calls = acts(*[("wait", {"city": city}) for city in "abc"])
    for first, again in (
        (SelfConsistency(Script(answer).model, samples=3), SelfConsistency(Script("never").model, samples=3)),
        (ToolLoop(Script(calls, "Done.").model, [wait]), ToolLoop(Script("never").model, [wait])),
    ):
        path = tmp_path / f"{first.name}.jsonl"
        before, after = await first.run(TASK, save=path), await again.run(TASK, save=path)
        assert after.ok
        assert before.spent.seconds - 1 < after.spent.seconds < before.spent.seconds + 60


class Dice(Agent):
    """Asks the same thing again and again, above temperature 0."""

    async def work(self, run: Run) -> None:
        replies = [await self.model.chat(run.task, temperature=0.9) for _ in range(4)]
        run.answer = [reply.text for reply in replies]
        run.notes["seeds"] = [reply.seed for reply in replies]


async def test_calls_with_drawn_seeds_are_kept_in_their_order(tmp_path: Path) -> None:
    before, after = Script("3", "1", "4", never), Script("1")
    await break_off(Dice(before.model), tmp_path / "run.jsonl", 3)
    run = await Dice(after.model).run(TASK, save=tmp_path / "run.jsonl")
    assert (run.answer, len(after.asked)) == (["3", "1", "4", "1"], 1)
    assert run.notes["seeds"] == [body["seed"] for body in (*before.asked[:3], *after.asked)]


async def test_a_finished_tool_call_is_not_made_again(tmp_path: Path) -> None:
    path, sent = tmp_path / "run.jsonl", []

    async def send(to: str) -> str:
        """Send a letter."""
        sent.append(to)
        return f"Sent to {to}."

    script = Script(acts(("send", {"to": "Ann"}), ("send", {"to": "Bob"})), never)
    await break_off(ToolLoop(script.model, [send]), path, 2, "tool")
    run = await ToolLoop(Script("Both are sent.").model, [send]).run(TASK, save=path)
    assert (run.answer, sorted(sent)) == ("Both are sent.", ["Ann", "Bob"])
    assert [step.result for step in run.trace.of("tool")] == ["Sent to Ann.", "Sent to Bob."]


async def test_an_agent_inside_another_goes_on_too(tmp_path: Path) -> None:
    def agent(outer: Script, inner: Script) -> Agent:
        async def ask_expert(question: str) -> str:
            """Ask an expert."""
            return str(await ToolLoop(inner.model, [look]).run(question))

        return ToolLoop(outer.model, [ask_expert])

    path, first = tmp_path / "run.jsonl", Script(acts(("ask_expert", {"question": "Oslo?"})))
    await break_off(agent(first, Script(OSLO, never)), path, 2)
    outer, inner = Script("It rains in Oslo."), Script("Rain.")
    run = await agent(outer, inner).run(TASK, save=path)
    assert (run.answer, len(outer.asked), len(inner.asked)) == ("It rains in Oslo.", 1, 1)


async def test_the_file_of_another_task_and_a_place_that_cannot_be_written_are_errors_before_any_call(
    tmp_path: Path,
) -> None:
    path, script = tmp_path / "run.jsonl", Script("never")
    await SingleStep(Script("Answer.").model).run(TASK, save=path)
    before = path.read_bytes()
    for agent, task, file in (
        (SingleStep(script.model), "Another.", path),
        (ToolLoop(script.model), TASK, path),
        (SingleStep(script.model), TASK, tmp_path),
        (SingleStep(script.model), TASK, tmp_path / "no" / "run.jsonl"),
    ):
        run = await agent.run(task, save=file)
        assert (run.stopped, run.answer, len(run.trace)) == ("error", None, 0)
        assert run.why.endswith(".")
    assert (script.asked, path.read_bytes()) == ([], before)


async def test_a_second_run_may_not_write_to_the_file_of_one_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    first = asyncio.create_task(SingleStep(Script(never).model).run(TASK, save=path))
    await asyncio.sleep(0.05)
    second = await SingleStep(Script("Yes.").model).run(TASK, save=path)
    assert second.stopped == "error"
    assert "another run is writing to run.jsonl" in second.why
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert (await SingleStep(Script("Yes.").model).run(TASK, save=path)).answer == "Yes."
