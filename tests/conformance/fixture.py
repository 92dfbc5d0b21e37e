"""The server that the official conformance suite asks for, made and run as the servers of the lab are.

Its scenarios look for these names and texts. What the protocol deprecates, no server of the lab does, and this one has
to. `python fixture.py --http --port PORT`
"""

import asyncio
import base64
import json
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Resolve, Sample, UserMessage
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_types import ElicitRequest, InputRequiredResult, SamplingMessage, TextContent
from pydantic import BaseModel, Field

from shop.common import run

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
SILENCE = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQIAAAAAAA=="
TITLED = [{"const": f"value{n}", "title": title} for n, title in enumerate(("First", "Second", "Third"), 1)]


class Person(BaseModel):
    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


class Defaults(BaseModel):
    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Literal["active", "inactive", "pending"] = "active"
    verified: bool = True


class Choices(BaseModel):
    untitledSingle: str = Field(json_schema_extra={"enum": ["option1", "option2", "option3"]})
    titledSingle: str = Field(json_schema_extra={"oneOf": TITLED})
    legacyEnum: str = Field(json_schema_extra={"enum": ["opt1", "opt2"], "enumNames": ["One", "Two"]})
    untitledMulti: list[str] = Field(json_schema_extra={"items": {"type": "string", "enum": ["option1", "option2"]}})
    titledMulti: list[str] = Field(json_schema_extra={"items": {"anyOf": TITLED}})


def text(words: str) -> TextContent:
    return TextContent(type="text", text=words)


def embedded(uri: str, mime_type: str, words: str) -> types.EmbeddedResource:
    resource = types.TextResourceContents(uri=uri, mime_type=mime_type, text=words)
    return types.EmbeddedResource(type="resource", resource=resource)


def form(message: str, **properties: str) -> ElicitRequest:
    """A question to the person, for properties of these types."""
    parts = {name: {"type": kind} for name, kind in properties.items()}
    schema = {"type": "object", "properties": parts, "required": list(properties)}
    return ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))


IMAGE = types.ImageContent(type="image", data=PIXEL, mime_type="image/png")
MIXED = embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
CONTENTS: dict[str, list[types.ContentBlock]] = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [IMAGE],
    "test_audio_content": [types.AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")],
    "test_embedded_resource": [embedded("test://embedded-resource", "text/plain", "Embedded content.")],
    "test_multiple_content_types": [text("Multiple content types test:"), IMAGE, MIXED],
}
NAME = form("What is your name?", name="string")
QUESTION = SamplingMessage(role="user", content=text("What is the capital of France?"))
CAPITAL = types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[QUESTION], max_tokens=100))
ROOTS = types.ListRootsRequest()
CONFIRM = form("Please confirm", ok="boolean")
# What tools of the modern era ask before they answer, and the state that they get back: the SDK seals it.
QUESTIONS: dict[str, tuple[dict[str, Any], str | None]] = {
    "test_input_required_result_elicitation": ({"user_name": NAME}, None),
    "test_streaming_elicitation": ({"user_name": NAME}, None),
    "test_input_required_result_sampling": ({"capital_question": CAPITAL}, None),
    "test_input_required_result_list_roots": ({"client_roots": ROOTS}, None),
    "test_input_required_result_request_state": ({"confirm": CONFIRM}, "state-ok"),
    "test_input_required_result_tampered_state": ({"confirm": CONFIRM}, "state-ok"),
    "test_input_required_result_multiple_inputs": ({"name": NAME, "capital": CAPITAL, "roots": ROOTS}, "waiting"),
}


def gives(content: list[types.ContentBlock]) -> Callable[[], list[types.ContentBlock]]:
    def give() -> list[types.ContentBlock]:
        return content

    return give


def elicits(shape: type[BaseModel]) -> Callable[[Context, str], Awaitable[str]]:
    """What a server could do to its client in the handshake era: ask the person while a call runs."""

    async def elicit(ctx: Context, message: str = "Please answer.") -> str:
        return f"User response: {await ctx.elicit(message, shape)}"

    return elicit


def said(ctx: Context, key: str) -> dict[str, Any] | None:
    """What a person has filled in."""
    answer = (ctx.input_responses or {}).get(key)
    return answer.content if isinstance(answer, types.ElicitResult) and answer.action == "accept" else None


def asks(asked: dict[str, Any], state: str | None) -> Callable[[Context], str | InputRequiredResult]:
    """What takes its place in the modern era: a result that says what is needed, and the same call once more."""

    def ask(ctx: Context) -> str | InputRequiredResult:
        forms = [key for key, request in asked.items() if isinstance(request, ElicitRequest)]
        came = asked.keys() <= (ctx.input_responses or {}).keys() and all(said(ctx, key) for key in forms)
        if came and ctx.request_state == state:
            return f"{state}: {ctx.input_responses}"
        return InputRequiredResult(input_requests=asked, request_state=state)

    return ask


