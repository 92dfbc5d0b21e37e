"""How protocol frames look: a diagram, a table, and one by one with a sentence on each."""

import re
from typing import Any

import ipywidgets
import pytest

from llmlab import Trace
from llmlab.show import frames
from llmlab.show.frames import PURPOSES
from llmlab.show.widgets import Panel
from test_show import EVIL, safe


def add(trace: Trace, name: str, frame: str, message: Any = None, error: str | None = None, **more: Any) -> None:
    sent = "sent" if frame in ("request", "notification") else "received"
    about = {"llmlab.server": "orders", "llmlab.direction": sent, "llmlab.frame": frame, "llmlab.message": message}
    with trace.step("protocol", name, **about, **more) as step:
        if error:
            step.status, step.error = "error", error


@pytest.fixture
def trace() -> Trace:
    made = Trace("talk")
    made.event("no frame")
    call = {"params": {"name": "find", "arguments": {"order": 5}}}
    add(made, "initialize", "request", {"params": {"protocolVersion": "2025-11-25"}})
    add(made, "initialize: result", "result", {"result": {"protocolVersion": "2025-11-25"}})
    add(made, "notifications/initialized", "notification", {})
    add(made, "tools/list: result", "result", {"result": {"tools": [{"name": "find"}, {"name": "refund"}]}})
    add(made, "tools/call", "request", call)
    add(made, "notifications/progress", "notification", {"params": {"progress": 1, "total": 3}})
    add(
        made,
        "tools/call: result",
        "result",
        {"result": {"content": [{"type": "text", "text": "none"}, {"type": "image"}]}},
    )
    add(made, "resources/read: error", "error", {}, "-32002: no such note")
    add(made, "no message", "junk", "Loading ...", "junk")
    add(made, "POST /mcp", "http", None, **{"llmlab.headers": {"mcp-method": "tools/call"}})
    add(made, "connection closed", "ended")
    return made


def test_the_diagram_has_an_arrow_for_each_frame(trace: Trace) -> None:
    source = frames.sequence(trace).text.split("\n")
    assert source[0] == "sequenceDiagram"
    assert source[1] == "  accTitle: Frames between the host and orders"
    assert source[4:] == [
        "  host->>s0: initialize 2025-11-25",
        "  s0-->>host: 2025-11-25",
        "  host-)s0: notifications/initialized",
        "  s0-->>host: tools (2)#58; find, refund",
        "  host->>s0: tools/call find #123; #34;order#34;#58; 5 #125;",
        "  host-)s0: notifications/progress 1 of 3",
        "  s0-->>host: none [image]",
        "  s0--xhost: error -32002#58; no such note",
        "  s0--xhost: (no message) Loading ...",
        "  Note over host,s0: POST /mcp",
        "  Note over host,s0: connection closed",
    ]


def test_the_table_folds_the_message_and_its_text_names_both_ends(trace: Trace) -> None:
    shown = frames.table(trace)
    tags = safe(shown, "all of it", '"protocolVersion": "2025-11-25"')
    assert "details" in tags.seen
    assert "5   host → orders  request" in shown.text
    assert shown.text == frames.table(trace).text


def test_the_stepper_says_of_each_frame_what_it_is_for(trace: Trace) -> None:
    shown = frames.stepper(trace)
    assert isinstance(shown, Panel)
    text = shown._repr_mimebundle_()["text/plain"]
    assert text.startswith("1 of 11. host → orders: initialize 2025-11-25\n   Opens a session in the handshake era")
    assert "2 of 11. orders → host: initialize: result. 2025-11-25\n   The server settles" in text
    assert "9 of 11. orders → host: (no message) Loading ...\n   This line is no message" in text
    assert text == frames.stepper(trace)._repr_mimebundle_()["text/plain"]


def test_the_slider_of_the_stepper_moves_through_the_frames(trace: Trace) -> None:
    shown = frames.stepper(trace)
    assert isinstance(shown, Panel)
    controls, view = shown.widget.children
    slider = controls.children[2]
    assert isinstance(slider, ipywidgets.IntSlider)
    assert "initialize" in view.value
    slider.value = 5
    assert "5 of 11" in view.value
    assert "Calls one tool by its name" in view.value
    slider.value = 99
    assert "11 of 11" in view.value
    controls.children[0].click()
    assert "10 of 11" in view.value


@pytest.mark.parametrize("frame", ["request", "notification", "result", "error", "junk", "http", "ended", "unknown"])
def test_every_kind_of_frame_has_a_sentence_or_none(frame: str) -> None:
    made = Trace()
    add(made, "vendor/own", frame, {})
    assert bool(frames.purpose(made.steps[0])) == (frame != "unknown")
    for draw in (frames.sequence, frames.table, frames.stepper):
        assert draw(made) is not None


def test_the_sentences_are_sentences() -> None:
    for said in PURPOSES.values():
        assert said[0].isupper()
        assert said.endswith(".")


@pytest.mark.parametrize("frame", ["request", "result", "error", "junk"])
def test_nothing_in_a_frame_becomes_an_element(frame: str) -> None:
    made = Trace()
    for message in (EVIL, {"params": {"name": EVIL}, "result": {"content": [{"type": EVIL, "text": EVIL}]}}):
        add(made, EVIL, frame, message, EVIL if frame in ("error", "junk") else None)
    safe(frames.table(made), EVIL)
    stepper = frames.stepper(made)
    assert isinstance(stepper, Panel)
    safe(stepper.plain, EVIL)
    source = frames.sequence(made).text
    assert "<script" not in source
    for line in source.split("\n")[2:]:
        assert ";" not in re.sub(r"#\d+;", "", line)


def test_a_trace_without_frames_says_so() -> None:
    for draw in (frames.sequence, frames.table, frames.stepper):
        assert draw(Trace()).text == frames.NONE  # type: ignore[union-attr]
