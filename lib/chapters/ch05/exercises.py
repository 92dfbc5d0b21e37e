"""The exercises of chapter 05: stubs as they stand in the notebook, one solution each, and checks on what the code did."""

from typing import Any

from llmlab import Trace
from llmlab.agents import SingleStep
from llmlab.lesson import Check, Exercise

TEXT = "Dear shop, please send me two bags of house blend and one of rooibos. Yours, Ines"
KINDS = ("complaint", "order", "other")


async def _gate(work: Any, model: Any) -> list[Check]:
    cases = [
        ("The gift box: 29 euros!", 120, ["gift box", "29"], True),
        ("GIFT BOX for 29 euros", 120, ["gift box"], True),
        ("x" * 20, 20, [], True),
        ("x" * 21, 20, [], False),
        ("The gift box is here.", 120, ["gift box", "29"], False),
        ("", 120, [], False),
        ("  \n", 120, [], False),
    ]
    return [
        (
            bool(got := work(tweet, limit, facts)) is wanted,
            f"passes({tweet!r}, {limit}, {facts}) has to be {wanted}, and was {got!r}",
        )
        for tweet, limit, facts, wanted in cases
    ]


def _enums(schema: Any) -> list[list[Any]]:
    """Every list of allowed values that stands in a JSON schema."""
    if isinstance(schema, list):
        return [found for part in schema for found in _enums(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema["enum"]] if isinstance(schema.get("enum"), list) else []
    return own + [found for part in schema.values() for found in _enums(part)]


async def _sort(work: Any, model: Any) -> list[Check]:
    with Trace("exercise 05.2") as trace:
        given = await work(model, TEXT)
    calls = trace.of("model")
    if len(calls) != 1:
        return [(False, f"sorting a mail takes one call, and yours made {len(calls)}")]
    sent = " ".join(str(message["content"]) for message in calls[0].request["messages"])
    schema = (calls[0].request.get("response_format") or {}).get("json_schema", {}).get("schema")
    enums = _enums(schema)
    wrote = calls[0].response["choices"][0]["message"]["content"]
    points: list[Check] = [
        (True, "sorting a mail takes one call"),
        (TEXT in sent, "the mail has to go out whole"),
        (schema is not None, "the request has to carry a schema (`schema=…`)"),
        (
            any(sorted(map(str, values)) == sorted(KINDS) for values in enums),
            f"the schema has to allow {', '.join(KINDS)} and nothing else, and allows {enums or 'anything'}",
        ),
        (isinstance(given, str), f"the function has to return the kind as a text, and returned {given!r}"),
        (given in KINDS and f'"{given}"' in wrote, f"what it returns has to be the kind in the reply {wrote!r}"),
    ]
    return points


async def _gated(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for passes in (True, False):
        seen: list[str] = []

        def gate(answer: str, seen: list[str] = seen, passes: bool = passes) -> bool:
            seen.append(answer)
            return passes

        made = work(model, gate)
        if not isinstance(made, SingleStep):
            return [(False, f"Gated has to be a SingleStep, and is {type(made).__name__}")]
        run = await made.run("What is a kettle?")
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
        task="Write a function that sorts a mail into complaint, order or other: one call, with a schema.",
        stub="""\
async def sort_mail(model, text):
    reply = await model.chat(f"{text}\\n\\nIs this a complaint, an order or other?")
    return reply.text
""",
        solution="""\
from typing import Literal

from pydantic import BaseModel


class Sorted(BaseModel):
    kind: Literal["complaint", "order", "other"]


async def sort_mail(model, text):
    reply = await model.chat(f"{text}\\n\\nIs this a complaint, an order or other?", schema=Sorted)
    return reply.parse(Sorted).kind
""",
        hints=(
            "Write a class like `Mail` with a single field, whose type is a `Literal` of the three kinds.",
            "`model.chat(…, schema=YourClass)` makes the reply JSON of that shape.",
            "`reply.parse(YourClass)` gives an object; its field is what the function returns.",
        ),
        check=_sort,
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
