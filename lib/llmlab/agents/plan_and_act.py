"""First a plan in a checked shape, then its steps; a step that fails is tried again, then the rest is planned anew.

After "Plan-and-Solve" (Wang and others, arXiv:2305.04091).
"""

import json
from typing import Any

from pydantic import BaseModel

from llmlab.agents.base import Agent, Run
from llmlab.errors import LabError

TRIES = 2  # of a step, before the rest is planned anew
PLANS = 3  # in a run


class Step(BaseModel):
    """One step of a plan: a tool, what it has to do, and the earlier steps (from 1) whose results it needs."""

    tool: str
    task: str
    needs: list[int] = []


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
        goal = {"task": run.task, "tools": "\n".join(f"- {tool.name}: {tool.description}" for tool in self.tools)}
        results: dict[int, str] = run.notes.setdefault("results", {})
        plan, number = await self.plan(run, self.prompt("plan", **goal)), 1
        while number <= len(plan):
            step = plan[number - 1]
            error = await self.act(run, step, number)
            if error is None:
                run.answer, number = results[number], number + 1
                continue
            if len(run.notes["plans"]) >= PLANS:
                raise LabError(f"A run may plan {PLANS} times, but step {number} ({step.tool}) failed again: {error}")
            done = "; ".join(f"{plan[n - 1].task}: {text}" for n, text in results.items() if n < number) or "nothing"
            failed = {"done": done, "number": number, "tool": step.tool, "error": error}
            rest = await self.plan(run, self.prompt("replan", **goal, **failed))
            # The new plan counts its steps from 1, behind those that are done. What stands in the place of the failed
            # step gets what that step needed: a new plan has no numbers for finished steps.
            for i, new in enumerate(rest):
                new.needs = [*([] if i else step.needs), *(n + number - 1 for n in new.needs)]
            plan[number - 1 :] = rest
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
                run.notes.setdefault("plans", []).append([step.model_copy() for step in steps])
                return steps
            ask = self.prompt("plan again", ask=ask, wrong=wrong, plan=reply.text)
        raise LabError(
            f"A plan uses the tools {', '.join(names)} and only earlier steps, but {wrong}; reword the task."
        )

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
                asked = self.prompt("act again", ask=ask, error=error)
        return error


def plan_schema(tools: list[str]) -> dict[str, Any]:
    """JSON schema of a plan of one to six steps over these tools."""
    kinds = {
        "tool": {"type": "string", "enum": tools},
        "task": {"type": "string"},
        "needs": {"type": "array", "items": {"type": "integer"}},
    }
    step = {"type": "object", "properties": kinds, "required": [*kinds], "additionalProperties": False}
    steps = {"type": "array", "minItems": 1, "maxItems": 6, "items": step}
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
