"""The gate of the adapter: a small fixed part of the held-out set, run live on the model in the box."""

import json

import pytest

from llmlab import connect, evaluate, settings
from llmlab.embedded import Embedded

RECORDED = settings.DATA / "adapter" / "gate.json"
ANEW = "record it anew: llmlab eval --gate --out data/adapter/gate"


def test_an_adapter_is_shipped_only_with_its_gate() -> None:
    assert settings.ADAPTER.is_file() == RECORDED.is_file(), ANEW


@pytest.mark.anyio
@pytest.mark.live
@pytest.mark.slow
async def test_no_skill_falls_clearly_below_what_was_recorded(box: Embedded) -> None:
    if not settings.ADAPTER.is_file():
        return  # the model in the box is as it was published: there is nothing to fall below
    said = json.loads(RECORDED.read_text(encoding="utf-8"))
    recorded = {skill: (counts["right"], counts["of"]) for skill, counts in said["skills"].items()}
    model, items = await connect("embedded"), evaluate.gate(evaluate.heldout())
    assert model.provenance["llmlab.adapter.sha256"] == said["adapter"], f"The adapter is another one; {ANEW}"
    asked = {skill: len(same) for skill, same in evaluate.by_name(items).items()}
    assert asked == {skill: n for skill, (_, n) in recorded.items()}, f"The held-out set is another one; {ANEW}"
    outcomes = await evaluate.run(model, items)
    fallen = evaluate.fallen(recorded, evaluate.by_skill(outcomes))
    assert not fallen, f"recorded: {recorded}\n{evaluate.table({'now': outcomes})}"
