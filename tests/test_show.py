"""How replies, traces and tables look: everything escaped, texts beside pictures, sources that do not vary."""

import base64
import html
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

from chapters.ch01 import app
from chapters.ch01.app import Answer
from llmlab import Model, Reply, ToolCall, Trace, settings, show, wait
from llmlab.agents import Run
from llmlab.show import formatters, runs, view
from llmlab.show.formatters import bundle
from llmlab.show.mermaid import sequence_diagram
from llmlab.trace import Kind

EVIL = """<script>alert("1")</script> & 'x' </pre></details>"""


class Tags(NamedTuple):
    """What a piece of HTML holds."""

    seen: set[str]
    text: str


def safe(shown: view.View, *texts: str) -> Tags:
    """The HTML is whole, holds the texts as text, and nothing of them as elements."""
    whole = ElementTree.fromstring(f"<div>{shown.html.replace('<br>', '<br/>')}</div>")
    tags = Tags({element.tag for element in whole.iter()}, "".join(whole.itertext()))
    assert "script" not in tags.seen
    assert [text for text in texts if text not in tags.text] == []
    return tags


def reply(text: str = "Hello.", **change: Any) -> Reply:
    fields: dict[str, Any] = {"tool_calls": [], "finish_reason": "stop", "source": "embedded", "model": "small"}
    fields |= {"input_tokens": 12, "output_tokens": 3, "cached_tokens": 5, "seconds": 0.256}
    fields |= {"first_token_seconds": None, "cost": None, "currency": "USD", "seed": 0, "provenance": {}}
    fields |= {"request": {"messages": [{"content": "Hi"}]}, "response": {"id": "r1"}}
    return Reply(text, **{**fields, **change})


def step(trace: Trace, kind: Kind, name: str, asked: str = "", answered: str = "", **more: Any) -> None:
    model = {
        "gen_ai.request.model": "small",
        "llmlab.request": {"messages": [{"role": "user", "content": asked}]},
        "llmlab.response": {"choices": [{"message": {"content": answered}}]},
    }
    tool = {"gen_ai.tool.call.arguments": asked, "gen_ai.tool.call.result": answered}
    with trace.step(kind, name, **{**{"model": model, "tool": tool}.get(kind, {}), **more}):
        pass


