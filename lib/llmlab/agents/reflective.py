"""Draft, score, advise, revise, while it runs (Self-Refine, arXiv:2303.17651; Reflexion, arXiv:2303.11366)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from llmlab.agents.base import Agent, Run
from llmlab.checked import checked
from llmlab.errors import LabError, ModelError
from llmlab.llm.chat import Model


class Verdict(BaseModel, extra="forbid"):
    """What a judge says about a text and a criterion; the score goes from 0 to 10."""

    meets: bool
    score: int = Field(ge=0, le=10)
    advice: str


@dataclass(frozen=True)
class Criterion:
    """What a text has to meet. A `check` by program returns advice, or ""; without one, the judge is asked."""

    text: str
    check: Callable[[str], str] | None = None


@dataclass(frozen=True)
class Draft:
    """A text, how many criteria it meets, and the advice for the next one."""

    text: str
    met: int
    advice: str


class Reflective(Agent):
    """Writes, judges, revises at most `rounds` times, until nothing is left to advise or the same would be asked again.
    The best draft is the answer, not the last one; what it lacks, the run's `why` says."""

    name = "reflective"
    prompts = {
        "draft": "{task}",
        "judge": "Text: {text}\nCriterion: {criterion}\nDoes the text meet the criterion? Answer as JSON with meets (true or "
        "false), score (0 to 10) and advice (what to change, empty if nothing).",
        "revise": "Revise the text by this advice: {advice}\nWrite only the revised text.\n\n{text}",
    }

    @checked
    def __init__(
        self, model: Any, criteria: Sequence[Criterion], judge: Model | None = None, rounds: int = 3, **options: Any
    ):
        super().__init__(model, **options)
        self.criteria, self.judge, self.rounds = list(criteria), judge or model, rounds

    async def work(self, run: Run) -> None:
        """Draft, then judge and revise, round by round."""
        drafts: list[Draft] = run.notes.setdefault("drafts", [])
        ask, asked, why = self.prompt("draft", task=run.task), set[str](), "The rounds are used up"
        for round in range(self.rounds + 1):
            if ask in asked:  # at temperature 0 the same request gets the same reply
                why = "Another round would ask the same again and get the same"
                break
            asked.add(ask)
            with run.trace.span(f"round {round}"):
                text = (await self.model.chat(ask)).text
                run.answer = run.answer or text
                drafts.append(await self.score(text))
            run.answer = (best := max(drafts, key=lambda draft: draft.met)).text
            if self.done(drafts):
                why = "No further round was wanted"
                break
            ask = self.prompt("revise", task=run.task, advice=drafts[-1].advice, text=text)
        if best.met < len(self.criteria):
            run.why = f"{why}; the best draft meets {best.met} of {len(self.criteria)} criteria."

    def done(self, drafts: Sequence[Draft]) -> bool:
        """Whether to stop before the rounds are used up: nothing is left to advise."""
        return not drafts[-1].advice

    async def score(self, text: str) -> Draft:
        """How many criteria a text meets, and the first advice on the others."""
        wrong = [advice for criterion in self.criteria if (advice := await self.advice(text, criterion))]
        return Draft(text, len(self.criteria) - len(wrong), wrong[0] if wrong else "")

    async def advice(self, text: str, criterion: Criterion) -> str:
        """What to change so that the text meets a criterion; "" if it does."""
        if criterion.check:
            if not isinstance(said := criterion.check(text), str | None):
                raise LabError(
                    f"A check gives advice, or '' for a good text; that of {criterion.text!r} gave {said!r}."
                )
            return said or ""
        reply = await self.judge.chat(self.prompt("judge", text=text, criterion=criterion.text), schema=Verdict)
        try:
            verdict = reply.parse(Verdict)
        except ModelError:  # a judge that cannot be read has not said yes
            return criterion.text
        return "" if verdict.meets else verdict.advice or criterion.text
