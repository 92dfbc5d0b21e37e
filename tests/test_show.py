"""How replies, traces and tables look: everything escaped, texts beside pictures, sources that do not vary."""

import base64
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from llmlab import Model, Reply, ToolCall, Trace, settings, show
from llmlab.chat_app import Answer
from llmlab.show import replies, stream, traces, view
from llmlab.show.formatters import bundle
from llmlab.trace import Kind

EVIL = """<script>alert("1")</script> & 'x' </pre></details>"""


class Tags(HTMLParser):
    """The elements of a piece of HTML, and whether each that opens also closes."""

    def __init__(self, source: str):
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""
        self.feed(source)
        assert self.open == [], source

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)
        if tag not in ("br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def safe(shown: view.View, *texts: str) -> Tags:
    """The HTML is whole, holds the texts as text, and nothing of them as elements."""
    tags = Tags(shown.html)
    assert "script" not in tags.seen
    for text in texts:
        assert text in tags.text
    return tags


def reply(text: str = "Hello.", **change: Any) -> Reply:
    fields: dict[str, Any] = {
        "tool_calls": [],
        "finish_reason": "stop",
        "source": "embedded",
        "model": "small",
        "input_tokens": 12,
        "output_tokens": 3,
        "cached_tokens": 5,
        "seconds": 0.256,
        "first_token_seconds": None,
        "cost": None,
        "currency": "USD",
        "seed": 0,
        "request": {"messages": [{"content": "Hi"}]},
        "response": {"id": "r1"},
        "provenance": {},
    }
    return Reply(text, **{**fields, **change})


def step(trace: Trace, kind: Kind, name: str, asked: str = "", answered: str = "", **more: Any) -> None:
    model = {
        "gen_ai.request.model": "small",
        "llmlab.request": {"messages": [{"role": "user", "content": asked}]},
        "llmlab.response": {"choices": [{"message": {"content": answered}}]},
    }
    tool = {"gen_ai.tool.call.arguments": asked, "gen_ai.tool.call.result": answered}
    with trace.step(kind, name, **{"model": model, "tool": tool}.get(kind, {}), **more):
        pass


@pytest.fixture
def trace() -> Trace:
    made = Trace("a run")
    with made.span("all"):
        tokens = {"gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 3}
        step(made, "model", "chat", "What is the time?", "clock()", **tokens)
        step(made, "tool", "clock", "{}", "noon")
        made.event("approved", by="the person")
    with pytest.raises(ValueError), made.step("tool", "bad"):
        raise ValueError("it broke")
    for i, each in enumerate(made):  # so that what is drawn can be compared
        each.start, each.end = float(i), i + (0.0 if each.kind == "event" else 0.5)
    return made


EMPTY = Trace("nothing")


# Replies and models


def test_a_reply_shows_the_answer_first_then_where_it_came_from_and_what_it_cost() -> None:
    shown = replies.card(reply())
    assert shown.text == "Hello.\n[embedded: small · 12 tokens in (5 cached) · 3 out · 0.26 s]"
    tags = safe(shown, "Hello.", "embedded: small", "the request, as it was sent", '"id": "r1"')
    assert tags.text.index("Hello.") < tags.text.index("embedded") < tags.text.index("the request")
    assert "details" in tags.seen
    made = bundle(reply())
    assert shown.html in made["text/html"]
    assert made["text/plain"] == shown.text


def test_a_badge_names_money_and_an_unusual_end_only_where_there_is_one() -> None:
    assert replies.badge(reply(cost=0.00125, currency="EUR")).endswith("0.001250 EUR")
    assert replies.badge(reply(finish_reason="length")).endswith("ended by: length")
    assert "ended" not in replies.badge(reply(finish_reason="tool_calls"))


def test_tool_calls_and_notes_are_shown_and_an_empty_reply_says_so() -> None:
    calls = [ToolCall("c1", "clock", '{"zone": "UTC"}')]
    assert replies.card(reply("", tool_calls=calls)).text.startswith('→ clock({"zone": "UTC"})\n[')
    assert replies.card(reply("Wait.", tool_calls=calls)).text.startswith("Wait.\n→ clock(")
    assert replies.card(reply("")).text.startswith("(empty reply)\n")
    assert replies.card(reply(note="Not in the recording.")).text.endswith("]\nNot in the recording.")


def test_nothing_in_a_reply_becomes_an_element() -> None:
    everywhere = reply(
        EVIL,
        model=EVIL,
        note=EVIL,
        finish_reason=EVIL,
        tool_calls=[ToolCall(EVIL, EVIL, EVIL)],
        request={EVIL: EVIL},
        response={"x": [EVIL]},
    )
    safe(replies.card(everywhere), EVIL)
    safe(replies.answer_card(Answer(EVIL, [everywhere])), EVIL)


def test_an_answer_shows_its_calls() -> None:
    shown = replies.answer_card(Answer("Noon.", [reply(), reply()]))
    assert shown.text == "Noon.\n[2 calls · 24 tokens in · 6 out]"
    safe(shown, "call 1: embedded", "call 2: embedded")


def test_a_model_shows_what_is_known_of_it() -> None:
    model = Model(None, EVIL, "endpoint", settings.Settings(api_key="a-secret-key"), {"llmlab.x": EVIL})  # type: ignore[arg-type]
    shown = replies.model_card(model)
    safe(shown, EVIL)
    facts = json.loads(shown.text)
    assert (facts["source"], facts["can"]) == ("endpoint", "text (more is found out when a cell needs it)")
    assert facts["x"] == EVIL
    assert "a-secret-key" not in shown.text + shown.html
    able = Model(None, "m", "embedded", settings.Settings(), None, frozenset({"tools", "logprobs"}))  # type: ignore[arg-type]
    assert json.loads(replies.model_card(able).text)["can"] == "logprobs, tools"


# Tables


def test_columns_of_a_table_stand_under_each_other() -> None:
    shown = show.table_of(["name", "n"], [["a", 1], ["longer", 22]], "Counts")
    assert shown.text == "Counts\nname    n\na       1\nlonger  22"
    assert show.table_of(["name", "n"], []).text == "name  n"


def test_in_a_table_numbers_stand_right_and_words_left() -> None:
    shown = show.table_of(["a", "b", "c"], [["x", 1, 2.5]]).html
    assert re.findall(r"<td style='text-align:(\w+)", shown) == ["left", "right", "right"]
    assert shown.count("<th scope='col'") == 3


def test_a_line_break_in_a_cell_does_not_break_the_rows() -> None:
    shown = show.table_of(["a", "b"], [["x\ny", "z"], ["1", "2"]])
    assert shown.text == "a    b\nx y  z\n1    2"
    assert "x<br>y" in shown.html


def test_a_table_escapes_everything_but_a_view() -> None:
    inner = view.View("<b>bold</b>", "bold")
    shown = show.table_of([EVIL], [[EVIL], [inner]], EVIL)
    assert "b" in safe(shown, EVIL, "bold").seen
    assert shown.text.endswith("bold")


def test_a_row_of_another_length_is_an_error() -> None:
    for row in (["a"], ["a", "b", "c"]):
        with pytest.raises((ValueError, IndexError)):
            show.table_of(["one", "two"], [row])


def test_folded_data_that_json_does_not_know_is_shown_all_the_same() -> None:
    assert "a/b" in view.folded("where", {"path": Path("a/b")})
    assert "<pre>plain" in view.folded("words", "plain")


# Comparing


def test_comparing_marks_what_was_taken_and_what_was_added() -> None:
    shown = show.compare({"a": 1, "b": [1]}, {"a": 2, "b": [1]}, ("first", "second"))
    lines = shown.text.splitlines()
    assert lines[:2] == ["- first", "+ second"]
    assert [line for line in lines[2:] if line[0] == "-"] == ['-   "a": 1,']
    assert [line for line in lines[2:] if line[0] == "+"] == ['+   "a": 2,']
    assert "  }" in lines
    assert not any(line.startswith("?") for line in lines), "hints of the line comparison are not for readers"


def test_comparing_equal_values_marks_nothing() -> None:
    assert [line[0] for line in show.compare([1], [1]).text.splitlines()[2:]] == [" "] * 3


def test_lines_that_begin_with_a_mark_of_their_own_are_kept() -> None:
    shown = show.compare("? why\n- no", "? why\n+ yes")
    assert shown.text.splitlines()[2:] == ["  ? why", "- - no", "+ + yes"]


def test_comparing_escapes_values_and_names() -> None:
    safe(show.compare(EVIL, "other", (EVIL, EVIL)), f"- {EVIL}")
    safe(show.compare({"x": EVIL}, {}), "<script>")


# Traces


def test_a_trace_as_a_table_has_a_row_for_each_step_and_its_cost_above(trace: Trace) -> None:
    lines = show.table(trace).text.splitlines()
    assert lines[0] == "1 model calls, 2 tool calls, 12 tokens in (0 cached), 3 out, 1.50 s"
    assert lines[1].split() == ["#", "kind", "step", "what", "in", "out", "time", "status"]
    assert [line.split()[0] for line in lines[2:]] == ["1", "2", "3", "4", "5"]
    assert "· chat" in lines[3]
    assert "What is the time? → clock()" in lines[3]
    assert lines[3].split()[-4:] == ["3", "0.50", "s", "ok"]
    assert "it broke" in lines[6]
    assert lines[6].endswith("error")
    assert bundle(trace)["text/plain"] == show.table(trace).text


def test_money_stands_above_a_table_where_there_is_a_price() -> None:
    made = Trace()
    step(made, "model", "chat", **{"llmlab.cost": 0.0025})
    assert show.table(made).text.splitlines()[0].endswith(", 0.002500 in money")


def test_a_trace_as_a_tree_shows_which_step_called_which(trace: Trace) -> None:
    assert show.tree(trace).text.splitlines() == [
        "a run",
        "├─ ▸ all: ",
        "│  ├─ ● chat: What is the time? → clock()",
        "│  ├─ ■ clock: {} → noon",
        "│  └─ ▲ approved: by=the person",
        "└─ ■ bad: it broke",
    ]


def test_a_tree_of_a_run_that_was_cut_off_keeps_the_steps_of_an_unfinished_span(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    running = Trace("run", path=file)
    with running.span("never finished"):
        running.event("reached")
        found = Trace.load(file)  # the span is not on disk: it still runs
    assert show.tree(found).text == "run\n└─ ▲ reached: "
    assert "reached" in show.table(found).text


def test_steps_of_another_trace_do_not_lead_a_table_in_circles() -> None:
    mine, other = Trace("mine"), Trace("other")
    with mine.span("a"):
        step(other, "model", "chat", "Hi", "Hello")
    assert other.steps[0].parent is None, "or the next line would never end"
    assert show.table(other).text.splitlines()[-1].startswith("1")
    assert "chat" in show.tree(other).text


@pytest.mark.parametrize("draw", [show.table, show.tree])
def test_nothing_in_a_trace_becomes_an_element(draw: Any) -> None:
    made = Trace(EVIL)
    with made.span(EVIL, **{EVIL: EVIL}):
        step(made, "model", EVIL, "<script>1</script>", "<script>2</script>")
        step(made, "tool", """it's "quoted" <b>""", EVIL, EVIL)
    with pytest.raises(ValueError), made.step("tool", "bad"):
        raise ValueError(EVIL)
    safe(draw(made), "<script>1</script>", "<script>2</script>", """it's "quoted" <b>""")


def test_a_long_text_is_cut_in_the_row_and_whole_below() -> None:
    made = Trace()
    step(made, "model", "chat", "word " * 100, "end")
    shown = show.table(made)
    assert "…" in shown.text
    assert max(map(len, shown.text.splitlines())) < 160
    assert "word " * 100 in shown.html


def png(picture: show.Picture) -> tuple[bytes, str]:
    data, about = picture._repr_mimebundle_()
    assert data["text/plain"] == about["image/png"]["alt"] == picture.alt
    assert f"alt='{html.escape(picture.alt)}'" in data["text/html"], "JupyterLab shows image/png without its alt"
    return base64.b64decode(data["image/png"]), picture.alt


def test_a_timeline_is_a_picture_with_a_text_that_says_the_same(trace: Trace) -> None:
    picture = show.timeline(trace)
    image, alt = png(picture)
    assert image.startswith(b"\x89PNG")
    assert alt == "Timeline: all took 0.50 s; chat took 0.50 s; clock took 0.50 s; bad took 0.50 s"
    [axes] = picture.figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["all ▸", "chat ●", "clock ■", "bad ■"]
    assert [bar.get_x() for bar in axes.patches] == [0.0, 1.0, 2.0, 4.0]
    assert {bar.get_width() for bar in axes.patches} == {0.5}


def test_a_timeline_takes_money_signs_as_money_signs() -> None:
    made = Trace()
    step(made, "tool", r"from $5 to $\frac{")
    assert png(show.timeline(made))[0].startswith(b"\x89PNG")


def test_a_sequence_diagram_shows_who_was_asked_what_and_what_came_back(trace: Trace) -> None:
    diagram = show.sequence(trace)
    assert diagram.text.splitlines() == [
        "sequenceDiagram",
        "  accTitle: Sequence of a run",
        "  participant app as the app",
        "  participant p0 as model small",
        "  participant p1 as tool clock",
        "  participant p2 as tool bad",
        "  app->>p0: What is the time?",
        "  p0-->>app: clock()",
        "  app->>p1: #123;#125;",
        "  p1-->>app: noon",
        "  app->>p2: (nothing)",
        "  p2-->>app: it broke",
    ]
    assert diagram._repr_mimebundle_() == {
        "text/markdown": f"```mermaid\n{diagram.text}\n```",
        "text/plain": diagram.text,
    }
    assert show.sequence(trace).text == diagram.text


def test_tool_calls_of_a_model_stand_in_the_sequence() -> None:
    made = Trace()
    call = {"function": {"name": "clock", "arguments": "[]"}}
    answer = {"choices": [{"message": {"content": None, "tool_calls": [call, call]}}]}
    with made.step("model", "chat", **{"llmlab.request": {"messages": [{"content": None}]}, "llmlab.response": answer}):
        pass
    lines = show.sequence(made).text.splitlines()
    assert lines[-2:] == ["  app->>p0: chat", "  p0-->>app: clock([]) clock([])"]


def test_a_sequence_of_a_raw_post_can_be_drawn() -> None:
    made = Trace()
    with made.step("model", "responses", **{"llmlab.request": {"input": "Hi"}, "llmlab.response": {"output": []}}):
        pass
    assert show.sequence(made).text.splitlines()[-2:] == ["  app->>p0: responses", "  p0-->>app: ok"]
    assert show.table(made).text


SPECIAL = 'a;b#c"d\ne:f`g{h}<i>$$j$$ &lt; %%{init}%% ```\r\nparticipant x'


def test_signs_of_mermaid_are_taken_as_text() -> None:
    made = Trace(SPECIAL)
    step(made, "model", "chat", SPECIAL, SPECIAL)
    step(made, "tool", SPECIAL, SPECIAL, SPECIAL)
    source = show.sequence(made).text
    lines = source.splitlines()
    assert len(lines) == 9, "a line break in a text may not begin a line of the diagram"
    for line in lines[1:]:
        text = re.sub(r"^  (accTitle: |app-+>>p\d: |p\d-+>>app: |participant \w+ as )", "", line)
        text = re.sub(r"#\d+;", "", text)
        assert not set(text) & set(';#"<>{}:`$&'), line
    assert lines[-1].startswith("  p1-->>app: a#59;b#35;c#34;d e#58;f")


def test_a_long_text_is_cut_before_it_is_escaped() -> None:
    made = Trace()
    step(made, "model", "chat", ";" * 200, "x")
    assert "app->>p0: " + "#59;" * 59 + "…" in show.sequence(made).text


def test_an_empty_trace_can_be_drawn_in_every_way() -> None:
    assert show.table(EMPTY).text == "The trace is empty."
    assert "empty" in bundle(EMPTY)["text/html"]
    assert show.tree(EMPTY).text == "nothing"
    assert show.sequence(EMPTY).text.splitlines()[0] == "sequenceDiagram"
    image, alt = png(show.timeline(EMPTY))
    assert image.startswith(b"\x89PNG")
    assert alt.startswith("Timeline: ")


def test_a_running_step_can_be_drawn() -> None:
    made = Trace()
    with made.step("model", "chat", **{"llmlab.request": {"messages": []}}):
        assert "running" in show.table(made).text
        assert "running" in show.sequence(made).text
        assert png(show.timeline(made))[0]


def test_each_kind_has_a_colour_and_a_mark() -> None:
    kinds = set(Kind.__args__)  # type: ignore[attr-defined]
    assert kinds <= set(show.COLOURS)
    assert kinds <= set(view.MARKS)
    assert len({view.MARKS[k] for k in kinds}) == len(kinds), "nothing is told by colour alone"
    assert traces.mark("tool").text == "■ tool"


def test_a_view_is_its_text_where_there_is_no_front_end() -> None:
    shown = view.View("<b>x</b>", "x")
    assert str(shown) == "x"
    assert shown._repr_mimebundle_()["text/plain"] == "x"
    assert "<b>x</b>" in shown._repr_mimebundle_()["text/html"]


def test_dollars_are_no_mathematics() -> None:
    assert "mathjax_ignore" in view.View("$5 and $6", "$5 and $6")._repr_mimebundle_()["text/html"]


# The text that grows while a reply is written


class Handle:
    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []

    def update(self, data: dict[str, str], raw: bool) -> None:
        self.shown.append(data)


def test_growing_text_is_escaped_redrawn_now_and_then_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([1.0, 1.0, 1.01, 1.02, 2.0, 2.0])
    monkeypatch.setattr(stream.time, "monotonic", lambda: next(moments))
    handle = Handle()
    live = stream.LiveText(handle)
    for piece in ("<b>", "a", "b", "c"):
        live.write(piece)
    assert [d["text/plain"] for d in handle.shown] == ["<b>", "<b>abc"]
    assert "&lt;b&gt;abc" in handle.shown[-1]["text/html"]
    live.clear()
    assert handle.shown[-1] == {"text/html": "", "text/plain": ""}


def test_outside_of_a_notebook_nothing_grows() -> None:
    assert stream.LiveText.if_watched() is None
