"""An MCP server by hand, without the SDK. It speaks both eras, and fails in the way that its argument names."""

import json
import os
import signal
import sys
import time
from typing import Any

FAULT = sys.argv[1]
VERSION = "2099-01-01" if FAULT == "version" else None
WORK = {
    "name": "work",
    "description": "Work.",
    "inputSchema": {"type": "object"},
    "annotations": {"readOnlyHint": True},
}


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def send(**message: Any) -> None:
    write(json.dumps({"jsonrpc": "2.0", **message}))


def end(why: str) -> None:
    print(why, file=sys.stderr, flush=True)
    os._exit(3)


def result(method: str, params: dict[str, Any]) -> dict[str, Any]:
    if method == "server/discover":
        return {"supportedVersions": [VERSION or "2026-07-28"], "capabilities": {"tools": {}}}
    if method == "initialize":
        versions = {"protocolVersion": VERSION or "2025-11-25", "capabilities": {"tools": {}}}
        return {**versions, "serverInfo": {"name": "faulty", "version": "1"}}
    if method == "tools/list":
        if FAULT == "vanishes":
            end("the disk is full")
        return {"tools": [WORK], **({"nextCursor": "more"} if FAULT == "pages" else {})}
    if FAULT == "form":
        return {"content": 5}
    text = "x" * 50_000_000 if FAULT == "huge" else str(params.get("arguments", {}).get("number", "done"))
    return {"content": [{"type": "text", "text": text}]}


def answer(number: Any, method: str, params: dict[str, Any]) -> None:
    calling = method == "tools/call"
    if FAULT == "silent" or (calling and FAULT in ("hangs", "stubborn")):
        time.sleep(1_000_000)
    if calling and FAULT == "dies":
        end("out of memory (as a test)")
    if calling and FAULT == "error":
        return send(id=number, error={"code": -32000, "message": "the disk is full"})
    if calling and FAULT == "malformed":
        return write('{"jsonrpc": "2.0", "id": ')
    if calling and FAULT == "junk":
        write("Loading the model ...")
    while calling and FAULT == "floods":
        write("Still loading ...")
    while calling and FAULT == "chatters":
        send(method="notifications/message", params={"level": "info", "data": "hello"})
    number = 999 if calling and FAULT == "wrong id" else number
    shape = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    send(id=number, result=result(method, params) | (shape if "_meta" in params else {}))


if FAULT == "start":
    end("no configuration found")
if FAULT == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        answer(asked["id"], asked["method"], asked.get("params", {}))
