"""How protocol frames look: a diagram, a table, and one by one with a sentence on each."""

import re
from typing import Any

import pytest

from llmlab import Trace
from llmlab.show import frames
from llmlab.show.frames import PURPOSES
from llmlab.show.widgets import Panel
from test_show import EVIL, safe

# name, frame, message, and how the diagram says it
CALL = {"params": {"name": "find", "arguments": {"order": 5}}}
FRAMES: list[tuple[str, str, Any, str]] = [
    ("initialize", "request", {"params": {"protocolVersion": "2025-11-25"}}, "host->>s0: initialize 2025-11-25"),
    ("initialize: result", "result", {"result": {"protocolVersion": "2025-11-25"}}, "s0-->>host: 2025-11-25"),
    ("notifications/initialized", "notification", {}, "host-)s0: notifications/initialized"),
    ("tools/list: result", "result", {"result": {"tools": [{"name": "find"}, 5]}}, "s0-->>host: tools (2): find, 5"),
    ("tools/call", "request", CALL, 'host->>s0: tools/call find { "order": 5 }'),
    ("notifications/progress", "notification", {"params": {"progress": 1, "total": 3}}, "progress 1 of 3"),
    (
        "tools/call: result",
        "result",
        {"result": {"content": [{"text": "no"}, {"type": "image"}]}},
        "s0-->>host: no [image]",
    ),
    ("resources/read: error", "error", {}, "s0--xhost: error -1: no such note"),
    ("no message", "junk", "Loading ...", "s0--xhost: (no message) Loading ..."),
    ("POST /mcp", "http", None, "Note over host,s0: POST /mcp"),
    ("connection closed", "ended", None, "Note over host,s0: connection closed"),
]


def add(trace: Trace, name: str, frame: str, message: Any, error: str) -> None:
    sent = "sent" if frame in ("request", "notification") else "received"
    about = {"llmlab.server": "orders", "llmlab.direction": sent, "llmlab.frame": frame, "llmlab.message": message}
    trace.add("protocol", name, about, error if frame in ("error", "junk") else None)


@pytest.fixture
def trace() -> Trace:
    made = Trace("talk")
    for name, frame, message, _ in FRAMES:
        add(made, name, frame, message, "-1: no such note")
    return made


def test_diagram_and_table_have_a_line_for_each_frame(trace: Trace) -> None:
    source = frames.sequence(trace).text.split("\n")
    assert len(source[4:]) == len(FRAMES)
    for line, (*_, said) in zip(source[4:], FRAMES, strict=True):
        assert said in line
    shown = frames.table(trace)
    safe(shown, "all of it", '"protocolVersion": "2025-11-25"')
    assert "5   host → orders  request" in shown.text


def test_the_stepper_moves_through_the_frames_and_says_what_each_is_for(trace: Trace) -> None:
    shown = frames.stepper(trace)
    assert isinstance(shown, Panel)
    text = shown._repr_mimebundle_()["text/plain"]
    for said in ("Opens a session in the handshake era", "The server settles", "This line is no message"):
        assert said in text
    controls, view = shown.widget.children
    slider = controls.children[2]
    slider.value = 5
    assert "5 of 11" in view.value
    slider.value = 99
    assert "11 of 11" in view.value
    controls.children[0].click()
    assert "10 of 11" in view.value


def test_the_sentences_are_sentences() -> None:
    assert all(said[0].isupper() and said.endswith(".") for said in PURPOSES.values())


@pytest.mark.parametrize("frame", ["request", "result", "error", "junk", "unknown"])
def test_nothing_in_a_frame_becomes_an_element(frame: str) -> None:
    made = Trace()
    for message in (EVIL, {"params": {"name": EVIL}, "result": {"content": [{"type": EVIL, "text": EVIL}]}}):
        add(made, EVIL, frame, message, EVIL)
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
        assert "no protocol frames" in draw(Trace()).text  # type: ignore[union-attr]
