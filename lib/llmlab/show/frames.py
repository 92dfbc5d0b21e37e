"""The protocol frames of a trace: as a sequence diagram, as a table, and one by one with a sentence on each."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from llmlab.show.mermaid import Mermaid, clean, short
from llmlab.show.view import COLOURS, QUIET, View, folded, pretty, table_of
from llmlab.show.widgets import Panel

if TYPE_CHECKING:
    from llmlab.trace import Step, Trace

NONE = "The trace has no protocol frames."

# What each method is for. A reply has a sentence of its own where there is more to say than that it answers.
PURPOSES = {
    "initialize": "Opens a session in the handshake era: the client names the protocol version it wants, and what it "
    "can do.",
    "initialize: result": "The server settles the version and says what it can do. Both hold for the whole session.",
    "notifications/initialized": "The client confirms the handshake; only now may requests follow. No reply is due.",
    "server/discover": "The modern era has no handshake: the client asks what the server speaks and can do. Version "
    "and capabilities travel with each request, in _meta.",
    "server/discover: result": "The versions that the server speaks and its capabilities. Nothing is remembered: "
    "there is no session.",
    "server/discover: error": "The server does not know this method, so it is of the handshake era: the client goes on "
    "with initialize.",
    "ping": "Asks whether the other side is still there; only the handshake era has it.",
    "tools/list": "Asks which tools there are. Their descriptions are what a model will read.",
    "tools/list: result": "Each tool with its name, its description and the JSON schema of its arguments.",
    "tools/call": "Calls one tool by its name, with arguments.",
    "tools/call: result": "What the tool gave back, for the model to read. A tool that failed says so here, with "
    "isError; the call itself has worked.",
    "resources/list": "Asks what there is to read.",
    "resources/templates/list": "Asks for the patterns by which more can be read: addresses with {names} to fill in.",
    "resources/read": "Reads one resource by its address.",
    "resources/subscribe": "Asks to be told when a resource changes (handshake era).",
    "resources/unsubscribe": "Asks to be told no longer.",
    "prompts/list": "Asks which prompts the server keeps for its users.",
    "prompts/get": "Asks for one prompt, with its arguments filled in.",
    "completion/complete": "Asks how an argument that somebody is typing may go on.",
    "subscriptions/listen": "Asks to be told of changes (modern era). Its reply comes when the listening ends.",
    "notifications/subscriptions/acknowledged": "The server confirms what it will tell of.",
    "notifications/progress": "How far a request has come. It carries the token that the request gave.",
    "notifications/cancelled": "The sender no longer waits for this request: time was up, or somebody interrupted it. "
    "Over HTTP in the modern era, the client closes that request's connection instead.",
    "notifications/message": "A line of the server's log.",
    "notifications/tools/list_changed": "The tools are no longer what they were: the list has to be read again, and a "
    "person should look at what changed.",
    "notifications/resources/list_changed": "There is other material to read than before.",
    "notifications/resources/updated": "A resource that was subscribed to has changed.",
    "notifications/prompts/list_changed": "There are other prompts than before.",
    "logging/setLevel": "Asks for more or fewer log lines (handshake era).",
    "roots/list": "The server asks which folders it may work in.",
    "sampling/createMessage": "The server asks for a model's answer. The host decides whether it gets one.",
    "elicitation/create": "The server asks the person something, in the middle of a request.",
}
KINDS = {
    "request": "A request; its id will stand in the reply.",
    "notification": "A notification: it has no id, and no reply is due.",
    "result": "The reply; its id tells which request it answers.",
    "error": "The request failed: the code is for the program, the message for people.",
    "junk": "This line is no message of the protocol. Something else was printed to standard output; the client skips "
    "it.",
    "http": "The HTTP that carries the frame.",
    "ended": "The connection ends. No message says so: it just closes.",
}


def frames(trace: Trace) -> list[Step]:
    """The protocol steps, in order."""
    return trace.of("protocol")


def sequence(trace: Trace) -> View:
    """The frames as a Mermaid sequence diagram, which Jupyter draws."""
    steps = frames(trace)
    if not steps:
        return _nothing()
    names = list(dict.fromkeys(str(step.server) for step in steps))
    ids = {name: f"s{number}" for number, name in enumerate(names)}
    title = clean(f"Frames between the host and {', '.join(names)}")
    lines = ["sequenceDiagram", f"  accTitle: {title}", "  participant host as the host"]
    lines += [f"  participant {ids[name]} as {clean(name)}" for name in names]
    for step in steps:
        server, kind = ids[str(step.server)], step.frame
        ends = ("host", server) if step.direction == "sent" else (server, "host")
        arrow = {"request": "->>", "notification": "-)", "result": "-->>"}.get(kind, "--x")
        if kind in ("http", "ended"):
            lines.append(f"  Note over host,{server}: {clean(step.name)}")
        else:
            lines.append(f"  {ends[0]}{arrow}{ends[1]}: {clean(label(step))}")
    return Mermaid("\n".join(lines))


def table(trace: Trace) -> View:
    """One row a frame, with the whole message folded under it."""
    rows = []
    for number, step in enumerate(frames(trace), 1):
        brief = short(label(step), 80)
        data = step.get("llmlab.message", step.headers)
        detail = View(escape(brief, quote=False) + (folded("all of it", data) if data else ""), brief)
        rows.append([number, way(step), step.frame, detail])
    return table_of(["#", "from → to", "frame", "what"], rows) if rows else _nothing()


def stepper(trace: Trace) -> Panel | View:
    """Walk through the frames one by one, with a sentence on each. Where nothing can be pressed, all as text."""
    import ipywidgets

    steps = frames(trace)
    if not steps:
        return _nothing()
    views = [_one(step, number, len(steps)) for number, step in enumerate(steps, 1)]
    shown = ipywidgets.HTML(views[0].html)
    slider = ipywidgets.IntSlider(value=1, min=1, max=len(steps), description="Frame")
    back, forth = ipywidgets.Button(description="◀ Back"), ipywidgets.Button(description="Next ▶")

    def draw(change: Any) -> None:
        shown.value = views[change["new"] - 1].html

    def go(by: int) -> None:
        slider.value += by  # the slider keeps to its ends

    slider.observe(draw, names="value")
    back.on_click(lambda _: go(-1))
    forth.on_click(lambda _: go(1))
    text = "\n".join(view.text for view in views)
    plain = View("".join(f"<div>{view.html}</div>" for view in views), text)
    return Panel(ipywidgets.VBox([ipywidgets.HBox([back, forth, slider]), shown]), plain)


def purpose(step: Step) -> str:
    """A sentence on what this frame is for."""
    kind = str(step.frame)
    return PURPOSES.get(step.name) or KINDS.get(kind, "")


def label(step: Step) -> str:
    """A frame in a few words: the method and what matters of it."""
    message, kind = step.message, step.frame
    if kind == "junk":
        return f"(no message) {message}"
    if kind == "error":
        return f"error {step.error}"
    if not isinstance(message, dict):  # HTTP, or one that was too long to keep
        return step.name
    if kind == "result":
        return _result(message.get("result") or {}) or step.name
    params = message.get("params") or {}
    named = [str(params[key]) for key in ("name", "uri", "protocolVersion", "requestId", "level") if key in params]
    given = [pretty(params["arguments"])] if params.get("arguments") else []
    done = [f"{params['progress']:g} of {params.get('total', '?')}"] if "progress" in params else []
    return " ".join([step.name, *named, *given, *done])


def _result(result: dict[str, Any]) -> str:
    for key in ("tools", "resources", "resourceTemplates", "prompts"):
        if isinstance(listed := result.get(key), list):
            return f"{key} ({len(listed)}): {', '.join(str(entry.get('name')) for entry in listed)}".rstrip(": ")
    if "content" in result:
        texts = [str(block.get("text") or f"[{block.get('type')}]") for block in result["content"]]
        return ("(failed) " if result.get("isError") else "") + " ".join(texts)
    if "contents" in result:
        return " ".join(str(part.get("text") or f"[{part.get('mimeType')}]") for part in result["contents"])
    if "messages" in result:
        return f"{len(result['messages'])} messages"
    return str(result.get("protocolVersion") or ", ".join(result.get("supportedVersions", [])))


def way(step: Step) -> str:
    """From whom to whom a frame goes."""
    server = str(step.server)
    return f"host → {server}" if step.direction == "sent" else f"{server} → host"


def _one(step: Step, number: int, of: int) -> View:
    reply = f"{step.name}. " if step.frame in ("result", "error") else ""
    head = f"{number} of {of}. {way(step)}: {reply}{short(label(step), 120)}"
    data = step.get("llmlab.message", step.headers)
    body = escape(data if isinstance(data, str) else pretty(data)) if data else ""
    html = (
        f"<div style='border-left:3px solid {COLOURS['protocol']};padding-left:8px'><b>{escape(head)}</b>"
        f"<p>{escape(purpose(step))}</p><pre style='{QUIET};max-height:24em;overflow:auto'>{body}</pre></div>"
    )
    return View(html, f"{head}\n   {purpose(step)}")


def _nothing() -> View:
    return View(f"<p>{NONE}</p>", NONE)
