"""A model that answers what a test has scripted: the lab's own Model, over a transport that never leaves the test."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import httpx2
import openai

from llmlab.agents import (
    Agent,
    ChainOfThought,
    Criterion,
    Member,
    PlanAndAct,
    Recursive,
    Reflective,
    Run,
    SelfConsistency,
    SingleStep,
    TaskList,
    Team,
    ToolLoop,
)
from llmlab.llm.chat import Model
from llmlab.settings import Settings
from llmlab.tools import tool
from stub import reply

# Each call of these costs 10 tokens in and 5 out (see stub.reply).
TOKENS = 15


def acts(*calls: tuple[str, Any], text: str = "") -> dict[str, Any]:
    """A reply that calls tools: names with their arguments, as data or as the text that the model wrote."""
    made = reply(text)
    written = [(name, given if isinstance(given, str) else json.dumps(given)) for name, given in calls]
    made["choices"][0]["finish_reason"] = "tool_calls"
    made["choices"][0]["message"]["tool_calls"] = [
        {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for i, (name, arguments) in enumerate(written)
    ]
    return made


class Script:
    """Plays a model. `answers` are used up in order, the last one again and again; `asked` are the requests that came.

    An answer is a text, a reply as a dictionary, an exception, a number (a refusal with this status), or a function
    of the request that returns one of these, perhaps after it has waited.
    """

    def __init__(self, *answers: Any, **config: Any):
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        client = openai.AsyncOpenAI(
            base_url="http://scripted.invalid/v1",
            api_key="none",
            max_retries=0,
            http_client=openai.DefaultAsyncHttpx2Client(transport=httpx2.MockTransport(self._answer)),
        )
        self.model = Model(client, "scripted", "endpoint", Settings(**config))

    @property
    def said(self) -> list[str]:
        """The last message of each request."""
        return [body["messages"][-1]["content"] for body in self.asked]

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        self.asked.append(body)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        while callable(answer) or inspect.isawaitable(answer):
            answer = await answer if inspect.isawaitable(answer) else answer(body)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return httpx2.Response(answer, json={"error": {"message": "scripted", "type": "scripted"}})
        data = reply(answer) if isinstance(answer, str) else answer
        return httpx2.Response(200, headers={"content-type": "application/json"}, content=json.dumps(data).encode())


@tool
async def look(city: str) -> str:
    """The weather in a city."""
    return f"Rain in {city}."


def looking(cities: int) -> Callable[[Any], dict[str, Any]]:
    """An answer that asks for the weather of one city after the other, so many at a time, and never ends."""
    asked = iter(range(10**9))
    return lambda body: acts(*[("look", {"city": f"City {next(asked)}"}) for _ in range(cities)])


PLAN = json.dumps({"steps": [{"tool": "look", "task": "Look at Oslo.", "needs": []}]})

# Each agent with the answers that bring it to its end.
AGENTS: dict[str, tuple[Callable[[Model], Agent], list[Any]]] = {
    "tool loop": (lambda m: ToolLoop(m, [look]), [acts(("look", {"city": "Oslo"})), "It rains."]),
    "single step": (lambda m: SingleStep(m, [look]), ["It rains."]),
    "chain of thought": (ChainOfThought, ["2 and 3 are 5.\nAnswer: 5"]),
    "self-consistency": (lambda m: SelfConsistency(m, samples=3), ["Answer: 5"]),
    "plan and act": (lambda m: PlanAndAct(m, [look]), [PLAN, acts(("look", {"city": "Oslo"})), "It rains."]),
    "reflective": (
        lambda m: Reflective(m, [Criterion("It is short."), Criterion("It rains.", lambda text: "")]),
        ["It rains.", '{"meets": true, "score": 9, "advice": ""}'],
    ),
    "recursive decomposition": (Recursive, [reply('{"left": [1, 2], "right": [3]}'), "3", "3", "6"]),
    "task list": (TaskList, ["It rains.", '{"tasks": []}']),
    "team": (
        lambda m: Team([Member("collector", "Collect.", SingleStep(m)), Member("writer", "Write.", SingleStep(m), ["collector"])]),
        ["It rains.", "It rains in Oslo."],
    ),
}  # fmt: skip


async def whole(name: str, task: str) -> tuple[Run, list[Any]]:
    """A run that nobody breaks off, and an answer for each of its calls."""
    build, usual = AGENTS[name]
    script = Script(*usual)
    run = await build(script.model).run(task)
    return run, [*usual, *[usual[-1]] * (len(script.asked) - len(usual))]
