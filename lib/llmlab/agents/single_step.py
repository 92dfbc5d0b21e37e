"""The simplest agent: one call, one answer."""

from llmlab.agents.base import Agent, Run
from llmlab.tools import call_all


class SingleStep(Agent):
    """Asks once. A tool that the model calls is called, and its result is the answer: the model never sees it."""

    name = "single step"
    prompts = {"task": "{task}"}

    async def work(self, run: Run) -> None:
        """Ask, perhaps act, done."""
        reply = await self.model.chat(self.prompt("task", task=run.task), tools=self.tools or None)
        run.answer = reply.text
        if reply.tool_calls:
            run.answer = "\n".join(str(m["content"]) for m in await call_all(reply.tool_calls, self.tools))
