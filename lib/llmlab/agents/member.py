"""Who works in a team, and what its members may send to each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass as plain_dataclass
from dataclasses import field
from typing import Literal

from pydantic.dataclasses import dataclass

from llmlab.agents.base import Agent

PERSON = "you"
ROOM = 16  # letters that wait in an inbox; a colleague who writes more has to wait


@dataclass(frozen=True)
class Letter:
    """What one member of a team may send to another, and nothing else: pydantic refuses any other kind."""

    sender: str
    to: str
    kind: Literal["task", "result", "failure"]
    text: str


@plain_dataclass
class Member:
    """An agent with a name and a part in the work: it begins when all in `after` have written to it: colleagues, or "you"
    for the person's task. Without `after` it waits for the task only.

    `accept` looks at its result and returns what is wrong with it, or "": nonsense is asked for anew once, then it is
    a failure. What arrives is joined into one task, `goal` first.
    """

    name: str
    goal: str
    agent: Agent
    after: Sequence[str] = ()
    accept: Callable[[str], str] | None = None
    inbox: asyncio.Queue[Letter] = field(default_factory=lambda: asyncio.Queue(ROOM))
