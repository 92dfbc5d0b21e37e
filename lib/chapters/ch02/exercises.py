"""The exercises of chapter 02: stubs as they stand in the notebook, one solution each, and checks on what the code did."""

from typing import Any

from chapters.ch02 import NEW, RULES, WANTS, by_rules, messages
from llmlab.lesson import Check, Exercise

SURE = {"visit": 0.9, "order": 0.04, "product": 0.03, "return": 0.03}
UNSURE = {"return": 0.4, "order": 0.35, "product": 0.15, "visit": 0.1}


class Scripted:
    """A classifier whose probabilities are known, as a check needs it."""

    classes_ = sorted(WANTS)

    def __init__(self, chances: dict[str, float]):
        self.chances, self.asked = chances, list[str]()

    def predict_proba(self, texts: list[str]) -> list[list[float]]:
        self.asked += texts
        return [[self.chances[want] for want in self.classes_] for _ in texts]

    def predict(self, texts: list[str]) -> list[str]:
        self.asked += texts
        return [max(self.chances, key=lambda want: self.chances[want]) for _ in texts]


async def _rules(work: Any, model: Any) -> list[Check]:
    rules = work(RULES)
    if not isinstance(rules, str):
        return [(False, f"the rules are a text, a rule a line, and yours are {type(rules).__name__}")]
    new, old = messages("learn", NEW), messages("learn")
    found = [said for said in new if by_rules(said.text, rules) == "wholesale"]
    before = {said.text for said in old if by_rules(said.text) == said.want}
    lost = [said.text for said in old if said.text in before and by_rules(said.text, rules) != said.want]
    first = f", such as {lost[0]!r}" if lost else ""
    return [
        (len(found) >= 9, f"at least 9 of the 12 wholesale messages are found, and yours finds {len(found)}"),
        (len(lost) <= 2, f"at most 2 old messages may get a wrong category by it, and {len(lost)} do{first}"),
        (len(rules.splitlines()) <= len(RULES.splitlines()) + 4, "four lines more are enough: no list of messages"),
    ]


async def _sure(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for chances, sure, wanted in (
        (SURE, 0.6, "visit"),
        (UNSURE, 0.6, None),
        (UNSURE, 0.4, "return"),
        (UNSURE, 0.41, None),
        (SURE, 0.95, None),
    ):
        got = work("When do you open?", Scripted(chances), sure)
        best = max(chances, key=lambda want: chances[want])
        points.append(
            (got == wanted, f"{best} at {chances[best]} with sure={sure} has to give {wanted!r}, and gave {got!r}")
        )
    return points


async def _cascade(work: Any, model: Any) -> list[Check]:
    points: list[Check] = []
    for chances, calls in ((SURE, 0), (UNSURE, 1)):
        before = len(model.trace.of("model"))
        got = await work("My cup is late and broken.", Scripted(chances), model)
        made = model.trace.of("model")[before:]
        name = "sure" if not calls else "not sure"
        points.append(
            (len(made) == calls, f"where it is {name}, calls of the model: {calls}, and there were {len(made)}")
        )
        wanted = "visit" if not calls else None
        if made:
            wanted = made[0].response["choices"][0]["message"]["content"]
        right = got in WANTS and (got == wanted if not calls else f'"{got}"' in str(wanted))
        points.append(
            (right, f"where it is {name}, the answer comes from {'the model' if calls else 'it'}: got {got!r}")
        )
    return points


EXERCISES = [
    Exercise(
        id="02.1",
        task="Teach the rules a new category, without breaking the old ones.",
        stub="""\
def with_wholesale(rules):
    return rules
""",
        solution="""\
def with_wholesale(rules):
    words = r"wholesale|in bulk|restaurant|our (hotel|office|company|staff|bakery)|resell|trade price|supplier|supply|buyer"
    return rf"wholesale: {words}|we run a|coffee bar" + "\\n" + rules
""",
        hints=(
            "A rule is a line: the category, a colon, a space, and a pattern. `|` in a pattern means “or”.",
            "The first rule that is found decides, so the new one has to come first: `new + '\\n' + rules`.",
            "Print the messages: `for said in ch02.messages('learn', ch02.NEW): print(said.text)`.",
        ),
        check=_rules,
    ),
    Exercise(
        id="02.2",
        task="A classifier that knows when it does not know: None where its best guess is below a limit.",
        stub="""\
def decide(text, learned, sure):
    return learned.predict([text])[0]
""",
        solution="""\
def decide(text, learned, sure):
    chances = dict(zip(learned.classes_, learned.predict_proba([text])[0]))
    best = max(chances, key=chances.get)
    return best if chances[best] >= sure else None
""",
        hints=(
            "`learned.predict_proba([text])[0]` holds a chance for each category, in the order of `learned.classes_`.",
            "`dict(zip(learned.classes_, …))` puts names to them; `max(chances, key=chances.get)` is the best name.",
        ),
        check=_sure,
    ),
    Exercise(
        id="02.3",
        task="A cascade: the cheap classifier decides where it is sure (0.6), and the model is asked only where it is not.",
        stub="""\
async def cascade(text, learned, model):
    return await ch02.by_prompt(model, text)
""",
        solution="""\
async def cascade(text, learned, model):
    chances = dict(zip(learned.classes_, learned.predict_proba([text])[0]))
    best = max(chances, key=chances.get)
    return best if chances[best] >= 0.6 else await ch02.by_prompt(model, text)
""",
        hints=(
            "Begin with what you wrote for 02.2.",
            "`await ch02.by_prompt(model, text)` asks the model; do it only where the classifier is not sure.",
        ),
        check=_cascade,
    ),
]
