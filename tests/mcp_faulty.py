"""An MCP server by hand, without the SDK. It speaks both eras, and fails in the way that its argument names."""

import json
import os
import signal
import sys
import time
from typing import Any

WORK = {"name": "work", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}
MISFIT = {"type": "object", "properties": {"number": {"type": "string"}}}
ODD = [{"name": "broken", "inputSchema": 5}, "no tool", {**WORK, "outputSchema": MISFIT}]
PARTS = ["plain words", {"type": "hologram", "data": "x"}, {"type": "text", "text": "fine"}]


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def end(why: str) -> None:
    print(why, file=sys.stderr, flush=True)
    os._exit(3)


def result(fault: str, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """What is answered, also over HTTP."""
    version = "2099-01-01" if fault == "version" else None
    shape = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"} if "_meta" in params else {}
    if method == "server/discover":
        return {"supportedVersions": [version or "2026-07-28"], "capabilities": {"tools": {}}, **shape}
    if method == "initialize":
        info = {"name": "faulty", "version": "1"}
        return {"protocolVersion": version or "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {
            "tools": ODD if fault == "odd" else [WORK],
            **({"nextCursor": "more"} if fault == "pages" else {}),
            **shape,
        }
    if fault == "odd":
        return {"content": PARTS, "structuredContent": {"number": 5}, **shape}
    text = "x" * 50_000_000 if fault == "huge" else str(params.get("arguments", {}).get("number", "done"))
    return {"content": 5 if fault == "form" else [{"type": "text", "text": text}], **shape}


def answer(fault: str, number: Any, method: str, params: dict[str, Any]) -> None:
    calling = method == "tools/call"
    if fault == "silent" or (calling and fault in ("hangs", "stubborn")):
        time.sleep(1_000_000)
    if fault == "vanishes" and method == "tools/list":
        end("the disk is full")
    if calling and fault == "dies":
        end("out of memory (as a test)")
    if calling and fault == "malformed":
        return write('{"jsonrpc": "2.0", "id": ')
    if calling and fault == "junk":
        write("Loading the model ...")
    while calling and fault == "floods":
        write("Still loading ...")
    if calling and fault == "error":
        done: dict[str, Any] = {"error": {"code": -32000, "message": "the disk is full"}}
    else:
        done = {"result": result(fault, method, params)}
    return write(json.dumps({"jsonrpc": "2.0", "id": 999 if calling and fault == "wrong id" else number, **done}))


if __name__ == "__main__":
    if sys.argv[1] == "start":
        end("no configuration found")
    if sys.argv[1] == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" in asked:
            answer(sys.argv[1], asked["id"], asked["method"], asked.get("params", {}))
