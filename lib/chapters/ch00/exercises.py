"""The exercises of chapter 00: stubs as they stand in the notebook, one solution each, and checks on what the code did."""

from typing import Any

from llmlab import Budget, Trace
from llmlab.lesson import Check, Exercise


async def _two_questions(work: Any, model: Any) -> list[Check]:
    trace = Trace("exercise 00.1")
    await work(model, trace)
    calls = trace.of("model")
    asked = {str(step.request["messages"]) for step in calls}
    return [
        (len(calls) == 2, f"your trace has to hold two model calls, and holds {len(calls)}"),
        (len(asked) == 2, f"they have to ask two different things, and ask {len(asked)}"),
    ]


async def _dearest(work: Any, model: Any) -> list[Check]:
    trace = Trace("exercise 00.2")
    for tokens_in, tokens_out in ((20, 9), (15, 40), (60, 3), (5, 39)):
        attributes = {"gen_ai.usage.input_tokens": tokens_in, "gen_ai.usage.output_tokens": tokens_out}
        with trace.step("model", "chat", **attributes):
            pass
    with trace.step("tool", "clock"):
        pass
    found = work(trace)
    return [
        (found is not None, "your function has to return a step"),
        (
            getattr(found, "id", None) == 2,
            f"the call that wrote most tokens is step 2, and yours is {getattr(found, 'id', found)}",
        ),
    ]


async def _within(work: Any, model: Any) -> list[Check]:
    trace = Trace("exercise 00.3", budget=Budget(steps=3))
    answers = await work(
        model, trace, ["What is ice?", "What is fire?", "What is sand?", "What is wind?", "What is salt?"]
    )
    return [
        (len(trace.of("model")) == 3, f"three calls fit into the budget, and {len(trace.of('model'))} were made"),
        (
            isinstance(answers, list) and len(answers) == 3,
            f"your function has to return the list of three answers, and returned {len(answers) if isinstance(answers, list) else answers}",
        ),
    ]


EXERCISES = [
    Exercise(
        id="00.1",
        task="Ask the model two different questions, both inside the trace that you are given.",
        stub="""\
async def two_questions(model, trace):
    with trace:
        await model.chat("What is snow?")
""",
        solution="""\
async def two_questions(model, trace):
    with trace:
        await model.chat("What is snow?")
        await model.chat("What is rain?")
""",
        hints=(
            "A call inside `with trace:` is recorded there.",
            "Put a second `await model.chat(...)` under the first.",
        ),
        check=_two_questions,
    ),
    Exercise(
        id="00.2",
        task="Return the step of a trace whose call wrote the most tokens.",
        stub="""\
def longest(trace):
    return None
""",
        solution="""\
def longest(trace):
    return max(trace.of("model"), key=lambda step: step.get("gen_ai.usage.output_tokens"))
""",
        hints=(
            'trace.of("model") gives the model calls.',
            'step.get("gen_ai.usage.output_tokens") is the number of tokens that a call wrote.',
            "max(..., key=...) returns the item for which the key is largest.",
        ),
        check=_dearest,
    ),
    Exercise(
        id="00.3",
        task="Ask one question after another until the budget stops you, and return the answers that you got.",
        stub="""\
async def ask_all(model, trace, questions):
    answers = []
    with trace:
        for question in questions:
            reply = await model.chat(question, max_tokens=20)
            answers.append(reply.text)
    return answers
""",
        solution="""\
async def ask_all(model, trace, questions):
    answers = []
    with trace:
        for question in questions:
            try:
                reply = await model.chat(question, max_tokens=20)
            except BudgetExceeded:
                break
            answers.append(reply.text)
    return answers
""",
        hints=(
            "Run it: which error stops your code?",
            "`from llmlab import BudgetExceeded`, and catch it around the call.",
            "After the error, leave the loop with `break`, so that the answers so far are returned.",
        ),
        check=_within,
    ),
]
