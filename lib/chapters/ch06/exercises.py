"""The exercises of chapter 06: stubs as they stand in the notebook, one solution each, and checks on what the code did."""

from itertools import pairwise
from typing import Any

from llmlab import Trace
from llmlab.agents.chain_of_thought import answer_of
from llmlab.lesson import Check, Exercise

SHORT = "A box holds 12 pens. 5 are lost. How many pens are in the box now?"
LONG = (
    "A box holds 12 pens. 5 are lost. 9 are put in. Half of them are sold. 4 break. How many pens are in the box now?"
)


async def _vote(work: Any, model: Any) -> list[Check]:
    return [
        (work(["7", "8", "8", "8", "9"]) == "8", "three of five say 8, so the vote is '8'"),
        (work(["4"]) == "4", "one answer alone is more than half of one"),
        (work(["1", "2", "2", "3", "3"]) is None, "two of five are no majority, so there is no answer: None"),
        (work(["5", "6"]) is None, "one of two is not more than half, so there is no answer: None"),
    ]


async def _sparing(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for problem, numbers, thinks in ((SHORT, "two", False), (LONG, "four", True)):
        with Trace("exercise 06.2") as trace:
            await work(model, problem)
        calls = trace.of("model")
        sent = str(calls[0].request["messages"]) if calls else ""
        wanted = "has to" if thinks else "may not"
        points += [
            (len(calls) == 1, f"a problem with {numbers} numbers takes one call (it took {len(calls)})"),
            (problem in sent, "the problem has to go out as it is"),
            (
                ("step by step" in sent) == thinks,
                f"with {numbers} numbers the request {wanted} ask to think step by step",
            ),
        ]
    return points


async def _early(work: Any, model: Any) -> list[Check]:
    run = await work(model).run(SHORT)
    calls = run.trace.of("model")
    answers = [answer_of(c.response["choices"][0]["message"]["content"]) for c in calls]
    twice = [i for i, answer in enumerate(answers, 1) if answers[:i].count(answer) == 2]
    needed = twice[0] if twice else 5
    apart = all(a.end is not None and a.end <= b.start for a, b in pairwise(calls))
    return [
        (run.ok, f"the run has to come to its end by itself {run.why}".strip()),
        (apart, "each sample may begin only when the one before is there"),
        (len(calls) == needed, f"{needed} samples are enough here (it took {len(calls)})"),
        (
            len({c.get("gen_ai.request.seed") for c in calls}) == len(calls),
            "each sample needs a seed of its own, or all are the same",
        ),
        (
            all(c.get("gen_ai.request.temperature") for c in calls),
            "samples are drawn at a temperature above 0",
        ),
        (
            str(run) in answers and answers.count(str(run)) == max(map(answers.count, answers)),
            "the answer is the one that came most often",
        ),
    ]


EXERCISES = [
    Exercise(
        id="06.1",
        task="Write a vote that has the courage to say nothing: the answer of more than half, else None.",
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
        task="Write a function that thinks step by step only where a problem has three numbers or more; one call each.",
        stub="""\
async def sparing(model, problem):
    return await model.chat(f"{problem}\\nThink step by step, then end with 'Answer:' and the number.")
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
