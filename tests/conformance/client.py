"""Our host as the client that the official conformance suite drives: `python client.py ADDRESS`.

It uses once all that the suite's server offers, as it does with the servers of the lab; the suite looks at what comes.
"""

import asyncio
import json
import os
import sys
from typing import Any

from llmlab.mcp.host import Host

FILLED = {"string": "us-west1", "integer": 5, "number": 3.5, "boolean": True}


def filled(schema: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the right types."""
    kinds = {name: schema["properties"][name].get("type", "string") for name in schema.get("required", [])}
    return {name: FILLED[kind] for name, kind in kinds.items()}


def person(server: str, question: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Takes the defaults, and fills in what has none."""
    return {name: p.get("default", FILLED[p["type"]]) for name, p in schema["properties"].items()}


async def main(url: str) -> None:
    mode = "legacy" if os.environ["MCP_CONFORMANCE_PROTOCOL_VERSION"] < "2026" else "auto"
    told = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    given = {call["name"]: call["arguments"] for call in told.get("toolCalls", [])}
    async with await Host.open({"suite": url}, mode=mode, approve=lambda *_: True, elicit=person) as host:
        for tool in host.tools():
            print(tool.name, await tool.call(given.get(tool.name, filled(tool.parameters))))
        for resource in host.resources():
            print(resource.uri, await host.read(resource.uri))
        for prompt in host.prompts():
            print(prompt.name, await host.prompt(prompt.name))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
