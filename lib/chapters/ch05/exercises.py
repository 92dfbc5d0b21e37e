"""The exercises of chapter 05: stubs as they stand in the notebook, one solution each, and checks on what the code did."""

from typing import Any

from llmlab.agents import SingleStep
from llmlab.lesson import Check, Exercise

TEXT = "The kettle with the long spout is back. Twelve new ones came in this morning."


async def _gate(work: Any, model: Any) -> list[Check]:
    cases = [
        ("The gift box: 29 euros!", 120, ["gift box", "29"], True),
        ("GIFT BOX for 29 euros", 120, ["gift box"], True),
        ("x" * 40, 40, [], True),
        ("x" * 41, 40, [], False),
        ("The gift box is here.", 120, ["gift box", "29"], False),
        ("", 120, [], False),
        ("  \n", 120, [], False),
    ]
    return [
        (work(tweet, limit, facts) is wanted, f"passes({tweet!r}, {limit}, {facts}) has to be {wanted}")
        for tweet, limit, facts, wanted in cases
    ]


async def _headline(work: Any, model: Any) -> list[Check]:
    agent = work(model)
    if not isinstance(agent, SingleStep):
        return [(False, f"your function has to return a SingleStep, and returned {type(agent).__name__}")]
    run = await agent.run(TEXT)
    calls = run.trace.of("model")
    sent = " ".join(m["content"] for m in calls[0].request["messages"])
    wrote = calls[0].response["choices"][0]["message"]["content"]
    return [
        (len(calls) == 1, f"it makes one call, and yours made {len(calls)}"),
        (TEXT in sent, "the text has to go out whole"),
        ("headline" in sent.lower(), "the prompt has to ask for a headline"),
        (run.answer == wrote, "the answer is what the model wrote"),
    ]


async def _gated(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for passes in (True, False):
        seen: list[str] = []

        def gate(answer: str, seen: list[str] = seen, passes: bool = passes) -> bool:
            seen.append(answer)
            return passes

        run = await work(model, gate).run("What is a kettle?")
        calls, events = run.trace.of("model"), [step.name for step in run.trace.of("event")]
        wrote = "" if not calls else calls[0].response["choices"][0]["message"]["content"]
        case, result = ("passes", "what the model wrote") if passes else ("refuses", "None")
        wanted = [] if passes else ["refused"]
        points += [
            (len(calls) == 1, f"when the gate {case}, there is one call, and there were {len(calls)}"),
            (seen == [wrote], f"the gate is asked once, with what the model wrote, and was asked {len(seen)} times"),
            (run.answer == (wrote if passes else None), f"when the gate {case}, the answer has to be {result}"),
            (events == wanted, f"when the gate {case}, the trace has to hold the events {wanted}, and holds {events}"),
        ]
    return points


EXERCISES = [
    Exercise(
        id="05.1",
        task="Write the gate for tweets: not empty, not longer than the limit, and each fact in it.",
        stub="""\
def passes(tweet, limit, facts):
    return True
""",
        solution="""\
def passes(tweet, limit, facts):
    return 0 < len(tweet.strip()) and len(tweet) <= limit and all(fact.lower() in tweet.lower() for fact in facts)
""",
        hints=(
            "`len(tweet)` counts characters; `tweet.strip()` is empty if there is nothing but spaces.",
            "`all(fact.lower() in tweet.lower() for fact in facts)` is true if each fact is in it.",
        ),
        check=_gate,
    ),
    Exercise(
        id="05.2",
        task="Make a single-step agent that writes a headline for a text, with nothing but a prompt.",
        stub="""\
def headline_agent(model):
    return SingleStep(model)
""",
        solution="""\
def headline_agent(model):
    return SingleStep(model, prompts={"task": "Write a headline for this text.\\n\\n{task}"})
""",
        hints=(
            'An agent takes `prompts={"task": "..."}`.',
            "Where `{task}` stands in the prompt, the input is put in.",
        ),
        check=_headline,
    ),
    Exercise(
        id="05.3",
        task="Write a single step with a gate: what does not pass is no answer, and the trace says so.",
        stub="""\
class Gated(SingleStep):
    def __init__(self, model, gate, **options):
        super().__init__(model, **options)
        self.gate = gate

    async def work(self, run):
        await super().work(run)
""",
        solution="""\
class Gated(SingleStep):
    def __init__(self, model, gate, **options):
        super().__init__(model, **options)
        self.gate = gate

    async def work(self, run):
        await super().work(run)
        if not self.gate(run.answer):
            run.trace.event("refused", answer=run.answer)
            run.answer = None
""",
        hints=(
            "After `await super().work(run)`, what the model wrote is `run.answer`.",
            '`run.trace.event("refused")` puts an event into the trace.',
        ),
        check=_gated,
    ),
]