def server(_: Path) -> MCPServer:
    """What the conformance suite calls."""
    mcp = MCPServer("conformance", version="1", log_level="WARNING")
    for name, content in CONTENTS.items():
        mcp.add_tool(gives(content), name=name, description="Give this back.", structured_output=False)
    for name, (asked, state) in QUESTIONS.items():
        mcp.add_tool(asks(asked, state), name=name, description="Ask before it answers.")
    for name, shape in (("", Person), ("_sep1034_defaults", Defaults), ("_sep1330_enums", Choices)):
        mcp.add_tool(elicits(shape), name=f"test_elicitation{name}", description="Ask the person.")
    tools(mcp)
    resources_and_prompts(mcp)

    async def nothing(ctx: Any, params: Any) -> types.EmptyResult:
        return types.EmptyResult()

    low = mcp._lowlevel_server  # no other way leads to these methods of the handshake era
    low.add_request_handler("logging/setLevel", types.SetLevelRequestParams, nothing)
    low.add_request_handler("resources/subscribe", types.SubscribeRequestParams, nothing)
    low.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, nothing)
    return mcp


def tools(mcp: MCPServer) -> None:
    """Tools of their own kind each."""
    tool = mcp.tool(description="Do what its name says.")

    @tool
    def test_error_handling() -> str:
        raise ToolError("This tool intentionally returns an error for testing")

    @tool
    async def test_tool_with_progress(ctx: Context) -> str:
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100)
            await asyncio.sleep(0.05)
        return "done"

    @tool
    async def test_tool_with_logging(ctx: Context) -> str:
        for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(line)
            await asyncio.sleep(0.05)
        return "logged"

    mcp.add_tool(test_tool_with_logging, name="test_logging_tool", description="Log.")

    @tool
    async def test_sampling(prompt: str, ctx: Context) -> str:
        message = SamplingMessage(role="user", content=text(prompt))
        return f"LLM response: {(await ctx.session.create_message([message], max_tokens=100)).content.text}"

    @tool
    def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
        if ctx.request_state and (answer := said(ctx, "step2")):
            return f"{ctx.request_state} likes {answer['color']}."
        if answer := said(ctx, "step1"):
            asked = {"step2": form("Step 2: What is your favorite color?", color="string")}
            return InputRequiredResult(input_requests=asked, request_state=str(answer["name"]))
        asked = {"step1": form("Step 1: What is your name?", name="string")}
        return InputRequiredResult(input_requests=asked, request_state="first")

    @tool
    def test_input_required_result_capabilities(ctx: Context) -> str | InputRequiredResult:
        can = ctx.client_capabilities
        asked = {"answer": CAPITAL} if can and can.sampling else {}
        asked |= {"name": NAME} if can and can.elicitation else {}
        return InputRequiredResult(input_requests=asked) if asked and not ctx.input_responses else "Nothing to ask."

    def capital() -> Sample:
        return Sample([QUESTION], max_tokens=10)

    @tool
    def test_missing_capability(answer: Annotated[types.CreateMessageResult, Resolve(capital)]) -> str:
        return str(answer.content)

    @tool
    async def test_trigger_tool_change(ctx: Context) -> None:
        await ctx.notify_tools_changed()

    @tool
    async def test_trigger_prompt_change(ctx: Context) -> None:
        await ctx.notify_prompts_changed()


def resources_and_prompts(mcp: MCPServer) -> None:
    """A text, a picture, a template; prompts with each kind of content, and what completes their arguments."""
    prompt = mcp.prompt(description="A prompt with what its name says.")

    @mcp.resource("test://watched-resource", mime_type="text/plain")
    @mcp.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @mcp.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        return base64.b64decode(PIXEL)

    @mcp.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @prompt
    def test_simple_prompt() -> str:
        return "This is a simple prompt for testing."

    @prompt
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @prompt
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
        resource = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [UserMessage(resource), UserMessage("Please process the embedded resource above.")]

    @prompt
    def test_prompt_with_image() -> list[UserMessage]:
        return [UserMessage(IMAGE), UserMessage("Please analyze the image above.")]

    mcp.prompt("test_input_required_result_prompt", description="Ask for a context.")(
        asks({"user_context": form("What context should the prompt use?", context="string")}, None)
    )

    @mcp.completion()
    async def complete(ref: Any, argument: Any, context: Any) -> types.Completion:
        return types.Completion(values=[word for word in ("paris", "park", "party") if word.startswith(argument.value)])


if __name__ == "__main__":
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    run(server, "db")
