"""A list of tasks that grows and is sorted by what was found, as BabyAGI and AutoGPT (both 2023) worked."""

from pydantic import BaseModel, Field

from llmlab.agents.base import Agent, Repetition, Run
from llmlab.budget import Budget


class Tasks(BaseModel, extra="forbid"):
    """Some tasks in words."""

    tasks: list[str] = Field(max_length=6)


class TaskList(Agent):
    """Takes the first task, does it, adds what it leads to, sorts, and so on. Nothing but its budget need end it."""

    name = "task list"
    budget = Budget(steps=24)
    prompts = {
        "do": "Goal: {goal}\nDone so far: {done}\nTask: {task}\nDo the task in one or two sentences.",
        "new": "Goal: {goal}\nThe last task was: {task}\nIts result: {result}\nStill open: {open}\n"
        'Write new tasks that the goal still needs, as JSON: {"tasks": [...]}, or an empty list if none.',
        "sort": 'Goal: {goal}\nSort these tasks, the most urgent first, as JSON {"tasks": [...]}: {open}',
    }

    async def work(self, run: Run) -> None:
        """Until the list is empty."""
        open_tasks, done = [run.task], dict[str, str]()
        run.notes |= {"done": done, "open": open_tasks}
        loop = Repetition()
        while open_tasks:
            task = open_tasks.pop(0)
            loop.check(task)
            with run.trace.span("task", task=task):
                said = {"goal": run.task, "task": task, "done": "; ".join(done.values()) or "nothing"}
                run.answer = done[task] = (await self.model.chat(self.prompt("do", **said))).text
                open_tasks += await self.tasks("new", **said, result=done[task], open=open_tasks)
                if len(open_tasks) > 1:
                    order = await self.tasks("sort", **said, open=open_tasks)
                    # A small model drops and invents tasks while it sorts: only the order is taken from it.
                    open_tasks.sort(key=lambda t: order.index(t) if t in order else len(order))

    async def tasks(self, prompt: str, **said: object) -> list[str]:
        """The tasks that the model answers one of the prompts with."""
        return (await self.model.chat(self.prompt(prompt, **said), schema=Tasks)).parse(Tasks).tasks
