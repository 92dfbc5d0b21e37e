"""The exercises of chapter 00: stubs as they stand in the notebook, one solution each, and checks on what the code did."""

import inspect
from typing import Any

from llmlab import Budget, BudgetExceeded, Step, Trace
from llmlab.lesson import Check, Exercise

NOT_ASYNC = "a function that calls the model begins with `async def` and has an `await` before each call"


async def _two_questions(work: Any, model: Any) -> list[Check]:
    trace = Trace("exercise 00.1")
    if not inspect.isawaitable(running := work(model, trace)):
        return [(False, NOT_ASYNC)]
    await running
    calls = trace.of("model")
    asked = {str(step.request["messages"]) for step in calls}
    return [
        (len(calls) == 2, f"two model calls have to be in the trace that you are given, and {len(calls)} are in it"),
        (len(asked) == 2, f"they have to ask two different questions, and ask {len(asked)}"),
    ]


async def _longest(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for written in ((9, 40, 3, 39), (12, 7)):
        trace = Trace("exercise 00.2")
        with trace.step("tool", "clock"):
            pass
        for number, tokens_out in enumerate(written):
            attributes = {"gen_ai.usage.input_tokens": 90 - tokens_out, "gen_ai.usage.output_tokens": tokens_out}
            with trace.step("model", "chat", **attributes, **{"llmlab.request": {"messages": [{"content": number}]}}):
                pass
        wanted = trace.steps[1 + written.index(max(written))]
        found = work(trace)
        if not isinstance(found, Step):
            return [(False, f"your function has to return a step of the trace, and returned {found!r}")]
        which = f"step {found.id}, a {found.kind} step with {found.get('gen_ai.usage.output_tokens')} tokens out"
        points.append(
            (
                found is wanted,
                f"calls that wrote {', '.join(map(str, written))} tokens: step {wanted.id} wrote the most; yours is {which}",
            )
        )
    return points


async def _within(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    questions = ["What is ice?", "What is fire?", "What is sand?", "What is wind?", "What is salt?"]
    for allowed, asked in ((1, questions[:3]), (3, questions), (5, questions[:2])):
        trace, possible = Trace("exercise 00.3", budget=Budget(steps=allowed)), min(allowed, len(asked))
        case = f"{len(asked)} questions and a budget of {allowed}"
        try:
            if not inspect.isawaitable(answers := work(model, trace, asked)):
                return [(False, NOT_ASYNC)]
            answers = await answers
        except BudgetExceeded as error:
            return [*points, (False, f"{case}: your code stopped with BudgetExceeded: {error}")]
        made, got = len(trace.of("model")), len(answers) if isinstance(answers, list | tuple) else repr(answers)
        points.append((made == possible, f"{case} make {possible} calls in the trace; yours made {made}"))
        points.append((got == possible, f"{case} give a list of {possible} answers; yours gave {got}"))
    return points


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
        check=_longest,
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
            "Catch it around the call: `try:` the call, then `except BudgetExceeded:`.",
            "After the error, leave the loop with `break`, so that the answers so far are returned.",
        ),
        check=_within,
    ),
]
