"""What else the protocol has or had: each feature, its methods in two versions as the SDK knows them, what became of it."""

from __future__ import annotations

from mcp_types import methods

OLD, NEW = "2025-11-25", "2026-07-28"
# Feature, what it is for, words by which its methods are found, what became of it in 2026-07-28.
FEATURES = [
    ("handshake", "agreeing on version and capabilities", ("initialize",), "removed: both travel with each request"),
    ("discovery", "asking what a server can do", ("server/discover",), "new: a request like any other"),
    ("ping", "asking whether the other side is alive", ("ping",), "removed, with the sessions"),
    (
        "elicitation",
        "the server asks the person",
        ("elicitation",),
        "kept, as an input_required result: the client asks the person, and repeats the request",
    ),
    (
        "sampling",
        "the server asks the host's model",
        ("sampling",),
        "deprecated, and an input_required result too; instead: call a model's API yourself",
    ),
    (
        "roots",
        "the server asks which folders it may use",
        ("roots",),
        "deprecated, and an input_required result too; instead: tool arguments or configuration",
    ),
    (
        "logging",
        "the server's log, sent to the client",
        ("logging", "notifications/message"),
        "deprecated; the level is set per request in _meta; instead: standard error, OpenTelemetry",
    ),
    (
        "subscriptions",
        "hearing of changed lists and resources",
        ("resources/subscribe", "resources/unsubscribe", "subscriptions"),
        "one request that names what to hear of; its reply is a stream of notices",
    ),
    ("completion", "proposals while an argument is typed", ("completion",), "kept"),
    (
        "tasks",
        "work that goes on after the reply",
        ("tasks/",),
        "experimental in 2025-11-25, now the extension io.modelcontextprotocol/tasks: the client polls with tasks/get",
    ),
    (
        "extensions",
        "features outside the core, each with a name of its own",
        (),
        "new: listed under extensions in the capabilities; tasks and apps (pages a host shows) are the first",
    ),
    (
        "authorization",
        "signing in at a server on the net",
        (),
        "OAuth 2.1 in HTTP headers, not in messages; kept and made stricter, registering clients on the fly deprecated",
    ),
]
_MAPS = (
    methods.CLIENT_REQUESTS,
    methods.CLIENT_NOTIFICATIONS,
    methods.SERVER_REQUESTS,
    methods.SERVER_NOTIFICATIONS,
)


def known(version: str, words: tuple[str, ...]) -> list[str]:
    """The methods of a version in which one of these words stands, as the installed SDK knows them."""
    found = {method for each in _MAPS for method, of in each if of == version}
    return sorted(method for method in found if any(word in method for word in words))


def features() -> list[list[str]]:
    """Rows for a table: feature, purpose, its messages (=: kept, −: removed in the newest version, +: new in it), what became of it."""
    rows = []
    for name, purpose, words, became in FEATURES:
        old, new = known(OLD, words), known(NEW, words)
        lines = [
            f"{_sign(message in old, message in new)}\N{NO-BREAK SPACE}{message}" for message in sorted({*old, *new})
        ]
        rows.append([name, purpose, "\n".join(lines), became])
    return rows


def _sign(before: bool, now: bool) -> str:
    return "=" if before and now else "+" if now else "−"
