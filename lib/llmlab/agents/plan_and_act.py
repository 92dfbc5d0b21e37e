"""First a plan in a checked shape, then its steps; what fails is tried again, then planned again (arXiv:2305.04091)."""

import json
from typing import Any

from pydantic import BaseModel

from llmlab.agents.base import Agent, Run
from llmlab.errors import LabError

TRIES, PLANS = 2, 3  # of a step before the rest is planned again; plans in a run


class Step(BaseModel):
    """One step of a plan: a tool, what it has to do, and the earlier steps (from 1) whose results it needs."""

    tool: str
    task: str
    needs: list[int] = []


class PlanAndAct(Agent):
    """Plans with the names of the tools, then lets the model call them one by one."""

    name = "plan and act"
    longest = 10  # steps in a plan
    prompts = {
        "plan": 'Goal: {task}\nTools:\n{tools}\nWrite a plan as JSON: {"steps": [{"tool": "...", "task": "...", "needs": [...]}]}. '
        "Each step calls one tool once, for one thing. Its task is a sentence that names this thing. "
        "Its needs are the numbers of earlier steps whose results it uses: [] for none, [1, 2] for the first two.",
        "act": "{results}{task}",
        "replan": "{ask}\nThe plan was: {plan}\nDone: {done}.\nStep {number} ({tool}) failed: {error}. "
        "Plan the rest, without what is done, as JSON.",
        "answer": "{results}\n{task}",
        "plan again": "{ask}\nThis plan is wrong, {wrong}: {plan}",
        "act again": "{ask}\n({error})\nCall {tool} again.",
    }

    async def work(self, run: Run) -> None:
        """Plan, act, mend, answer."""
        if not self.tools:
            raise LabError(f"A plan needs tools for its steps, but {self.name} has none; give it some.")
        offered = "\n".join(f"- {tool.name}: {tool.description}" for tool in self.tools)
        results: dict[int, str] = run.notes.setdefault("results", {})
        plan, number = await self.plan(run, ask := self.prompt("plan", task=run.task, tools=offered)), 1
        while number <= len(plan):
            step = plan[number - 1]
            if (error := await self.act(run, step, number)) is None:
                run.answer, number = results[number], number + 1
                continue
            if len(run.notes["plans"]) >= PLANS:
                raise LabError(f"A run may plan {PLANS} times, but step {number} ({step.tool}) failed again: {error}")
            done = "; ".join(f"{plan[n - 1].task}: {text}" for n, text in results.items() if n < number) or "nothing"
            was = json.dumps({"steps": [each.model_dump() for each in plan]})
            failed = {"plan": was, "done": done, "number": number, "tool": step.tool, "error": error}
            rest = await self.plan(run, self.prompt("replan", ask=ask, **failed))
            plan[number - 1 :] = behind(plan[: number - 1], step, rest)
        run.answer = await self.answer(run, "\n".join(f"{step.task}: {results[i]}" for i, step in enumerate(plan, 1)))

    async def answer(self, run: Run, said: str) -> str:
        """The answer to the task, from what the steps gave."""
        return (await self.model.chat(self.prompt("answer", task=run.task, results=said))).text

    async def plan(self, run: Run, ask: str) -> list[Step]:
        """A plan that keeps to the tools and looks only back; asked for twice, then given up."""
        names = [tool.name for tool in self.tools]
        for _ in range(TRIES):
            reply = await self.model.chat(ask, schema=plan_schema(names, self.longest))
            steps, wrong = read_plan(reply.text, names)
            run.trace.event("plan", steps=[step.model_dump() for step in steps], wrong=wrong)
            if not wrong:
                run.notes.setdefault("plans", []).append([*steps])
                return steps
            ask = self.prompt("plan again", ask=ask, wrong=wrong, plan=reply.text)
        raise LabError(f"The model wrote no plan that can be followed in {TRIES} tries: {wrong}; reword the task.")

    async def act(self, run: Run, step: Step, number: int) -> str | None:
        """Do one step, twice if needed; its result goes into the notes, what went wrong comes back."""
        results, error = run.notes["results"], None
        tool = next(tool for tool in self.tools if tool.name == step.tool)
        known = "".join(f"{results[n]}\n" for n in step.needs if n in results)
        asked = ask = self.prompt("act", task=step.task, results=known)
        with run.trace.span(f"step {number}: {step.tool}", task=step.task):
            for _ in range(TRIES):
                reply = await self.model.chat(asked, tools=[tool])
                call = next((call for call in reply.tool_calls if call.name == tool.name), None)
                result = call and await tool.call(call.arguments, call.id)
                if result and result.ok:
                    results[number] = result.text
                    return None
                error = result.text if result else f"the model did not call {tool.name}"
                asked = self.prompt("act again", ask=ask, error=error, tool=tool.name)
        return error


def behind(finished: list[Step], failed: Step, rest: list[Step]) -> list[Step]:
    """The steps of a new plan that are not finished, numbered on; the first one gets what the failed step needed, too."""
    place = {(step.tool, step.task): number for number, step in enumerate(finished, 1)}
    left, moved = list[Step](), list[int]()
    for step in rest:
        if not (old := place.get((step.tool, step.task))):
            needs = [*([] if left else failed.needs), *(moved[n - 1] for n in step.needs)]
            left.append(Step(tool=step.tool, task=step.task, needs=needs))
        moved.append(old or len(finished) + len(left))
    return left


def plan_schema(tools: list[str], most: int = 6) -> dict[str, Any]:
    """JSON schema of a plan over these tools, of one step or more."""
    numbers = {"type": "array", "items": {"type": "integer"}}
    kinds = {"tool": {"type": "string", "enum": tools}, "task": {"type": "string"}, "needs": numbers}
    step = {"type": "object", "properties": kinds, "required": [*kinds], "additionalProperties": False}
    steps = {"type": "array", "minItems": 1, "maxItems": most, "items": step}
    return {"type": "object", "properties": {"steps": steps}, "required": ["steps"], "additionalProperties": False}


def read_plan(text: str, tools: list[str]) -> tuple[list[Step], str]:
    """The steps of a plan, and what is wrong with it, if anything is."""
    try:
        steps = [Step.model_validate(step) for step in json.loads(text)["steps"]]
    except (ValueError, LookupError, TypeError, RecursionError):
        return [], "it is no JSON object with a list of steps"
    for number, step in enumerate(steps, 1):
        if step.tool not in tools:
            return steps, f"step {number} uses {step.tool!r}, which is no tool here"
        if not all(1 <= n < number for n in step.needs):
            return steps, f"step {number} needs {step.needs}, but may need only earlier steps"
    return steps, "" if steps else "it has no steps"
