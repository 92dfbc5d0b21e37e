"""A model as judge: texts whose truth a program or a person's label knows, and what judges of each size say of them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from llmlab.agents import Reflective
from llmlab.agents.reflective import Verdict
from llmlab.llm.chat import Model
from llmlab.measure import Row

Judged = tuple[str, str, bool]  # a criterion, a text, and whether the text meets it
QUERY = "It is a SQLite query that answers"
VERDICT = 16  # tokens: the verdict begins with whether the text meets the criterion, and the rest is not waited for


def texts() -> list[Judged]:
    """Sentences for five criteria, half of which they meet: a person says so of the tone, a program of all else."""
    found = json.loads(Path(__file__).with_name("judged.json").read_text(encoding="utf-8"))
    return [(criterion, text, meets) for criterion, text, meets in found]


async def meets(model: Model, criterion: str, text: str) -> bool | None:
    """Whether the judge says that a text meets a criterion; None where it says neither."""
    asked = Reflective.prompts["judge"].replace("{criterion}", criterion).replace("{text}", text)
    reply = await model.chat(asked, schema=Verdict, max_tokens=VERDICT)
    said = re.search(r'"meets"\s*:\s*(true|false)', reply.text)
    return said[1] == "true" if said else None


async def all_of(model: Model, cases: Sequence[Judged]) -> list[Row]:
    """One row a case: what is true, and what the judge said."""
    rows = []
    for criterion, text, truth in cases:
        said = await meets(model, criterion, text)
        kind = QUERY if criterion.startswith(QUERY) else criterion
        row: Row = {
            "part": "judge",
            "variant": "judge",
            "round": None,
            "before": None,
            "criterion": kind,
            "meets": truth,
        }
        rows.append({**row, "task": text[:60], "said": said, "right": said == truth})
    return rows
