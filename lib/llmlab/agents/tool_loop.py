"""The agent loop: observe, decide, act, until the model answers in words (ReAct, Yao and others, arXiv:2210.03629)."""

from llmlab.agents.base import Agent, Repetition, Run
from llmlab.llm.chat import Message
from llmlab.tools import call_all


class ToolLoop(Agent):
    """The model chooses a tool, sees what came back, and chooses again."""

    name = "tool loop"
    prompts = {"system": "", "task": "{task}"}

    async def work(self, run: Run) -> None:
        """Observe, decide, act."""
        seen: list[Message] = [{"role": "user", "content": self.prompt("task", task=run.task)}]
        if system := self.prompts["system"]:
            seen.insert(0, {"role": "system", "content": system})
        loop, said = Repetition(), None
        while True:
            decided = await self.model.chat(seen, tools=self.tools or None)
            said = decided.text or said
            if not decided.tool_calls:
                run.answer = said
                return
            run.answer = said or run.answer
            loop.check(", ".join(f"{call.name}({call.arguments})" for call in decided.tool_calls))
            results = await call_all(decided.tool_calls, self.tools)
            run.answer = said or results[-1]["content"]  # as long as nothing is said, what was found is the best so far
            seen += [decided.message, *results]
