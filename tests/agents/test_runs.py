"""How a Run looks."""

import pytest
from scripted import Script, acts, look

from llmlab import Budget, Trace, show
from llmlab.agents import Member, Run, SingleStep, Team, ToolLoop
from llmlab.show.formatters import bundle
from llmlab.show.runs import letters

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


async def test_a_run_shows_its_answer_then_how_it_ended_then_its_cost_and_its_calls() -> None:
    script = Script(acts(("look", {"city": "Oslo"})), "It rains.", price_in=1.0, price_out=1.0)
    run = await ToolLoop(script.model, [look]).run("Weather?")
    answer, ended, cost, *calls = bundle(run)["text/plain"].splitlines()
    assert (answer, ended, "\n".join(calls)) == ("It rains.", "tool loop, done", str(show.tree(run)))
    assert cost.startswith("2 model calls, 1 tool calls, 20 tokens in (8 cached), 10 out, ")
    assert cost.endswith(", 0.000030 in money")
    assert "<details><summary" in bundle(run)["text/html"]


async def test_what_a_model_a_tool_or_an_error_says_is_text_and_no_html() -> None:
    evil = "<script>alert('x')</script> & <b>bold</b>"
    script = Script(acts((evil, {"city": evil}), text=evil), acts(("look", {"city": evil})), evil)
    for run in (
        await ToolLoop(script.model, [look]).run(evil),
        Run(evil, evil, Trace(evil), stopped="error", why=evil),
    ):
        shown = bundle(run)
        assert "<script" not in shown["text/html"]
        assert "&lt;script&gt;" in shown["text/html"]
        assert evil in shown["text/plain"]


async def test_a_run_inside_another_trace_shows_its_own_calls_only_and_none_if_it_never_began() -> None:
    script = Script("Answer.")
    with Trace("mine") as mine:
        await script.model.chat("Before")
        run = await SingleStep(script.model).run("Task.")
        with mine.span("all"), mine.limit(Budget(depth=0)):
            never = await SingleStep(script.model).run("Again.")
    assert "Task." in bundle(run)["text/html"]
    assert "Before" not in bundle(run)["text/html"]
    assert bundle(never)["text/plain"].startswith("(no answer)\nsingle step, stopped: depth.")
    assert str(show.tree(never)) == "single step"


async def test_the_letters_of_a_team_are_a_diagram_that_tells_failures_apart() -> None:
    nobody = SingleStep(Script("never").model, budget=Budget(steps=0))
    members = [Member("a", "Go.", nobody), Member("b", "Go.", SingleStep(Script("5; 6").model), ["a"])]
    lines = letters((await Team(members).run("Sum?")).trace).text.splitlines()
    assert lines[0] == "sequenceDiagram"
    assert lines[2:6] == [
        *(f"  participant p{i} as {name}" for i, name in enumerate(["you", "a", "b"])),
        "  p0->>p1: task: Sum?",
    ]
    assert lines[6].startswith("  p1--xp2: failure: a")
    assert lines[7] == "  p2->>p0: result: 5#59; 6"
