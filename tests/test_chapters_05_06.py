"""The exercises of chapters 05 and 06: right work in several ways passes, wrong work is told what is wrong with it."""

import textwrap
from enum import Enum
from importlib import import_module
from typing import Any, Literal

import pytest
from pydantic import BaseModel

import llmlab
from chapters.ch05.exercises import KINDS
from llmlab import LabError, agents, lesson
from llmlab.agents.chain_of_thought import answer_of
from stub import Stub, reply

pytestmark = pytest.mark.anyio
ch05, ch06 = import_module("chapters.ch05"), import_module("chapters.ch06")
NAMES = {name: getattr(agents, name) for name in ("SingleStep", "ChainOfThought", "SelfConsistency")}
NAMES |= {"answer_of": answer_of, "LabError": LabError, "Trace": llmlab.Trace, "BaseModel": BaseModel}
NAMES |= {"Literal": Literal, "Enum": Enum, "DIRECT": "Answer only.", "STEPS": "Think step by step."}

GATE = "def passes(tweet, limit, facts):\n    "
SORT = "async def sort_mail(model, text):\n    "
SHAPE = 'class S(BaseModel):\n    kind: Literal["complaint", "order", "other"]\n\n\n'
GATED = """\
class Gated(SingleStep):
    def __init__(self, model, gate, **options):
        super().__init__(model, **options)
        self.gate = gate

    async def work(self, run):
"""
VOTE = "def vote(answers):\n    "
SPARING = "import re\nasync def sparing(model, problem):\n    n = len(re.findall(r'\\d+', problem))\n    "
EARLY = "class EarlyVote(SelfConsistency):\n    async def work(self, run):\n"


def early(loop: str) -> str:
    return EARLY + textwrap.indent("ask, came = self.prompt('task', task=run.task), []\n" + loop, " " * 8)


def gated(body: str) -> str:
    return GATED + textwrap.indent(textwrap.dedent(body), " " * 8)