@pytest.fixture
def trace() -> Trace:
    made = Trace("a run")
    with made.span("all"):
        tokens = {"gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 3, "llmlab.cost": 0.0025}
        step(made, "model", "chat", "What is the time?", "clock()", **tokens)
        step(made, "tool", "clock", "{}", "noon")
        made.event("approved", by="the person")
    with pytest.raises(ValueError), made.step("tool", "bad"):
        raise ValueError("it broke")
    for i, each in enumerate(made):  # so that what is drawn can be compared
        each.start, each.end = float(i), i + (0.0 if each.kind == "event" else 0.5)
    return made


def evil_trace() -> Trace:
    made = Trace(EVIL)
    with made.span(EVIL, **{EVIL: EVIL}):
        step(made, "model", EVIL, EVIL, EVIL)
        step(made, "tool", EVIL, EVIL, EVIL)
        made.add("protocol", EVIL, {"llmlab.server": EVIL, "llmlab.message": {EVIL: EVIL}}, error=EVIL)
    return made


EVERYWHERE = reply(
    EVIL, model=EVIL, note=EVIL, finish_reason=EVIL, tool_calls=[ToolCall(EVIL, EVIL, EVIL)], request={EVIL: [EVIL]}
)
CONFIG = settings.Settings(api_key="a-secret-key")


@pytest.mark.parametrize(
    "draw",
    [
        lambda: runs.reply_card(EVERYWHERE),
        lambda: app.answer_card(Answer(EVIL, [EVERYWHERE])),
        lambda: runs.model_card(Model(None, EVIL, "endpoint", CONFIG, {EVIL: EVIL})),  # type: ignore[arg-type]
        lambda: runs.run_card(Run(EVIL, EVIL, evil_trace(), part=1, answer=EVIL, stopped="error", why=EVIL)),
        lambda: show.table(evil_trace()),
        lambda: show.tree(evil_trace()),
        lambda: show.table_of([EVIL], [[EVIL]], EVIL),
        lambda: show.compare(EVIL, "other", (EVIL, EVIL)),
        lambda: show.compare({EVIL: EVIL}, {}),
    ],
)
def test_what_a_model_a_tool_or_a_reader_says_never_becomes_an_element(draw: Callable[[], view.View]) -> None:
    assert "<script>" in safe(draw()).text


def test_a_reply_shows_the_answer_first_then_where_it_came_from_and_what_it_cost() -> None:
    text = safe(runs.reply_card(reply()), '"id": "r1"').text
    assert text.index("Hello.") < text.index("embedded") < text.index("the request, as it was sent")
    made = bundle(reply())
    assert made["text/plain"] == "Hello.\n[embedded: small · 12 tokens in (5 cached) · 3 out · 0.26 s]"
    assert "mathjax_ignore" in made["text/html"], "dollars are no mathematics"
    assert app.answer_card(Answer("Noon.", [reply(), reply()])).text == "Noon.\n[2 calls · 24 tokens in · 6 out]"
    assert bundle(3) == {}


CALL = ToolCall("c1", "clock", '{"zone": "UTC"}')


@pytest.mark.parametrize(
    ("given", "pattern"),
    [
        (reply(cost=0.00125, currency="EUR"), r"0\.001250 EUR\]$"),
        (reply(finish_reason="length"), r"ended by: length\]$"),
        (reply("", tool_calls=[CALL], finish_reason="tool_calls"), r'^→ clock\({"zone": "UTC"}\)\n\[.* s\]$'),
        (reply("Wait.", tool_calls=[CALL]), r"^Wait\.\n→ clock\("),
        (reply(""), r"^\(empty reply\)\n"),
        (reply(note="Not in the recording."), r"\]\nNot in the recording\.$"),
    ],
)
def test_what_is_unusual_about_a_reply_is_shown(given: Reply, pattern: str) -> None:
    assert re.search(pattern, runs.reply_card(given).text)


def test_a_model_shows_what_is_known_of_it_and_never_its_key() -> None:
    able = Model(None, "m", "embedded", CONFIG, {"llmlab.x": 1}, frozenset({"tools", "logprobs"}))  # type: ignore[arg-type]
    shown = runs.model_card(able)
    for part in ('"source": "embedded"', '"can": "logprobs, tools"', '"x": 1'):
        assert part in shown.text
    assert "a-secret-key" not in shown.text + shown.html


def test_a_table_keeps_its_rows_and_a_comparison_its_lines() -> None:
    assert show.table_of(["a", "b"], [["x\ny", view.View("<b>1</b>", "1")]], "Two").text == "a    b\nx y  1\nTwo"
    assert "<b>1</b>" in show.table_of(["a"], [[view.View("<b>1</b>", "1")]]).html
    with pytest.raises(ValueError):
        show.table_of(["one", "two"], [["a"]])
    assert "a/b" in view.folded("where", {"path": Path("a/b")}), "also what JSON does not know"
    lines = show.compare("? why\n- no", "? why\n+ yes", ("first", "second")).text.splitlines()
    assert lines == ["- first", "+ second", "  ? why", "- - no", "+ + yes"]


def test_unfinished_and_nested_steps_can_be_drawn_and_a_long_text_is_cut_in_the_row_only(tmp_path: Path) -> None:
    running = Trace("run", path=tmp_path / "run.jsonl")
    with running.span("never finished"):
        with running.step("tool", "ask"):
            step(running, "model", "chat", "word " * 100, "end")
        found = Trace.load(tmp_path / "run.jsonl")  # the span is not on disk: it still runs
        assert "running" in show.table(running).text
    assert show.tree(found).text.splitlines()[1].startswith("└─ ■ ask")
    for each, end in zip(found, (3.0, 2.0), strict=True):
        each.start, each.end = 1.0, end
    shown = show.table(found)
    assert " out, 2.00 s" in shown.text, "a call inside another is part of its time"
    assert max(map(len, shown.text.splitlines())) < 160
    assert ("…" in shown.text, "word " * 100 in shown.html) == (True, True)


def test_a_timeline_is_a_picture_with_a_text_that_says_the_same(trace: Trace) -> None:
    trace.steps[3].name = r"from $5 to $\frac{"  # money signs are no mathematics
    picture = show.timeline(trace)
    data, about = picture._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert picture.alt == "Timeline: all took 0.50 s; chat took 0.50 s; clock took 0.50 s; bad took 0.50 s"
    assert data["text/plain"] == about["image/png"]["alt"] == picture.alt
    assert f"alt='{html.escape(picture.alt)}'" in data["text/html"], "JupyterLab shows image/png without its alt"


def test_signs_of_mermaid_are_taken_as_text_and_long_texts_cut() -> None:
    special = 'a;b#c"d\ne:f`g{h}<i>$$j$$ &lt; %%{init}%% ```\r\nparticipant x'
    made = Trace(special)
    step(made, "model", "chat", special, special)
    step(made, "tool", special, special, ";" * 200)
    lines = show.sequence(made).text.splitlines()
    assert len(lines) == 9, "a line break in a text may not begin a line of the diagram"
    for line in lines[1:]:
        text = re.sub(r"^  (accTitle: |app-+>>p\d: |p\d-+>>app: |participant \w+ as )", "", line)
        assert not set(re.sub(r"#\d+;|<br/>", "", text)) & set(";#<>$&%\n"), line
    row = "#59;" * 38  # with three people
    assert lines[-1] == f"  p1-->>app: {row}<br/>{'#59;' * 21}…"


@pytest.mark.parametrize(("people", "longest"), [(2, 60), (3, 38), (5, 20)])
def test_the_more_people_a_diagram_has_the_shorter_are_its_lines(people: int, longest: int) -> None:
    said = [(f"p{n}", "->>", f"p{n + 1}", "a few words " * 20) for n in range(people - 1)]
    lines = [line.split(": ", 1)[1] for line in sequence_diagram("t", said).text.splitlines() if "->>" in line]
    assert {max(map(len, line.split("<br/>"))) for line in lines} <= set(range(longest - 5, longest + 1))


def test_an_empty_trace_can_be_drawn_in_every_way_and_each_kind_has_its_own_mark() -> None:
    empty = Trace("nothing")
    assert (show.table(empty).text, show.tree(empty).text) == ("The trace is empty.", "nothing")
    assert show.sequence(empty).text.startswith("sequenceDiagram")
    assert show.timeline(empty)._repr_mimebundle_()
    kinds = set(Kind.__args__)  # type: ignore[attr-defined]
    assert kinds <= set(show.COLOURS)
    assert len({view.MARKS[kind] for kind in kinds}) == len(kinds), "nothing is told by colour alone"


def test_growing_text_is_escaped_redrawn_now_and_then_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, str]] = []
    handle = SimpleNamespace(update=lambda data, raw: shown.append(data))
    monkeypatch.setattr(formatters, "display", lambda *data, **options: handle)
    moments = iter([1.0, 1.0, 1.01, 1.02, 2.0, 2.0])
    monkeypatch.setattr(formatters.time, "monotonic", lambda: next(moments))
    live = formatters.LiveText()
    for piece in ("<b>", "a", "b", "c"):
        live.write(piece)
    assert [d["text/plain"] for d in shown] == ["<b>", "<b>abc"]
    assert "&lt;b&gt;abc" in shown[-1]["text/html"]
    live.clear()
    assert shown[-1] == {"text/html": "", "text/plain": ""}
    assert wait.watched() is None, "outside of a notebook nothing grows"
