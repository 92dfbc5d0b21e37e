"""The prompts of the library and of the chapters, from where they stand, for about half of the items of each skill.

The other half is worded otherwise, so that a reader who rewords a prompt is still served. A prompt that is changed in the
library changes the training data: the adapter is then to be made anew.
"""

from __future__ import annotations

import random
import re

from llmlab.agents import ChainOfThought, PlanAndAct, Recursive, Reflective
from llmlab.measure import pieces

SHARE = 0.5
STEPS = ChainOfThought.prompts["task"]
DIRECT = "{task}\n" + pieces("06").DIRECT
SQL = "{schema}\n\n{task} Write the SQLite query."
MEND = "{schema}\n\nQuestion: {task}\nQuery: {query}\nError: {error}\nWrite the corrected query."
SUM, SORT = Recursive.prompts, {**Recursive.prompts, **pieces("09").SORT}
PLAN, REPLAN = PlanAndAct.prompts["plan"], PlanAndAct.prompts["replan"]
JUDGE, REVISE = Reflective.prompts["judge"], Reflective.prompts["revise"]
SECTION = pieces("07").section_prompt
OUTLINE = (
    "Make an outline for a blog post about {subject}. Answer with JSON: a heading for each line of facts.\n{facts}"
)
TWEET = "Turn this into a tweet of at most {limit}. Keep {keep}.\n\n{text}"
POST = "Turn the text into a post of at most {limit} with {keep} in it. End with a question to the reader.\n\n{text}"
NOTE = "Write two to four sentences. Use all these facts and no others:\n{facts}"
TOOL = "- {name}: {description}"


def used(rng: random.Random) -> bool:
    """Whether an item takes the kit's own words."""
    return rng.random() < SHARE


def fill(prompt: str, **values: object) -> str:
    """A prompt with its {places} filled; other braces stay."""
    return re.sub(r"\{(\w+)\}", lambda place: str(values.get(place[1], place[0])), prompt)


def ask(prompt: str, **values: object) -> list[dict[str, str]]:
    """The user's message."""
    return [{"role": "user", "content": fill(prompt, **values)}]