ASK = "reply = await self.model.chat(ask, temperature=self.temperature, seed=seed)"
SINGLY = f"for seed in range(self.samples):\n    {ASK}\n    came.append(answer_of(reply.text))\n    "
RIGHT = [
    ("05.1", GATE + "return bool(tweet.strip()) and len(tweet) <= limit and all(f.lower() in tweet.lower() for f in facts)"),
    ("05.1", GATE + "low = tweet.casefold()\n    return not (tweet.isspace() or not tweet or limit < len(tweet)) "
             "and not [f for f in facts if f.casefold() not in low]"),
    ("05.1", GATE + "if len(tweet) > limit or not tweet.strip():\n        return False\n    for fact in facts:\n"
             "        if fact.upper() not in tweet.upper():\n            return False\n    return True"),
    ("05.2", SHAPE + SORT + "return (await model.chat(text, schema=S)).parse(S).kind"),
    ("05.2", SORT + "one = {'type': 'string', 'enum': ['other', 'order', 'complaint']}\n    shape = {'type': 'object', "
             "'properties': {'kind': one}, 'required': ['kind']}\n"
             "    return (await model.chat(f'Sort: {text}', schema=shape)).json()['kind']"),
    ("05.2", "class K(str, Enum):\n    a = 'complaint'\n    b = 'order'\n    c = 'other'\nclass S(BaseModel):\n    kind: K\n"
             + SORT + "return (await model.chat([{'role': 'user', 'content': text}], schema=S)).parse(S).kind.value"),
    ("05.2", "class Sorter(SingleStep):\n    async def work(self, run):\n        run.answer = (await self.model.chat(run.task, "
             "schema=S)).json()['kind']\n" + SHAPE + SORT + "return (await Sorter(model).run(text)).answer"),
    ("05.3", gated("await super().work(run)\nif not self.gate(run.answer):\n    run.trace.event('refused')\n    run.answer = None")),
    ("05.3", gated("reply = await self.model.chat(run.task)\nif self.gate(reply.text):\n    run.answer = reply.text\n"
                   "else:\n    run.trace.event('refused', answer=reply.text)")),
    ("05.3", gated("await super().work(run)\npassed = self.gate(run.answer)\nif passed:\n    return\n"
                   "run.answer = None\nrun.trace.event('refused')")),
    ("06.1", VOTE + "for a in answers:\n        if answers.count(a) * 2 > len(answers):\n            return a"),
    ("06.1", "from collections import Counter\n" + VOTE + "first, n = Counter(answers).most_common(1)[0]\n"
             "    return first if n > len(answers) // 2 else None"),
    ("06.1", "import statistics\n" + VOTE + "m = statistics.multimode(answers)[0]\n"
             "    return None if answers.count(m) <= len(answers) / 2 else m"),
    ("06.2", SPARING + "return await model.chat(f'{problem}\\n{STEPS if n > 2 else DIRECT}')"),
    ("06.2", SPARING + "agent = ChainOfThought(model) if n >= 3 else SingleStep(model)\n    return await agent.run(problem)"),
    ("06.2", SPARING + "if n < 3:\n        return await model.chat(f'Only the number. {problem}')\n"
             "    return await model.chat(problem + ' Show your reasoning.')"),
    ("06.3", early(SINGLY + "run.answer = max(came, key=came.count)\n    if came.count(run.answer) == 2:\n        return")),
    ("06.3", early(SINGLY + "if len(set(came)) < len(came):\n        break\nrun.answer = max(came, key=came.count)")),
    ("06.3", early("seed = 0\nwhile seed < self.samples and len(set(came)) == len(came):\n    "
                   f"{ASK.replace('seed=seed', 'seed=100 + seed')}\n    came.append(answer_of(reply.text))\n    seed += 1\n"
                   "run.answer = max(came, key=came.count)")),
]  # fmt: skip
WRONG = [
    ("05.1", GATE + "return len(tweet) <= limit and all(f.lower() in tweet.lower() for f in facts)", "passes('', 120, [])"),
    ("05.1", GATE + "return 0 < len(tweet.strip()) < limit and all(f.lower() in tweet.lower() for f in facts)", "20, [])"),
    ("05.1", GATE + "return 0 < len(tweet.strip()) <= limit and all(f in tweet for f in facts)", "GIFT BOX"),
    ("05.1", GATE + "return 0 < len(tweet.strip()) <= limit", "The gift box is here."),
    ("05.1", GATE + "return 0 < len(tweet.strip()) <= limit and any(f.lower() in tweet.lower() for f in facts)", "is here"),
    ("05.2", SORT + "return (await model.chat(text)).text", "carry a schema"),
    ("05.2", SHAPE + SORT + "return (await model.chat('Sort a mail.', schema=S)).parse(S).kind", "go out whole"),
    ("05.2", SHAPE + SORT + "return (await model.chat(text, schema=S)).text", "kind in the reply"),
    ("05.2", SHAPE + SORT + "return (await model.chat(text, schema=S)).parse(S)", "return the kind as a text"),
    ("05.2", "class S(BaseModel):\n    kind: str\n" + SORT + "return (await model.chat(text, schema=S)).parse(S).kind",
     "allows anything"),
    ("05.2", SHAPE.replace('"other"', '"praise"') + SORT + "return (await model.chat(text, schema=S)).json()['kind']", "praise"),
    ("05.2", SHAPE + SORT + "await model.chat(text)\n    return (await model.chat(text, schema=S)).parse(S).kind", "made 2"),
    ("05.2", SHAPE + SORT + "await model.chat(text, schema=S)\n    return 'other'", "kind in the reply"),
    ("05.3", gated("await super().work(run)\nif not self.gate(run.answer):\n    run.answer = None"), "events ['refused']"),
    ("05.3", gated("await super().work(run)\nif not self.gate(run.answer):\n    run.trace.event('refused')"), "to be None"),
    ("05.3", gated("await super().work(run)\nself.gate(run.answer)\nif not self.gate(run.answer):\n"
                   "    run.trace.event('refused')\n    run.answer = None"), "asked 2 times"),
    ("05.3", gated("await super().work(run)\nrun.trace.event('refused')\nif not self.gate(run.answer):\n    run.answer = None"),
     "the events []"),
    ("05.3", gated("await super().work(run)\nwhile not self.gate(run.answer):\n    run.trace.event('refused')\n"
                   "    run.answer = None\n    break\nelse:\n    return\nawait self.model.chat(run.task)"), "there is one call"),
    ("05.3", "class Gated:\n    def __init__(self, model, gate):\n        pass", "has to be a SingleStep"),
    ("06.1", VOTE + "return max(answers, key=answers.count)", "no majority"),
    ("06.1", VOTE + "a = max(answers, key=answers.count)\n    return a if answers.count(a) >= len(answers) / 2 else None", "one of two"),
    ("06.1", VOTE + "a = max(answers, key=answers.count)\n    return a if answers.count(a) > 2 else None", "two of three"),
    ("06.1", VOTE + "a = max(answers, key=answers.count)\n    return int(a) if answers.count(a) > len(answers) / 2 else None", "was 8"),
    ("06.1", VOTE + "answers.sort()\n    a = answers[len(answers) // 2]\n    return a if answers.count(a) > len(answers) / 2 "
             "else None", "may not change the list"),
    ("06.2", SPARING + "return await model.chat(f'{problem}\\n{STEPS}')", "may not ask for steps"),
    ("06.2", SPARING + "return await model.chat(f'{problem}\\n{DIRECT}')", "has to ask for steps"),
    ("06.2", SPARING + "return await model.chat(f'{problem}\\n{STEPS if n < 3 else DIRECT}')", "may not ask for steps"),
    ("06.2", SPARING + "await model.chat(problem)\n    return await model.chat(f'{problem}\\n{STEPS if n > 2 else DIRECT}')",
     "it took 2"),
    ("06.2", SPARING + "return await model.chat(STEPS if n > 2 else DIRECT)", "go out whole"),
    ("06.3", EARLY + "        await super().work(run)", "only when the one before is there"),
    ("06.3", early(SINGLY.replace("seed=seed", "seed=0") + "run.answer = max(came, key=came.count)"), "seed of its own"),
    ("06.3", early(SINGLY.replace("temperature=self.temperature, ", "") + "run.answer = max(came, key=came.count)\n"
                   "    if came.count(run.answer) == 2:\n        return"), "temperature above 0"),
    ("06.3", early(SINGLY + "run.answer = came[0]\n    if len(set(came)) < len(came):\n        return"), "came most often"),
    ("06.3", early(SINGLY + "run.answer = max(came, key=came.count)"), "2 are enough"),
    ("06.3", early(SINGLY + "run.answer = came[-1]\n    if seed == 1:\n        return"), "3 are enough"),
    ("06.3", "class EarlyVote:\n    def __init__(self, model, samples):\n        pass", "has to be an agent"),
]  # fmt: skip


