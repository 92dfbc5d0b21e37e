"""The exercises of chapter 07: stubs as they stand in the notebook, one solution each, and checks on what the code did.

The checks of 07.2 and 07.3 put a scripted model in the place of the reader's, so that they take no time and cost nothing.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import httpx2
import openai

from llmlab import Model, ToolError, Trace, settings
from llmlab.agents import PlanAndAct, Run
from llmlab.lesson import Check, Exercise
from llmlab.tools import tool

TASK = "Water the plants in four rooms."
PLAN = {"steps": [{"tool": "water", "task": f"Water room {n}", "needs": []} for n in (1, 2, 3, 4)]}


@tool
def water(room: int) -> str:
    """Water the plants of a room."""
    return f"room {room} is watered"


@tool
def telephone(name: str) -> str:
    """Call somebody."""
    raise ToolError("the line is busy")


def _answer(request: httpx2.Request) -> httpx2.Response:
    """What the scripted model says: its plan, or the tool call that a step asks for, or the end."""
    body = json.loads(request.content)
    asked = body["messages"][-1]["content"]
    message: dict[str, Any] = {"role": "assistant", "content": "All rooms are watered."}
    if "response_format" in body:
        message["content"] = json.dumps(PLAN)
    elif "tools" in body:
        called = {"name": "water", "arguments": json.dumps({"room": int(asked[-1])})}
        message = {**message, "content": "", "tool_calls": [{"id": "call_1", "type": "function", "function": called}]}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return httpx2.Response(200, json={"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 5}})


def _scripted() -> Model:
    http = openai.DefaultAsyncHttpx2Client(transport=httpx2.MockTransport(_answer))
    client = openai.AsyncOpenAI(base_url="http://scripted.invalid/v1", api_key="none", http_client=http)
    can = frozenset({"tools", "json_schema"})
    return Model(client, "scripted", "endpoint", settings.load(), capabilities=can, quiet=True)


async def _trouble(work: Any, model: Any) -> list[Check]:
    with Trace("without trouble") as calm:
        await water.call({"room": 1})
    with Trace("with trouble") as trace:
        await water.call({"room": 1})
        await water.call({"room": "the kitchen"})
        await telephone.call({"name": "Ciara"})
        await telephone.call({"name": "Kamil"})
    nothing, found = work(calm), work(trace)
    if not isinstance(found, dict):
        return [(False, f"the names and their counts are wanted as a dictionary, and you returned {found!r}")]
    return [
        (nothing == {}, f"where no tool has failed, there is nothing to return, and you returned {nothing!r}"),
        (found.get("telephone") == 2, f"telephone failed twice, and you returned {found}"),
        (found.get("water") == 1, f"water failed once of two times, for the room has to be a number: {found}"),
        (set(found) <= {"telephone", "water"}, f"only tools are wanted, by their names: {found}"),
    ]


async def _in_portions(work: Any, model: Any) -> list[Check]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        runs = await work(PlanAndAct(_scripted(), [water]), TASK, Path(folder) / "rooms.jsonl")
    if not isinstance(runs, list) or not all(isinstance(run, Run) for run in runs) or not runs:
        return [(False, f"the list of all runs is wanted, and you returned {type(runs).__name__}")]
    calls = [step for run in runs for step in run.trace.of("model")]
    paid, needed = len([step for step in calls if not step.resumed]), len({step.key for step in calls})
    first = runs[0].trace.of("model") + runs[0].trace.of("tool")
    return [
        (
            runs[0].stopped == "steps" and len(first) == 4,
            f"the first run has to be stopped by its budget of four steps; it made {len(first)}, and is {runs[0].stopped}",
        ),
        (runs[-1].ok, f"the last run has to be done, and it is {runs[-1].stopped}"),
        (all(not run.ok for run in runs[:-1]), "when a run is done, no further one is needed"),
        (
            paid == needed and all(step.key for step in calls),
            f"no call may be paid twice, and {paid} were paid; each run has to be saved in the same file",
        ),
    ]


async def _approved(work: Any, model: Any) -> list[Check]:
    shown: list[Any] = []

    def agree(steps: Any) -> bool:
        shown.append(steps)
        return True

    yes = await work(_scripted(), [water], agree).run(TASK)
    no = await work(_scripted(), [water], lambda steps: False).run(TASK)
    happened = [step.name for step in yes.trace if step.name in ("approved", "water")]
    events = [step.name for step in no.trace.of("event")]
    asked = bool(shown) and isinstance(shown[0], list) and len(shown[0]) == 4
    refused = "with a plan that is refused, the run has to stop with a LabError"
    return [
        (asked, "`approve` has to be asked, with the list of four steps"),
        (yes.ok, f"with a plan that is approved, the run has to be done, and it is {yes.stopped}"),
        (happened[:1] == ["approved"], "the event `approved` has to stand in the trace before the first tool call"),
        ("approved" not in events, "a plan that is refused is not `approved` in the trace"),
        (no.stopped == "error", f"{refused}, and it is {no.stopped}"),
        (not no.trace.of("tool"), "no tool may be called when the plan is refused"),
    ]


EXERCISES = [
    Exercise(
        id="07.1",
        task="Return the names of the tools that failed in a trace, with how often each did.",
        stub="""\
def trouble(trace):
    return {}
""",
        solution="""\
def trouble(trace):
    failed = [step.name for step in trace.of("tool") if step.status == "error"]
    return {name: failed.count(name) for name in failed}
""",
        hints=(
            'trace.of("tool") gives the tool steps; each has a `name` and a `status`.',
            'The status of a step that went well is "ok", else it is "error".',
        ),
        check=_trouble,
    ),
    Exercise(
        id="07.2",
        task="Run an agent in portions of four steps until it is done, and return the list of runs.",
        stub="""\
async def in_portions(agent, task, file):
    agent.budget = Budget(steps=4)
    return [await agent.run(task, save=file)]
""",
        solution="""\
async def in_portions(agent, task, file):
    runs = []
    while not runs or runs[-1].stopped == "steps":
        agent.budget = Budget(steps=4 * (len(runs) + 1))
        runs.append(await agent.run(task, save=file))
    return runs
""",
        hints=(
            'A run that was ended by its budget of steps has stopped == "steps".',
            "The second run needs Budget(steps=8), the third Budget(steps=12): what comes from the file counts too.",
        ),
        check=_in_portions,
    ),
    Exercise(
        id="07.3",
        task="Write an agent that shows its plan to somebody before it acts, and stops when the plan is refused.",
        stub="""\
class Approved(PlanAndAct):
    def __init__(self, model, tools, approve, **options):
        super().__init__(model, tools, **options)
        self.approve = approve

    async def plan(self, run, ask):
        return await super().plan(run, ask)
""",
        solution="""\
class Approved(PlanAndAct):
    def __init__(self, model, tools, approve, **options):
        super().__init__(model, tools, **options)
        self.approve = approve

    async def plan(self, run, ask):
        steps = await super().plan(run, ask)
        if not self.approve(steps):
            raise LabError("The plan was refused; reword the task.")
        run.trace.event("approved", steps=len(steps))
        return steps
""",
        hints=(
            "`await super().plan(run, ask)` gives the list of steps; ask `self.approve` about it before you return it.",
            'run.trace.event("approved") adds an event; raise LabError("…") ends the run with stopped == "error".',
        ),
        check=_approved,
    ),
]
