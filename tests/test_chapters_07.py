"""The exercises of chapter 07: right work written in other ways passes, wrong work is told what is wrong with it."""

import textwrap
from importlib import import_module
from typing import Any

import pytest

import llmlab
from llmlab import agents, lesson

pytestmark = pytest.mark.anyio
ch07 = import_module("chapters.ch07")


async def said(name: str, code: str) -> str:
    """What the check says of this code."""
    names: dict[str, Any] = {**vars(llmlab), **vars(agents)}
    before = set(names)
    exec(textwrap.dedent(code), names)
    work = next(names[name] for name in ("trouble", "in_portions", "Approved") if name in names and name not in before)
    return str((await lesson.check(name, work))._repr_mimebundle_()["text/plain"])


TROUBLE = "def trouble(trace):\n    "
PORTIONS = "async def in_portions(agent, task, file):\n    "
APPROVED = """
class Approved(PlanAndAct):
    def __init__(self, model, tools, approve, **options):
        super().__init__(model, tools, **options)
        self.approve = approve

"""
PLAN = APPROVED + "    async def plan(self, run, ask):\n        steps = await super().plan(run, ask)\n        "
RIGHT = [
    (
        "07.1",
        TROUBLE
        + "from collections import Counter\n    return Counter(s.name for s in trace.of('tool') if s.status != 'ok')",
    ),
    (
        "07.1",
        """
        def trouble(trace):
            counts = {}
            for step in trace:
                if step.kind == "tool" and step.status == "error":
                    counts[step.name] = counts.get(step.name, 0) + 1
            return counts
        """,
    ),
    (
        "07.1",
        TROUBLE
        + "bad = [s.name for s in trace.of('tool') if s.status == 'error']\n    return {n: bad.count(n) for n in set(bad)}",
    ),
    (
        "07.2",
        """
        async def in_portions(agent, task, file):
            runs, steps = [], 4
            while True:
                agent.budget = Budget(steps=steps)
                runs.append(await agent.run(task, save=file))
                if runs[-1].stopped != "steps":
                    return runs
                steps += 4
        """,
    ),
    (
        "07.2",
        """
        async def in_portions(agent, task, file, steps=4):
            agent.budget = Budget(steps=steps)
            run = await agent.run(task, save=file)
            return [run] if run.ok else [run, *await in_portions(agent, task, file, steps + 4)]
        """,
    ),
    (
        "07.2",
        """
        async def in_portions(agent, task, file):
            runs = []
            for n in range(1, 20):
                agent.budget = Budget(steps=4 * n)
                runs += [await agent.run(task, save=str(file))]
                if runs[-1].ok:
                    break
            return runs
        """,
    ),
    (
        "07.3",
        PLAN
        + "if not self.approve(steps):\n            raise LabError('no')\n        run.trace.event('approved')\n        return steps",
    ),
    (
        "07.3",
        PLAN
        + "if self.approve([step.task for step in steps]):\n            run.trace.event('approved')\n            return steps\n        raise LabError('no')",
    ),
    (
        "07.3",
        APPROVED
        + """
    async def work(self, run):
        self.running = run
        await super().work(run)

    async def plan(self, run, ask):
        return self.shown(await super().plan(run, ask))

    def shown(self, steps):
        if self.approve(steps) is not True:
            raise LabError("Refused.")
        self.running.trace.event("approved", steps=len(steps))
        return steps
""",
    ),
]
WRONG = [
    ("07.1", TROUBLE + "return {}", "telephone failed twice"),
    ("07.1", TROUBLE + "return [s.name for s in trace.of('tool') if s.status == 'error']", "as a dictionary"),
    ("07.1", TROUBLE + "return {s.name: 1 for s in trace.of('tool') if s.status == 'error'}", "telephone failed twice"),
    (
        "07.1",
        TROUBLE + "n = [s.name for s in trace.of('tool')]\n    return {x: n.count(x) for x in n}",
        "nothing to return",
    ),
    (
        "07.1",
        TROUBLE
        + "n = [s.name for s in trace.of('tool') if s.status == 'error']\n    return {x: n.count(x) for x in ('water', 'telephone')}",
        "nothing to return",
    ),
    (
        "07.1",
        TROUBLE
        + "n = [str(s.result) for s in trace.of('tool') if s.status == 'error']\n    return {x: n.count(x) for x in n}",
        "by their names",
    ),
    (
        "07.2",
        PORTIONS + "agent.budget = Budget(steps=4)\n    return [await agent.run(task, save=file)]",
        "the last run has to be done",
    ),
    (
        "07.2",
        PORTIONS + "agent.budget = Budget(steps=100)\n    return [await agent.run(task, save=file)]",
        "budget of four steps",
    ),
    (
        "07.2",
        PORTIONS
        + "runs = []\n    while not runs or not runs[-1].ok:\n        agent.budget = Budget(steps=4 * len(runs) + 4)\n        runs.append(await agent.run(task))\n    return runs",
        "paid twice",
    ),
    (
        "07.2",
        PORTIONS
        + "runs = []\n    for n in range(1, 9):\n        agent.budget = Budget(steps=4 * n)\n        runs.append(await agent.run(task, save=file))\n    return runs",
        "no further one is needed",
    ),
    (
        "07.2",
        PORTIONS
        + "runs = []\n    for n in range(3):\n        agent.budget = Budget(steps=4)\n        runs.append(await agent.run(task, save=file))\n    return runs",
        "the last run has to be done",
    ),
    ("07.2", PORTIONS + "return await agent.run(task, save=file)", "list of all runs"),
    ("07.3", PLAN + "return steps", "has to be asked"),
    (
        "07.3",
        PLAN + "self.approve(steps)\n        run.trace.event('approved')\n        return steps",
        "has to stop with a LabError",
    ),
    (
        "07.3",
        PLAN
        + "run.trace.event('approved')\n        if not self.approve(steps):\n            raise LabError('no')\n        return steps",
        "is not `approved`",
    ),
    (
        "07.3",
        PLAN + "if not self.approve(steps):\n            raise LabError('no')\n        return steps",
        "before the first tool call",
    ),
    (
        "07.3",
        PLAN
        + "if not self.approve(str(steps)):\n            raise LabError('no')\n        run.trace.event('approved')\n        return steps",
        "with the list of four",
    ),
    (
        "07.3",
        PLAN
        + "if not self.approve(steps):\n            raise ValueError('no')\n        run.trace.event('approved')\n        return steps",
        "ValueError: no",
    ),
    (
        "07.3",
        APPROVED
        + "    async def answer(self, run, said):\n        if not self.approve(run.notes['plans'][0]):\n            raise LabError('no')\n"
        "        run.trace.event('approved')\n        return said",
        "no tool may be called",
    ),
]


@pytest.mark.parametrize(("name", "code"), RIGHT)
async def test_right_work_passes_however_it_is_written(name: str, code: str) -> None:
    text = await said(name, code)
    assert text.endswith(f"Exercise {name}: passed"), text


@pytest.mark.parametrize(("name", "code", "told"), WRONG)
async def test_wrong_work_is_told_what_is_wrong(name: str, code: str, told: str) -> None:
    text = await said(name, code)
    wrong = [line for line in text.splitlines() if line.startswith("✗")]
    assert f"Exercise {name}: not yet" in text
    assert any(told in line for line in wrong), text
