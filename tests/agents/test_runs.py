"""How a Run looks."""

import pytest
from scripted import Script, acts, look

from llmlab import Budget, Trace, show
from llmlab.agents import Member, Run, SingleStep, Team, ToolLoop
from llmlab.show.formatters import bundle
from llmlab.show.runs import letters

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


async def test_a_run_shows_its_answer_then_how_it_ended_then_its_cost() -> None:
    script = Script(acts(("look", {"city": "Oslo"})), "It rains.", price_in=1.0, price_out=1.0)
    run = await ToolLoop(script.model, [look]).run("Weather?")
    shown = bundle(run)
    answer, ended, cost, *calls = shown["text/plain"].splitlines()
    assert "\n".join(calls) == str(show.tree(run)), "who cannot unfold it reads the calls too"
    assert (answer, ended) == ("It rains.", "tool loop, done")
    assert cost.startswith("2 model calls, 1 tool calls, 20 tokens in (8 cached), 10 out, ")
    assert cost.endswith(", 0.000030 in money")
    assert "<details><summary" in shown["text/html"]
    for text in ("It rains.", "tool loop, done", "look"):
        assert text in shown["text/html"]


async def test_a_run_that_was_stopped_says_why() -> None:
    run = await SingleStep(Script("never").model, budget=Budget(steps=0)).run("Say it.")
    first, second, *_ = bundle(run)["text/plain"].splitlines()
    assert first == "(no answer)"
    assert second.startswith("single step, stopped: steps. The budget allows 0 model and tool steps")


async def test_what_a_model_a_tool_or_an_error_says_is_text_and_no_html() -> None:
    evil = "<script>alert('x')</script> & <b>bold</b>"
    script = Script(acts((evil, {"city": evil}), text=evil), acts(("look", {"city": evil})), evil)
    for run in (
        await ToolLoop(script.model, [look]).run(evil),
        Run(evil, evil, Trace(evil), stopped="error", why=evil),
        Run("x", "x", Trace(), answer=evil),
    ):
        shown = bundle(run)
        assert "<script" not in shown["text/html"]
        assert "<b>" not in shown["text/html"]
        assert "&lt;script&gt;" in shown["text/html"]
        assert evil in shown["text/plain"]


async def test_a_run_inside_another_trace_shows_its_own_calls_only() -> None:
    script = Script("Answer.")
    with Trace("mine") as mine:
        await script.model.chat("Before")
        run = await SingleStep(script.model).run("Task.")
        await script.model.chat("After")
    assert "1 model calls" in bundle(run)["text/plain"]
    for shown in (bundle(run)["text/html"], str(show.tree(run))):
        assert "Task." in shown
        assert "Before" not in shown
        assert "After" not in shown
    assert show.timeline(run).alt.count("took") == 2
    assert len(mine) == 4


async def test_a_run_that_never_began_shows_no_calls_of_others() -> None:
    with Trace("mine", budget=Budget(depth=1)) as mine, mine.span("all"):
        await Script("").model.chat("Before")
        run = await SingleStep(Script("").model).run("Task.")
    assert "0 model calls" in bundle(run)["text/plain"]
    assert "Before" not in bundle(run)["text/html"]
    assert str(show.tree(run)) == "single step"


async def test_an_answer_that_is_no_text_is_shown_as_text() -> None:
    run = Run("x", "x", Trace(), answer={"a": [1]}, stopped="done")
    assert bundle(run)["text/plain"].startswith("{'a': [1]}\nx, done\n")
    assert (str(run), str(Run("x", "x", Trace()))) == ("{'a': [1]}", "")


async def test_the_letters_of_a_team_are_a_diagram_that_tells_failures_apart() -> None:
    nobody = SingleStep(Script("never").model, budget=Budget(steps=0))
    members = [Member("a", "Go.", nobody), Member("b", "Go.", SingleStep(Script("5; 6").model), ["a"])]
    lines = letters((await Team(members).run("Sum?")).trace).text.splitlines()
    assert lines[:2] == ["sequenceDiagram", "  accTitle: Letters of team"]
    assert lines[2:5] == ["  participant p0 as you", "  participant p1 as a", "  participant p2 as b"]
    assert lines[5] == "  p0->>p1: task#58; Sum?"
    assert lines[6].startswith("  p1--xp2: failure#58; a stopped#58; The budget allows 0")
    assert lines[7] == "  p2->>p0: result#58; 5#59; 6"
