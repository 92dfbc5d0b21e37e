"""First a plan in a checked shape, then its steps; a step that fails is tried again, then the rest is planned anew.

After "Plan-and-Solve" (Wang and others, arXiv:2305.04091).
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from llmlab.agents.base import Agent
from llmlab.agents.run import Run
from llmlab.errors import LabError
from llmlab.tools import Tool

TRIES = 2  # of a step, before the rest is planned anew
PLANS = 3  # in a run


class Step(BaseModel):
    """One step of a plan: a tool, what it has to do, and the earlier steps (from 1) whose results it needs."""

    tool: str
    task: str
    needs: list[int] = Field(default_factory=list)


class PlanAndAct(Agent):
    """Plans with the names of the tools, then lets the model call them one by one."""

    name = "plan and act"
    prompts = {
        "plan": 'Goal: {task}\nTools:\n{tools}\nWrite a plan as JSON: {"steps": [{"tool": "...", "task": "...", '
        '"needs": [...]}]}, where needs holds the numbers of earlier steps.',
        "act": "{results}{task}",
        "replan": "Goal: {task}\nTools:\n{tools}\nDone: {done}\nStep {number} ({tool}) failed: {error}\n"
        'Plan the rest as JSON: {"steps": [{"tool": "...", "task": "...", "needs": [...]}]}, where needs holds the '
        "numbers of steps of the new plan.",
        "answer": "{results}\n{task}",
        "plan again": "{ask}\nThis plan is wrong, {wrong}: {plan}",
        "act again": "{ask}\n({error})",
    }

    async def work(self, run: Run) -> None:
        """Plan, act, mend, answer."""
        if not self.tools:
            raise LabError(f"A plan needs tools for its steps, but {self.name} has none; give it some.")
        results: dict[int, str] = run.notes.setdefault("results", {})
        tools = "\n".join(f"- {tool.name}: {tool.description}" for tool in self.tools)
        plan = await self.plan(run, self.prompt("plan", task=run.task, tools=tools))
        number = 1
        while number <= len(plan):
            step = plan[number - 1]
            error = await self.act(run, step, number)
            if error is None:
                run.answer, number = results[number], number + 1
                continue
            if len(run.notes["plans"]) >= PLANS:
                raise LabError(f"A run may plan {PLANS} times, but step {number} ({step.tool}) failed again: {error}")
            done = "; ".join(f"{plan[n - 1].task}: {text}" for n, text in results.items() if n < number) or "nothing"
            ask = self.prompt(
                "replan", task=run.task, tools=tools, done=done, number=number, tool=step.tool, error=error
            )
            rest = await self.plan(run, ask)
            # The new plan counts its steps from 1, behind those that are done. What stands in the place of the failed
            # step gets what that step needed: a new plan has no numbers for finished steps.
            moved = [
                s.model_copy(update={"needs": [*(step.needs if i == 0 else []), *(n + number - 1 for n in s.needs)]})
                for i, s in enumerate(rest)
            ]
            plan = [*plan[: number - 1], *moved]
        run.answer = await self.answer(run, "\n".join(f"{step.task}: {results[i]}" for i, step in enumerate(plan, 1)))

    async def answer(self, run: Run, said: str) -> str:
        """The answer to the task, from what the steps gave."""
        return (await self.model.chat(self.prompt("answer", task=run.task, results=said))).text

    async def plan(self, run: Run, ask: str) -> list[Step]:
        """A plan that keeps to the tools and looks only back; asked for twice, then given up."""
        names = [tool.name for tool in self.tools]
        for _ in range(TRIES):
            reply = await self.model.chat(ask, schema=plan_schema(names))
            steps, wrong = read_plan(reply.text, names)
            run.trace.event("plan", steps=[step.model_dump() for step in steps], wrong=wrong)
            if not wrong:
                run.notes.setdefault("plans", []).append(steps)
                return steps
            ask = self.prompt("plan again", ask=ask, wrong=wrong, plan=reply.text)
        raise LabError(
            f"A plan uses the tools {', '.join(names)} and only earlier steps, but {wrong}; reword the task."
        )

    async def act(self, run: Run, step: Step, number: int) -> str | None:
        """Do one step, twice if needed; its result goes into the notes, what went wrong comes back."""
        results = run.notes["results"]
        tool: Tool = next(tool for tool in self.tools if tool.name == step.tool)
        known = "".join(f"{results[n]}\n" for n in step.needs if n in results)
        ask, error = self.prompt("act", task=step.task, results=known), ""
        with run.trace.span(f"step {number}: {step.tool}", task=step.task):
            for _ in range(TRIES):
                again = self.prompt("act again", ask=ask, error=error)
                reply = await self.model.chat(again if error else ask, tools=[tool])
                call = next((call for call in reply.tool_calls if call.name == tool.name), None)
                if call is None:
                    error = f"the model did not call {tool.name}"
                    continue
                result = await tool.call(call.arguments, call.id)
                if result.ok:
                    results[number] = result.text
                    return None
                error = result.text
        return error


def plan_schema(tools: list[str]) -> dict[str, Any]:
    """JSON schema of a plan of one to six steps over these tools."""
    step = {
        "type": "object",
        "properties": {
            "tool": {"type": "string", "enum": tools},
            "task": {"type": "string"},
            "needs": {"type": "array", "items": {"type": "integer"}},
        },
        "required": ["tool", "task", "needs"],
        "additionalProperties": False,
    }
    steps = {"type": "array", "minItems": 1, "maxItems": 6, "items": step}
    return {"type": "object", "properties": {"steps": steps}, "required": ["steps"], "additionalProperties": False}


def read_plan(text: str, tools: list[str]) -> tuple[list[Step], str]:
    """The steps of a plan, and what is wrong with it, if anything is."""
    try:
        steps = _Plan.model_validate_json(text).steps
    except ValueError:
        return [], "it is no JSON object with a list of steps"
    if not steps:
        return [], "it has no steps"
    for number, step in enumerate(steps, 1):
        if step.tool not in tools:
            return steps, f"step {number} uses {step.tool!r}, which is no tool here"
        if not all(1 <= n < number for n in step.needs):
            return steps, f"step {number} needs {step.needs}, but may need only earlier steps"
    return steps, ""


class _Plan(BaseModel):
    steps: list[Step]