async def checked(name: str, code: str, answers: list[str]) -> str:
    names: dict[str, Any] = dict(NAMES)
    exec(code, names)
    work = names[
        {"05.1": "passes", "05.2": "sort_mail", "05.3": "Gated", "06.1": "vote", "06.2": "sparing"}.get(
            name, "EarlyVote"
        )
    ]
    with Stub() as stub:
        stub.answers = [reply(answer) for answer in answers]
        model = await stub.model()
        shown = await lesson.check(name, work, model)
        await model.aclose()
    return str(shown._repr_mimebundle_()["text/plain"])


def replies(name: str, why: str = "") -> list[str]:
    """What the model says: for 06.3 two samples that agree, or, where the reason needs it, not at once."""
    if name == "05.2":
        return ['{"kind": "order"}']
    if name != "06.3":
        return ["Answer: 7"]
    return ["Answer: 8", "Answer: 7", "Answer: 7"] if why in ("came most often", "3 are enough") else ["Answer: 7"]


@pytest.mark.parametrize(("name", "code"), RIGHT)
async def test_right_work_passes_in_whatever_way_it_is_written(name: str, code: str) -> None:
    said = await checked(name, code, replies(name))
    assert said.endswith("passed"), said


@pytest.mark.parametrize(("name", "code", "why"), WRONG)
async def test_wrong_work_is_told_what_is_wrong(name: str, code: str, why: str) -> None:
    said = await checked(name, code, replies(name, why))
    assert "not yet" in said
    assert any(why in line for line in said.splitlines() if line.startswith("✗")), said


