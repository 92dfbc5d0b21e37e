"""From worlds to what is trained on: conversations that share their tools, packed behind one copy of these.

Most tokens of a conversation are its tools. None of the conversations sees the others (a mask), and each goes on from the
shared beginning (positions): three times as many conversations of the same number of tokens.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any, NamedTuple

import dialogues
import jinja2.sandbox
import torch

HERE = Path(__file__).parent
TEMPLATE = HERE.parents[1] / "data" / "chat_template.jinja"
TOGETHER = 9  # conversations that share one beginning
LONGEST = 1400  # tokens of a pack


class Pack(NamedTuple):
    """One training step: token ids, positions, labels (-100 where nothing is learned), the conversation of each token."""

    ids: list[int]
    positions: list[int]
    labels: list[int]
    branch: list[int]


def template() -> jinja2.Template:
    """The kit's chat template, as llama.cpp applies it."""
    environment = jinja2.sandbox.SandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))


def segments(text: str) -> list[tuple[str, bool]]:
    """A conversation's text in pieces, each with whether the model learns to write it: the assistant's replies."""
    parts = re.split(r"(?<=<\|im_start\|>assistant\n)(.*?<\|im_end\|>)", text, flags=re.DOTALL)
    return [(part, i % 2 == 1) for i, part in enumerate(parts) if part]


class Packs:
    """All that can be drawn from the worlds and from the plain requests with the model's own answers."""

    def __init__(self, tokenizer: Any, plain: list[tuple[str, str]]):
        self.worlds = [dialogues.read(path) for path in sorted((HERE / "worlds").glob("*.txt"))]
        self.plain, self.template, self.tokenizer = plain, template(), tokenizer

    def _asked_plainly(self, chance: random.Random) -> list[dict[str, Any]]:
        ask, answer = chance.choice(self.plain)
        return [{"role": "user", "content": ask}, {"role": "assistant", "content": answer}]

    def draw(self, chance: random.Random) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
        """Tools and conversations with the same system message; one pack in ten has no tools, and plain requests only."""
        if chance.random() < 0.1:
            return [], [self._asked_plainly(chance) for _ in range(TOGETHER)]
        world = chance.choice(self.worlds)
        # Where the model has to ask back, which comes hardest to it, is drawn three times as often.
        order = sorted(world.dialogues, key=lambda d: chance.random() ** (1 / 3 if d.asks_back else 1), reverse=True)
        chosen = order[: TOGETHER - 1]
        chosen = chosen[: chance.randint(3, TOGETHER)] if chance.random() < 0.3 else chosen
        needed = set[str]().union(*(dialogue.tools for dialogue in chosen))
        lacking = next((d for d in chosen if d.tools), None) if chance.random() < 0.08 else None
        if lacking:  # what this one needs is not offered, and neither are the others that need it
            needed -= lacking.tools
            chosen = [d for d in chosen if d is lacking or not d.tools & lacking.tools]
        system = dialogues.Values(world.slots, chance).fill(chance.choice(world.systems))
        told = [dialogues.tell(world, d, chance, lacking=d is lacking) for d in chosen]
        told += [self._asked_plainly(chance) for _ in range(chance.randint(1, 2))]
        others = [other for other in self.worlds if other is not world]
        tools = dialogues.offered(world, others, needed, lacking.tools if lacking else set(), chance)
        if chance.random() < 0.2:
            tools, told = dialogues.renamed(tools, told)
        first = [{"role": "system", "content": system}] if system else []
        return tools, [first + messages for messages in told]

    def pack(self, seed: int) -> Pack:
        """The pack of one step; the same seed gives the same pack."""
        chance = random.Random(seed)
        tools, told = self.draw(chance)
        made = Pack([], [], [], [])
        for number, messages in enumerate(told, 1):
            text = self.template.render(messages=messages, tools=tools or None)
            at = text.index("<|im_start|>user")
            if number == 1:
                self._add(made, text[:at], learned=False, branch=0, position=0)
            shared = made.branch.count(0)
            for part, learned in segments(text[at:]):
                after = made.positions[-1] + 1 if made.branch and made.branch[-1] == number else shared
                self._add(made, part, learned=learned, branch=number, position=after)
            if len(made.ids) > LONGEST:
                break
        return made

    def _add(self, made: Pack, text: str, *, learned: bool, branch: int, position: int) -> None:
        ids = self.tokenizer(text, add_special_tokens=False).input_ids
        made.ids.extend(ids)
        made.positions.extend(range(position, position + len(ids)))
        made.labels.extend(ids if learned else [-100] * len(ids))
        made.branch.extend([branch] * len(ids))


def mask_of(branch: list[int]) -> torch.Tensor:
    """Which token sees which: earlier ones of its own conversation and of the shared beginning."""
    numbers = torch.tensor(branch)
    same = (numbers[:, None] == numbers[None, :]) | (numbers[None, :] == 0)
    return (same & torch.ones(len(branch), len(branch), dtype=torch.bool).tril())[None, None]
