"""What MCP servers offer: tools, resources and prompts, as plain data that can be compared."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, count
from typing import Any

import mcp_types as types
from mcp.shared.uri_template import InvalidUriTemplate, UriTemplate

NAME = 64  # characters, of a-z A-Z 0-9 _ -, that OpenAI's API takes for a tool's name
_NOT_AT_THE_TOP = {"anyOf", "oneOf", "allOf", "enum", "not"}  # of a tool's parameters: OpenAI's API refuses the request


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
    def of(cls, server: str, tool: types.Tool) -> Offer:
        """From the server's own list."""
        annotations = tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations else {}
        described = tool.description or tool.title or ""
        return cls(server, tool.name, described, tool.input_schema, tool.output_schema, annotations)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that the server says of the tool."""
        said = [self.server, self.name, self.description, self.parameters, self.output, self.annotations]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def reads_only(self) -> bool:
        """Whether calls change nothing, as the server says: a server that is not trusted may say anything."""
        return self.annotations.get("readOnlyHint") is True

    @property
    def for_model(self) -> dict[str, Any]:
        """The parameters as models' APIs take them; the server checks what is left out here."""
        kept = {key: value for key, value in self.parameters.items() if key not in _NOT_AT_THE_TOP}
        return {"type": "object", **kept, "properties": self.parameters.get("properties") or {}}

    def __str__(self) -> str:
        return f"{self.server}.{self.name}"


@dataclass(frozen=True)
class Resource:
    """Something to read. A template's `uri` has {names} to fill in."""

    server: str
    uri: str
    name: str
    description: str
    template: bool = False

    @classmethod
    def of(cls, server: str, one: types.Resource | types.ResourceTemplate) -> Resource:
        """From the server's own list."""
        if isinstance(one, types.ResourceTemplate):
            return cls(server, one.uri_template, one.name, one.description or "", template=True)
        return cls(server, one.uri, one.name, one.description or "")

    def fits(self, uri: str) -> bool:
        """Whether this is what the URI names."""
        try:
            return uri == self.uri or (self.template and UriTemplate.parse(self.uri).match(uri) is not None)
        except InvalidUriTemplate:  # the server's own mistake
            return False


@dataclass(frozen=True)
class Prompt:
    """A prompt that a server keeps, by its `own` name. `arguments`: name -> whether it is required."""

    server: str
    name: str
    description: str
    arguments: dict[str, bool]
    own: str = ""

    @classmethod
    def of(cls, server: str, prompt: types.Prompt) -> Prompt:
        """From the server's own list."""
        arguments = {argument.name: bool(argument.required) for argument in prompt.arguments or []}
        return cls(server, prompt.name, prompt.description or "", arguments)


def names(owned: Sequence[tuple[str, str]]) -> list[str]:
    """A name for each (server, name) that a model's API takes; the server stands before it where two would be alike."""
    short = [_clean(name) for _, name in owned]
    often, found = Counter(short), list[str]()
    for (server, name), alone in zip(owned, short, strict=True):
        full = alone if often[alone] == 1 else _clean(f"{server}_{name}")
        others = (f"{full[: NAME - 5]}_{number}" for number in count(2))
        found.append(next(unique for unique in chain([full], others) if unique not in found))
    return found


def _clean(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:NAME] or "_"
