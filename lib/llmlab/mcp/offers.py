"""What MCP servers offer: tools, resources and prompts, as plain data that can be compared."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mcp.shared.uri_template import InvalidUriTemplate, UriTemplate
from mcp_types import Tool

NAME = 64  # characters, of a-z A-Z 0-9 _ -, that OpenAI's API takes for a tool's name


@dataclass(frozen=True)
class Offer:
    """A tool as its server describes it. Where that is not what was approved, `before` is the tool as it was approved
    (None: the tool is new)."""

    server: str
    name: str
    description: str
    parameters: dict[str, Any]
    output: dict[str, Any] | None = None
    annotations: dict[str, Any] = field(default_factory=dict)
    before: Offer | None = None

    @classmethod
    def of(cls, server: str, tool: Tool, output: dict[str, Any] | None = None) -> Offer:
        """From the server's own list, and the output schema that stands there."""
        annotations = tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations else {}
        described = tool.description or tool.title or ""
        return cls(server, tool.name, described, tool.input_schema, output, annotations)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that the server says of the tool."""
        said = [self.server, self.name, self.description, self.parameters, self.output, self.annotations]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def reads_only(self) -> bool:
        """Whether calls change nothing, as the server says: a server that is not trusted may say anything."""
        return self.annotations.get("readOnlyHint") is True

    def __str__(self) -> str:
        return f"{self.server}.{self.name}"


@dataclass(frozen=True)
class Resource:
    """Something to read. A template's `uri` has {names} to fill in."""

    server: str
    uri: str
    name: str
    description: str = ""
    mime: str = ""
    template: bool = False

    def fits(self, uri: str) -> bool:
        """Whether this is what the URI names."""
        if not self.template:
            return uri == self.uri
        try:
            return UriTemplate.parse(self.uri).match(uri) is not None
        except InvalidUriTemplate:  # the server's own mistake
            return False


@dataclass(frozen=True)
class Prompt:
    """A prompt that a server keeps. `arguments`: name -> whether it is required."""

    server: str
    name: str
    description: str
    arguments: dict[str, bool]


def names(owned: Sequence[tuple[str, str]]) -> list[str]:
    """A name for each (server, name) that a model's API takes; the server stands before it where two would be alike."""
    short = [_clean(name) for _, name in owned]
    often, found = Counter(short), list[str]()
    for (server, name), alone in zip(owned, short, strict=True):
        full = alone if often[alone] == 1 else _clean(f"{server}_{name}")
        unique, number = full, 1
        while unique in found:
            number += 1
            unique = f"{full[: NAME - 5]}_{number}"
        found.append(unique)
    return found


def _clean(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:NAME] or "_"
