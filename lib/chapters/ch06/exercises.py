"""The exercises of chapter 06: stubs as they stand in the notebook, one solution each, and checks on what the code did."""

import re
from itertools import pairwise
from typing import Any

from llmlab import Trace
from llmlab.agents import Agent
from llmlab.agents.chain_of_thought import answer_of
from llmlab.lesson import Check, Exercise

SHORT = "A box holds 12 pens. First, 5 are lost. How many pens are in the box now?"
LONG = "A box holds 12 pens. First, 5 are lost. Then, 9 are added. Next, 4 break. How many pens are in the box now?"
SAMPLES = 3


async def _vote(work: Any, model: Any) -> list[Check]:
    cases: list[tuple[list[str], str | None, str]] = [
        (["7", "8", "8", "8", "9"], "8", "three of five say 8"),
        (["3", "5", "5"], "5", "two of three say 5"),
        (["4"], "4", "one answer alone is more than half of one"),
        (["1", "2", "2", "3", "3"], None, "two of five are no majority"),
        (["5", "6"], None, "one of two is not more than half"),
        (["9", "8", "8", "9"], None, "two of four are not more than half"),
    ]
    points: list[Check] = []
    for answers, wanted, why in cases:
        given = list(answers)
        got = work(given)
        points.append((got == wanted, f"vote({answers}) has to be {wanted!r} ({why}), and was {got!r}"))
        if given != answers:
            points.append((False, f"vote may not change the list that it is given: {answers} has become {given}"))
    return points


async def _sparing(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for problem, numbers, thinks in ((SHORT, "two", False), (LONG, "four", True)):
        with Trace("exercise 06.2") as trace:
            await work(model, problem)
        calls = trace.of("model")
        sent = " ".join(str(message["content"]) for call in calls[:1] for message in call.request["messages"])
        asks = bool(re.search(r"\b(step|think|reason|work)", sent.replace(problem, ""), re.IGNORECASE))
        wanted = "has to ask for steps" if thinks else "may not ask for steps"
        points += [
            (len(calls) == 1, f"a problem with {numbers} numbers takes one call (it took {len(calls)})"),
            (problem in sent, f"the problem with {numbers} numbers has to go out whole"),
            (asks == thinks, f"with {numbers} numbers the request {wanted}"),
        ]
    return points


async def _early(work: Any, model: Any) -> list[Check]:
    agent = work(model, samples=SAMPLES)
    if not isinstance(agent, Agent):
        return [(False, f"the class has to be an agent, such as a SelfConsistency, but is {type(agent).__name__}")]
    run = await agent.run(SHORT)
    calls = run.trace.of("model")
    answers = [answer_of(c.response["choices"][0]["message"]["content"]) for c in calls]
    twice = [i for i, answer in enumerate(answers, 1) if answers[:i].count(answer) == 2]
    needed = twice[0] if twice else SAMPLES
    apart = all(a.end is not None and a.end <= b.start for a, b in pairwise(calls))
    most = max(map(answers.count, answers), default=0)
    return [
        (run.ok, f"the run has to come to its end by itself {run.why}".strip()),
        (apart, "each sample may begin only when the one before is there"),
        (len(calls) == needed, f"of at most {SAMPLES} samples, {needed} are enough here (it took {len(calls)})"),
        (
            len({c.get("gen_ai.request.seed") for c in calls}) == len(calls),
            "each sample needs a seed of its own, or all are the same",
        ),
        (all(c.get("gen_ai.request.temperature") for c in calls), "samples are drawn at a temperature above 0"),
        (
            str(run) in answers and answers.count(str(run)) == most,
            f"the answer has to be the one that came most often of {answers}, and is {str(run)!r}",
        ),
    ]


EXERCISES = [
    Exercise(
        id="06.1",
        task="Write a vote that abstains: the answer of more than half, else None.",
        stub="""\
def vote(answers):
    return max(answers, key=answers.count)
""",
        solution="""\
def vote(answers):
    first = max(answers, key=answers.count)
    return first if answers.count(first) > len(answers) / 2 else None
""",
        hints=(
            "The stub finds the answer that came most often. How often did it come, of how many?",
            "answers.count(first) > len(answers) / 2 says whether it is more than half.",
        ),
        check=_vote,
    ),
    Exercise(
        id="06.2",
        task="Write a function that asks for steps only where a problem has three numbers or more; one call each.",
        stub="""\
async def sparing(model, problem):
    return await model.chat(f"{problem}\\n{STEPS}")
""",
        solution="""\
async def sparing(model, problem):
    numbers = [word for word in problem.split() if word.strip(".,?!").isdigit()]
    order = "Think step by step, then end with 'Answer:' and the number."
    if len(numbers) < 3:
        order = "Give only the answer, as 'Answer:' and the number."
    return await model.chat(f"{problem}\\n{order}")
""",
        hints=(
            "You need no model to count the numbers: problem.split() gives the words.",
            'word.strip(".,?!").isdigit() is true for a word that is a number.',
            "DIRECT and STEPS, at the top of this chapter, are the two last sentences.",
        ),
        check=_sparing,
    ),
    Exercise(
        id="06.3",
        task="Write a variant of SelfConsistency that samples one by one and stops when two samples agree.",
        stub="""\
from llmlab.agents.chain_of_thought import SelfConsistency, answer_of


class EarlyVote(SelfConsistency):
    async def work(self, run):
        await super().work(run)
""",
        solution="""\
from llmlab.agents.chain_of_thought import SelfConsistency, answer_of


class EarlyVote(SelfConsistency):
    async def work(self, run):
        ask, answers = self.prompt("task", task=run.task), []
        for seed in range(self.samples):
            reply = await self.model.chat(ask, temperature=self.temperature, seed=seed)
            answers.append(answer_of(reply.text))
            run.answer = max(answers, key=answers.count)
            if answers.count(run.answer) == 2:
                return
""",
        hints=(
            "A loop over seed in range(self.samples), with one `await self.model.chat(...)` in it.",
            "chat takes temperature=self.temperature and seed=seed; answer_of(reply.text) reads the answer off.",
            "Set run.answer in each round, and return when some answer has come twice.",
        ),
        check=_early,
    ),
]
