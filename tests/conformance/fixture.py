"""The server that the official conformance suite asks for, made and run as the servers of the lab are.

Its scenarios look for these names and texts. What the protocol deprecates, no server of the lab does, and this one has
to. `python fixture.py --http --port PORT`
"""

import asyncio
import base64
import json
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Resolve, Sample, UserMessage
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_types import (
    AudioContent,
    Completion,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel, Field

from shop.common import CHANGES, READS, run

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
SILENCE = base64.b64encode(
    b"RIFF&\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\2\0\0\0\0\0"
).decode()


class Person(BaseModel):
    """Two answers without defaults."""

    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


class Defaults(BaseModel):
    """One of each primitive type."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Literal["active", "inactive", "pending"] = "active"
    verified: bool = True


def _titled(**titles: str) -> list[dict[str, str]]:
    return [{"const": value, "title": title} for value, title in titles.items()]


class Choices(BaseModel):
    """One of each way to write a choice."""

    untitledSingle: str = Field(json_schema_extra={"enum": ["option1", "option2", "option3"]})
    titledSingle: str = Field(json_schema_extra={"oneOf": _titled(value1="First", value2="Second", value3="Third")})
    legacyEnum: str = Field(json_schema_extra={"enum": ["opt1", "opt2"], "enumNames": ["One", "Two"]})
    untitledMulti: list[str] = Field(json_schema_extra={"items": {"type": "string", "enum": ["option1", "option2"]}})
    titledMulti: list[str] = Field(json_schema_extra={"items": {"anyOf": _titled(value1="First", value2="Second")}})


def image() -> ImageContent:
    return ImageContent(type="image", data=PIXEL, mime_type="image/png")


def embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


def form(message: str, **properties: str) -> ElicitRequest:
    """A question to the person, for properties of these types."""
    schema = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
        "required": list(properties),
    }
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(text: str) -> CreateMessageRequest:
    """A question to the host's model."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))


def said(ctx: Context, key: str) -> dict[str, Any] | None:
    """What a person has filled in."""
    answer = (ctx.input_responses or {}).get(key)
    return answer.content if isinstance(answer, ElicitResult) and answer.action == "accept" else None


def server(_: Path) -> MCPServer:
    """What the conformance suite calls."""
    mcp = MCPServer("conformance", version="1", log_level="WARNING")
    results(mcp)
    handshake(mcp)
    questions(mcp)
    changes(mcp)
    resources(mcp)
    prompts(mcp)
    return mcp


def results(mcp: MCPServer) -> None:
    """Tools that give each kind of content back."""

    @mcp.tool(annotations=READS)
    def test_simple_text() -> str:
        """Give a text."""
        return "This is a simple text response for testing."

    @mcp.tool(annotations=READS)
    def test_image_content() -> list[ImageContent]:
        """Give a picture."""
        return [image()]

    @mcp.tool(annotations=READS)
    def test_audio_content() -> list[AudioContent]:
        """Give a sound."""
        return [AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")]

    @mcp.tool(annotations=READS)
    def test_embedded_resource() -> list[EmbeddedResource]:
        """Give a resource."""
        return [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]

    @mcp.tool(annotations=READS)
    def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
        """Give a text, a picture and a resource."""
        data = embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
        return [TextContent(type="text", text="Multiple content types test:"), image(), data]

    @mcp.tool(annotations=READS)
    def test_error_handling() -> str:
        """Fail."""
        raise ToolError("This tool intentionally returns an error for testing")

    @mcp.tool(annotations=READS)
    async def test_tool_with_progress(ctx: Context) -> str:
        """Tell how far it is."""
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100)
            await asyncio.sleep(0.05)
        return "done"


def handshake(mcp: MCPServer) -> None:
    """What a server could do to its client in the handshake era, while a call runs."""

    @mcp.tool(annotations=READS)
    async def test_tool_with_logging(ctx: Context) -> str:
        """Log."""
        for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(line)
            await asyncio.sleep(0.05)
        return "logged"

    @mcp.tool(annotations=READS)
    async def test_logging_tool(ctx: Context) -> str:
        """Log once."""
        await ctx.info("working")
        return "logged"

    @mcp.tool(annotations=READS)
    async def test_sampling(prompt: str, ctx: Context) -> str:
        """Ask the host's model."""
        message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
        answer = await ctx.session.create_message([message], max_tokens=100)
        assert isinstance(answer.content, TextContent)
        return f"LLM response: {answer.content.text}"

    @mcp.tool(annotations=READS)
    async def test_elicitation(message: str, ctx: Context) -> str:
        """Ask the person."""
        return f"User response: {await ctx.elicit(message, Person)}"

    @mcp.tool(annotations=READS)
    async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
        """Ask the person, with defaults."""
        return f"Elicitation completed: {await ctx.elicit('Please check these.', Defaults)}"

    @mcp.tool(annotations=READS)
    async def test_elicitation_sep1330_enums(ctx: Context) -> str:
        """Ask the person to choose."""
        return f"Elicitation completed: {await ctx.elicit('Please choose.', Choices)}"

    async def nothing(ctx: Any, params: Any) -> EmptyResult:
        return EmptyResult()

    low = mcp._lowlevel_server  # no other way leads to these methods
    low.add_request_handler("logging/setLevel", SetLevelRequestParams, nothing)
    low.add_request_handler("resources/subscribe", SubscribeRequestParams, nothing)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, nothing)