async def test_each_solution_passes_and_samples_that_disagree_are_all_drawn() -> None:
    for name in ("05.1", "05.2", "05.3", "06.1", "06.2", "06.3"):
        assert (await checked(name, lesson.exercise(name).solution, replies(name))).endswith("passed")
    apart = ["Answer: 1", "Answer: 2", "Answer: 3"]
    assert (await checked("06.3", lesson.exercise("06.3").solution, apart)).endswith("passed")
    assert KINDS == ("complaint", "order", "other"), "as the replies of this test have them"


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        ('{"kind": "return", "order": 1077, "product": "the blue cup"}', ""),
        ('```json\n{"kind": "return", "order": 1077, "product": "Blue Cup"}\n```', ""),
        ('{"kind": "praise", "order": 1077, "product": "blue cup"}', "wrong kind"),
        ('{"kind": "return", "order": null, "product": "blue cup"}', "wrong order"),
        ('{"kind": "return", "order": 1, "product": "blue cup"}', "a number is made up"),
        ('{"kind": "return", "order": 1077, "product": "cup"}', "wrong product"),
        ('{"kind": "refund", "order": 1077, "product": "blue cup"}', "not the shape"),
        ('{"kind": "return", "order": 1077, "product": {"name": "blue cup"}}', "not the shape"),
        ("It is a return of the blue cup.", "not the shape"),
    ],
)
def test_data_out_of_a_mail_are_judged_field_by_field(answer: str, how: str) -> None:
    assert ch05.mail_fails(answer, "Take back the blue cup of order 1077.", "return", 1077, "blue cup") == how


def test_each_mail_names_the_order_and_the_product_that_are_known_to_be_right() -> None:
    mails = ch05.tasks_of("mail")
    assert len(mails) == 24
    for text, kind, order, product in mails:
        assert kind in ("return", "question", "praise")
        assert order is None or str(order) in text
        assert product in text


async def test_a_mail_goes_out_with_a_schema_and_for_the_control_in_the_same_words_without_one() -> None:
    with Stub() as stub:
        stub.answers = [reply('{"kind": "return", "order": 1077, "product": "blue cup"}')]
        model = await stub.model()
        for job in ("mail", ch05.NO_SCHEMA):
            await ch05.agent(model, job).run("A mail.")
        await model.aclose()
    with_schema, without = stub.asked
    assert with_schema.pop("response_format")["json_schema"]["schema"]["title"] == "Mail"
    assert with_schema == without


async def test_the_controls_differ_from_the_two_ways_in_one_thing_each_and_a_vote_counts_its_right_chains() -> None:
    [task] = ch06.stories(each=1, lengths=(1,))
    right = next(str(n) for n in range(61) if task.right(agents.Run("", "", llmlab.Trace(), answer=n)))
    with Stub() as stub:
        stub.answers = [reply(f"1 + 1 = 2\n2 + 2 = 5\nAnswer: {right}")]
        model = await stub.model()
        ways = await ch06.tried(model, ch06.ways(model), [task])
        vote = await ch06.tried(model, {"vote": agents.SelfConsistency(model, samples=3)}, [task])
        stub.answers = [reply(f'{{"steps": ["1 + 1 = 2"], "answer": {right}}}')]
        controls = await ch06.tried(model, ch06.controls(model), [task])
        await model.aclose()
    assert [(row["right"], row["slips"]) for row in ways.rows] == [(True, 0), (True, 1)]
    assert (vote.rows[0]["calls"], vote.rows[0]["chains right"]) == (3, 3)
    assert [row["right"] for row in controls.rows] == [True, True, True]
    sent = {body["messages"][0]["content"]: body.get("response_format") for body in stub.asked}
    [dots] = [text for text in sent if " ." * ch06.DOTS in text]
    assert dots.replace(" ." * ch06.DOTS + "\n", "") in sent, "the dots and nothing else"
    shapes = [tuple(shape["json_schema"]["schema"]["properties"]) for shape in sent.values() if shape]
    assert sorted(shapes) == [("answer", "steps"), ("steps", "answer")]
    assert ch06.price(ways, variant="at once") == 15
    assert ch06.price(controls, variant="nobody") == "none right"
