"""Thinking in steps before answering: still one call, but the model writes its way to the answer.

Wei and others, arXiv:2201.11903; several samples and a vote: Wang and others, arXiv:2203.11171.
"""

import asyncio
import re
from collections import Counter
from typing import Any

from llmlab.agents.base import Agent, Run
from llmlab.errors import ModelError
from llmlab.llm.chat import Model, Reply


def answer_of(text: str) -> str:
    """What stands after the last "Answer:", or the last line; of "3 + 4 = 7" and "1,200 pens" the 7 and the 1200."""
    found = re.findall(r"answer\s*:?\s*(?:is\s*)?([^\s:].*)", text, re.IGNORECASE)
    answer = (found or text.strip().splitlines() or [""])[-1].split("=")[-1].strip().rstrip(".")
    number = re.search(r"-?\d[\d,]*(?:\.\d+)?", answer)
    return number.group().replace(",", "") if number else answer


class ChainOfThought(Agent):
    """One call that reasons first."""

    name = "chain of thought"
    prompts = {"task": "{task}\nThink step by step, then end with 'Answer:' and the number."}

    async def work(self, run: Run) -> None:
        """Reason, then read off the answer."""
        reply = await self.model.chat(self.prompt("task", task=run.task))
        run.notes["reasoning"] = reply.text
        if reply.finish_reason == "length":  # the last number is then one of the steps, and would look like an answer
            cut = f"cut off at {reply.output_tokens} tokens, before its answer"
            raise ModelError("cut_off", f"The reasoning was {cut}; ask for shorter steps.")
        run.answer = answer_of(reply.text)


class SelfConsistency(ChainOfThought):
    """Several chains of thought at a temperature above 0; the answer that most of them reach."""

    name = "self-consistency"

    def __init__(self, model: Model, samples: int = 5, temperature: float = 0.7, **options: Any):
        super().__init__(model, **options)
        self.samples, self.temperature = samples, temperature

    async def work(self, run: Run) -> None:
        """Sample, then vote; of answers with equal votes the first one counts."""
        ask, of = self.prompt("task", task=run.task), self.temperature
        # Each sample has a seed of its own: with the same one all would be the same.
        chats = (self.model.chat(ask, temperature=of, seed=seed, stream=False) for seed in range(self.samples))
        came = await asyncio.gather(*chats, return_exceptions=True)
        votes = Counter(answer_of(reply.text) for reply in came if isinstance(reply, Reply))
        run.notes["votes"] = dict(votes.most_common())
        run.answer = next(iter(run.notes["votes"]), None)
        for failed in came:  # those that came vote all the same
            if isinstance(failed, BaseException):
                raise failed
