"""A saved run goes on from where it broke off, and pays only the rest."""

import asyncio
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from scripted import AGENTS, Script, acts, look, whole

from llmlab import Budget, Trace
from llmlab import trace as tracing
from llmlab.agents import Agent, Run, SelfConsistency, SingleStep, ToolLoop
from llmlab.tools import tool
from sentence import is_one_sentence

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]
every_agent = pytest.mark.parametrize("name", AGENTS)
TASK = "1, 2, 3"


async def never(body: Any) -> str:
    await asyncio.Event().wait()
    return ""


def kept(path: Path, kind: str = "model") -> int:
    """How many finished calls are on the disk."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return sum(json.loads(line).get("kind") == kind for line in lines if line)


async def break_off(agent: Agent, path: Path, calls: int, kind: str = "model") -> None:
    """Run an agent until so many calls are finished, and leave the file as a killed kernel leaves it."""
    running = asyncio.create_task(agent.run(TASK, save=path))
    while not path.exists() or kept(path, kind) < calls:
        assert not running.done(), running.result()
        await asyncio.sleep(0)
    left = path.read_bytes()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    path.write_bytes(left)


@every_agent
async def test_a_run_that_broke_off_after_any_call_goes_on_and_pays_only_the_rest(name: str, tmp_path: Path) -> None:
    build, _ = AGENTS[name]
    expected, answers = await whole(name, TASK)
    for n in range(len(answers)):
        path = tmp_path / f"{n}.jsonl"
        await break_off(build(Script(*answers[:n], never).model), path, n)
        script = Script(*answers[n:])
        run = await build(script.model).run(TASK, save=path)
        assert (run.stopped, run.answer, str(run.notes)) == ("done", expected.answer, str(expected.notes))
        assert len(script.asked) == len(answers) - n
        assert run.spent.tokens == expected.spent.tokens, "what was paid before counts for the budget"
        assert [bool(step.resumed) for step in run.trace.of("model")].count(True) == n


@every_agent
async def test_a_finished_run_is_given_again_without_any_call(name: str, tmp_path: Path) -> None:
    build, _ = AGENTS[name]
    expected, answers = await whole(name, TASK)
    await build(Script(*answers).model).run(TASK, save=tmp_path / "run.jsonl")
    script = Script("never")
    run = await build(script.model).run(TASK, save=tmp_path / "run.jsonl")
    assert (run.stopped, run.answer, script.asked) == ("done", expected.answer, [])


@every_agent
async def test_a_cut_last_line_costs_its_own_call_and_no_other(name: str, tmp_path: Path) -> None:
    build, _ = AGENTS[name]
    expected, answers = await whole(name, TASK)
    path = tmp_path / "run.jsonl"
    await break_off(build(Script(*answers[:-1], never).model), path, len(answers) - 1)
    if len(answers) == 1:  # nothing but the header
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    last = max(i for i, line in enumerate(lines) if json.loads(line).get("kind") == "model")
    path.write_text("\n".join([*lines[:last], lines[last][:-40]]), encoding="utf-8")
    lost = answers[-2] if name != "recursive decomposition" else "3"
    script = Script(lost, answers[-1])
    run = await build(script.model).run(TASK, save=path)
    assert (run.stopped, run.answer, len(script.asked)) == ("done", expected.answer, 2)


async def test_a_run_may_break_off_again_and_again(tmp_path: Path) -> None:
    path, cities = tmp_path / "run.jsonl", ["Oslo", "Rome", "Paris", "Bern"]
    for n, city in enumerate(cities):
        # Each attempt gets one call further, and has only this one to pay.
        script = Script(acts(("look", {"city": city})), never)
        await break_off(ToolLoop(script.model, [look]), path, sum(range(n + 2)))
        assert len(script.asked) <= 2
    script = Script("It rains.")
    run = await ToolLoop(script.model, [look]).run(TASK, save=path)
    assert (run.answer, len(script.asked), run.spent.model_calls) == ("It rains.", 1, 5)
    assert [m["content"] for m in script.asked[0]["messages"] if m["role"] == "tool"] == [
        f"Rain in {city}." for city in cities
    ]


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

    @tool
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

    name = "dice"

    async def work(self, run: Run) -> None:
        replies = [await self.model.chat(run.task, temperature=0.9) for _ in range(4)]
        run.answer = [reply.text for reply in replies]
        run.notes["seeds"] = [reply.seed for reply in replies]


async def test_calls_with_drawn_seeds_are_kept_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    before = Script("3", "1", "4", never)
    await break_off(Dice(before.model), path, 3)
    after = Script("1")
    run = await Dice(after.model).run(TASK, save=path)
    assert (run.answer, len(after.asked)) == (["3", "1", "4", "1"], 1)
    assert run.notes["seeds"] == [body["seed"] for body in (*before.asked[:3], *after.asked)]


async def test_what_is_asked_differently_is_asked_anew(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    await SingleStep(Script("Old.").model).run(TASK, save=path)
    script = Script("New.")
    run = await SingleStep(script.model, prompts={"task": "Please: {task}"}).run(TASK, save=path)
    assert (run.answer, script.said) == ("New.", [f"Please: {TASK}"])


async def test_a_call_that_failed_is_made_again(tmp_path: Path) -> None:
    path, asks = tmp_path / "run.jsonl", acts(("look", {"city": "Oslo"}))
    run = await ToolLoop(Script(asks, 500).model, [look]).run(TASK, save=path)
    assert run.stopped == "error"
    script = Script("It rains.")
    assert (await ToolLoop(script.model, [look]).run(TASK, save=path)).answer == "It rains."
    assert len(script.asked) == 1


async def test_a_run_that_its_budget_stopped_goes_on_with_a_higher_one(tmp_path: Path) -> None:
    path, asks = tmp_path / "run.jsonl", acts(("look", {"city": "Oslo"}))
    low = await ToolLoop(Script(asks).model, [look], budget=Budget(steps=2)).run(TASK, save=path)
    same = await ToolLoop(Script("never").model, [look], budget=Budget(steps=2)).run(TASK, save=path)
    script = Script("It rains.")
    high = await ToolLoop(script.model, [look], budget=Budget(steps=3)).run(TASK, save=path)
    assert (low.stopped, same.stopped, high.stopped, len(script.asked)) == ("steps", "steps", "done", 1)


async def test_a_finished_tool_call_is_not_made_again(tmp_path: Path) -> None:
    path, sent = tmp_path / "run.jsonl", []

    @tool
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
    path = tmp_path / "run.jsonl"

    def agent(outer: Script, inner: Script) -> Agent:
        expert = ToolLoop(inner.model, [look])

        @tool
        async def ask_expert(question: str) -> str:
            """Ask an expert."""
            return str(await expert.run(question))

        return ToolLoop(outer.model, [ask_expert])

    first = Script(acts(("ask_expert", {"question": "Oslo?"})))
    await break_off(agent(first, Script(acts(("look", {"city": "Oslo"})), never)), path, 2)
    outer, inner = Script("It rains in Oslo."), Script("Rain.")
    run = await agent(outer, inner).run(TASK, save=path)
    assert (run.answer, len(outer.asked), len(inner.asked)) == ("It rains in Oslo.", 1, 1)


async def test_each_finished_step_is_on_disk_before_the_next_begins(tmp_path: Path) -> None:
    path, seen = tmp_path / "run.jsonl", []

    def watch(body: Any) -> Any:
        seen.append([json.loads(line).get("name") for line in path.read_text(encoding="utf-8").splitlines()[1:]])
        return acts(("look", {"city": f"City {len(seen)}"})) if len(seen) < 3 else "It rains."

    await ToolLoop(Script(watch).model, [look]).run(TASK, save=path)
    assert seen == [[], ["chat", "look"], ["chat", "look", "chat", "look"]]


async def test_the_file_of_another_task_or_agent_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    await SingleStep(Script("Answer.").model).run("long " * 20_000, save=path)
    before = path.read_bytes()
    script = Script("never")
    for agent, task in ((SingleStep(script.model), "Another."), (ToolLoop(script.model), "long " * 20_000)):
        run = await agent.run(task, save=path)
        assert (run.stopped, run.answer, len(run.trace)) == ("error", None, 0)
        assert is_one_sentence(run.why)
        assert len(run.why) < 400
        assert "holds the run 'single step: long" in run.why
    assert (script.asked, path.read_bytes()) == ([], before)


@pytest.mark.parametrize("content", [b"hello\n", b"\xff\xfe"])
async def test_a_file_that_is_no_saved_run_is_refused_and_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    run = await SingleStep(Script("never").model).run(TASK, save=path)
    assert run.stopped == "error"
    assert "notes.txt is not one" in run.why
    assert path.read_bytes() == content


async def test_a_place_that_cannot_be_written_is_an_error_before_any_call(tmp_path: Path) -> None:
    script = Script("never")
    for path in (tmp_path / "no" / "run.jsonl", tmp_path):
        run = await SingleStep(script.model).run(TASK, save=path)
        assert (run.stopped, script.asked) == ("error", [])
        assert run.why.endswith(".")


@every_agent
@pytest.mark.parametrize("room", [0, 1, 2])
async def test_a_full_disk_ends_a_run_in_a_sentence_and_when_there_is_room_it_goes_on(
    name: str, room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [room]
    sync = os.fsync

    def full(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:  # half of the line found room
            os.truncate(descriptor, os.fstat(descriptor).st_size - 15)
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    build, _ = AGENTS[name]
    expected, answers = await whole(name, TASK)
    path = tmp_path / "run.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        run = await asyncio.wait_for(build(Script(*answers).model).run(TASK, save=path), 60)
    assert run.stopped == "error"
    assert "No space left on device" in run.why
    assert "running" not in {step.status for step in run.trace}
    script = Script(*answers) if not kept(path) else Script(*answers[kept(path) :])
    again = await build(script.model).run(TASK, save=path)
    assert (again.stopped, again.answer) == ("done", expected.answer)
    assert len(Trace.load(path)) == len(again.trace)


async def test_an_interrupt_stays_one_also_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = asyncio.create_task(SingleStep(Script(never).model).run(TASK, save=tmp_path / "run.jsonl"))
    await asyncio.sleep(0.05)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_second_run_may_not_write_to_the_file_of_one_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    first = asyncio.create_task(SingleStep(Script(never).model).run(TASK, save=path))
    await asyncio.sleep(0.05)
    second = await SingleStep(Script("Yes.").model).run(TASK, save=path)
    assert second.stopped == "error"
    assert is_one_sentence(second.why)
    assert "another run is writing to run.jsonl" in second.why
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    third = await SingleStep(Script("Yes.").model).run(TASK, save=path)
    assert third.answer == "Yes."
