"""The exercises of chapter 13: stubs as they stand in the notebook, one solution each, and checks on the frames."""

from chapters.ch13.checks import answered, first, opened
from llmlab.lesson import Exercise

EXERCISES = [
    Exercise(
        id="13.1",
        task="Write the first message of a connection in the modern era, which asks for the next tasting.",
        stub="""\
def first_message(number):
    return {"jsonrpc": "2.0", "id": number, "method": "tools/list"}
""",
        solution="""\
def first_message(number):
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    asked = {"name": "next_event", "arguments": {"title": "tasting", "after": "2026-09-01"}}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"_meta": meta, **asked}}
""",
        hints=(
            "The method is tools/call; its params hold the name of the tool, the arguments, and _meta.",
            "`MODERN` and `WANTED` in this chapter are the two halves of the params; mind the day, and merge them with `**`.",
        ),
        check=first,
    ),
    Exercise(
        id="13.2",
        task='Write "auto" yourself: ask a server what it speaks, and shake hands only where it has to be.',
        stub="""\
async def opened(wire, meta, hello):
    found = await wire.ask("server/discover", {"_meta": meta})
    return "2026-07-28"
""",
        solution="""\
async def opened(wire, meta, hello):
    found = await wire.ask("server/discover", {"_meta": meta})
    if "supportedVersions" in found:
        return "2026-07-28"
    settled = await wire.ask("initialize", hello)
    wire.send({"method": "notifications/initialized"})
    return settled["protocolVersion"]
""",
        hints=(
            "A server of the handshake era answers server/discover with an error, which has a code and a message.",
            "A handshake is two messages of the client: `initialize`, and after its reply `notifications/initialized`.",
            "The version is in the reply to `initialize`; it need not be the one that you asked for.",
        ),
        check=opened,
    ),
    Exercise(
        id="13.3",
        task="Write a server without any library, with a tool of your own choice that takes a text.",
        stub="""\
def answered(method, params):
    every = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    if method == "server/discover":
        return {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, **every}
    return None
""",
        solution="""\
def answered(method, params):
    every = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    if method == "server/discover":
        return {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, **every}
    if method == "tools/list":
        takes = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
        tool = {"name": "backwards", "description": "Write a text backwards.", "inputSchema": takes}
        return {"tools": [tool], **every}
    if method == "tools/call":
        text = params["arguments"].get("text")
        said = "backwards needs a text" if text is None else text[::-1]
        return {"content": [{"type": "text", "text": said}], "isError": text is None, **every}
    return None
""",
        hints=(
            "Look at what the calendar server answers to tools/list and tools/call; most fields may be left out, but not "
            "those in `every`.",
            'A tool is {"name": ..., "description": ..., "inputSchema": {"type": "object", "properties": ...}}.',
            'A result is {"content": [{"type": "text", "text": ...}], **every}; where the text is missing, with "isError": True.',
        ),
        check=answered,
    ),
]