def questions(mcp: MCPServer) -> None:
    """What takes its place in the modern era: a result that says what is needed, and the same call once more."""

    @mcp.tool(annotations=READS)
    def test_input_required_result_elicitation(ctx: Context) -> str | InputRequiredResult:
        """Ask for a name."""
        if answer := said(ctx, "user_name"):
            return f"Hello, {answer['name']}!"
        return InputRequiredResult(input_requests={"user_name": form("What is your name?", name="string")})

    @mcp.tool(annotations=READS)
    def test_input_required_result_sampling(ctx: Context) -> str | InputRequiredResult:
        """Ask the host's model."""
        if answer := (ctx.input_responses or {}).get("capital_question"):
            return str(answer.content.text)
        return InputRequiredResult(input_requests={"capital_question": sample("What is the capital of France?")})

    @mcp.tool(annotations=READS)
    def test_input_required_result_list_roots(ctx: Context) -> str | InputRequiredResult:
        """Ask for the folders that the host opens to servers."""
        if answer := (ctx.input_responses or {}).get("client_roots"):
            return ", ".join(str(root.uri) for root in answer.roots)
        return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})

    @mcp.tool(annotations=READS)
    def test_input_required_result_request_state(ctx: Context) -> str | InputRequiredResult:
        """Ask, and get its own state back."""
        if said(ctx, "confirm") and ctx.request_state == "waiting":
            return "state-ok"
        asked = {"confirm": form("Please confirm", ok="boolean")}
        return InputRequiredResult(input_requests=asked, request_state="waiting")

    @mcp.tool(annotations=READS)
    def test_input_required_result_tampered_state(ctx: Context) -> str | InputRequiredResult:
        """Ask, with a state that nobody may change: the SDK seals it."""
        return test_input_required_result_request_state(ctx)

    @mcp.tool(annotations=READS)
    def test_input_required_result_multiple_inputs(ctx: Context) -> str | InputRequiredResult:
        """Ask three things at once."""
        asked = {
            "user_name": form("What is your name?", name="string"),
            "greeting": sample("Generate a greeting"),
            "client_roots": ListRootsRequest(),
        }
        if asked.keys() <= (ctx.input_responses or {}).keys():
            return "All came."
        return InputRequiredResult(input_requests=asked, request_state="waiting")

    @mcp.tool(annotations=READS)
    def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
        """Ask one thing after the other."""
        if ctx.request_state and (answer := said(ctx, "step2")):
            return f"{ctx.request_state} likes {answer['color']}."
        if answer := said(ctx, "step1"):
            asked = {"step2": form("Step 2: What is your favorite color?", color="string")}
            return InputRequiredResult(input_requests=asked, request_state=str(answer["name"]))
        asked = {"step1": form("Step 1: What is your name?", name="string")}
        return InputRequiredResult(input_requests=asked, request_state="first")

    @mcp.tool(annotations=READS)
    def test_input_required_result_capabilities(ctx: Context) -> str | InputRequiredResult:
        """Ask what this client can answer, and nothing else."""
        can = ctx.client_capabilities
        asked = {}
        if can and can.sampling:
            asked["answer"] = sample("What is the capital of France?")
        if can and can.elicitation:
            asked["name"] = form("What is your name?", name="string")
        return InputRequiredResult(input_requests=asked) if asked and not ctx.input_responses else "Nothing to ask."

    @mcp.tool(annotations=READS)
    def test_streaming_elicitation(ctx: Context) -> str | InputRequiredResult:
        """Ask for a name."""
        return test_input_required_result_elicitation(ctx)

    def capital() -> Sample:
        return Sample([SamplingMessage(role="user", content=TextContent(type="text", text="Say hi."))], max_tokens=10)

    @mcp.tool(annotations=READS)
    def test_missing_capability(answer: Annotated[CreateMessageResult, Resolve(capital)]) -> str:
        """Ask the host's model: a client that has none is told what is missing."""
        return str(answer.content)

    @mcp.prompt()
    def test_input_required_result_prompt(ctx: Context) -> str | InputRequiredResult:
        """Ask for a context."""
        if answer := said(ctx, "user_context"):
            return f"Context: {answer['context']}"
        question = form("What context should the prompt use?", context="string")
        return InputRequiredResult(input_requests={"user_context": question})


def changes(mcp: MCPServer) -> None:
    """Lists that change."""

    @mcp.tool(annotations=CHANGES)
    async def test_trigger_tool_change(ctx: Context) -> str:
        """Tell that the tools have changed."""
        await ctx.notify_tools_changed()
        return "told"

    @mcp.tool(annotations=CHANGES)
    async def test_trigger_prompt_change(ctx: Context) -> str:
        """Tell that the prompts have changed."""
        await ctx.notify_prompts_changed()
        return "told"


def resources(mcp: MCPServer) -> None:
    """A text, a picture, a template."""

    @mcp.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """A text."""
        return "This is the content of the static text resource."

    @mcp.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """A picture."""
        return base64.b64decode(PIXEL)

    @mcp.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        """A text that can be watched."""
        return "Watched"

    @mcp.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        """Data by number."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def prompts(mcp: MCPServer) -> None:
    """Prompts with each kind of content, and what completes their arguments."""

    @mcp.prompt()
    def test_simple_prompt() -> str:
        """A text."""
        return "This is a simple prompt for testing."

    @mcp.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        """A text with two arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @mcp.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
        """A resource."""
        resource = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [UserMessage(resource), UserMessage("Please process the embedded resource above.")]

    @mcp.prompt()
    def test_prompt_with_image() -> list[UserMessage]:
        """A picture."""
        return [UserMessage(image()), UserMessage("Please analyze the image above.")]

    @mcp.completion()
    async def complete(ref: Any, argument: Any, context: Any) -> Completion:
        return Completion(values=[word for word in ("paris", "park", "party") if word.startswith(argument.value)])


if __name__ == "__main__":
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    run(server, "db")
