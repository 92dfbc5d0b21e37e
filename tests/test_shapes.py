"""What OpenAI-compatible servers really send: a table of shapes for each kind of fault, not a patch for its example."""

import json
from typing import Any

import pytest

from agents.scripted import Script
from llmlab import LabError, ModelError, ToolError
from llmlab.agents import SingleStep, ToolLoop
from llmlab.errors import SettingsError
from llmlab.llm.connection import proxy_of
from llmlab.llm.reply import Stream, calls_of, text_of
from llmlab.tools import tool
from stub import Stub, reply

pytestmark = pytest.mark.anyio


def part(given: str | None = None, name: str | None = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    """A piece of a tool call in a stream; what is None is not there."""
    function = {"name": name, "arguments": arguments}
    piece = {"id": given, "function": {k: v for k, v in function.items() if v is not None}}
    return {k: v for k, v in piece.items() if v is not None} | more


X1, X2 = '{"x":1}', '{"x":2}'
A, B = ("a", "add", X1), ("b", "add", X2)
# Pieces of calls as servers send them, and the calls that they stand for.
STREAMS: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str, str]]]] = {
    "OpenAI": ([part("a", "add", "", index=0), part(arguments=X1, index=0), part(*B, index=1)], [A, B]),
    "one index for all (Ollama)": ([part(*A, index=0), part(*B, index=0)], [A, B]),
    "no index": ([part(*A), part(*B)], [A, B]),
    "index null": ([part(*A, index=None), part(*B, index=None)], [A, B]),
    "pieces without index": ([part("a", "add"), part(arguments='{"x":'), part(arguments="1}")], [A]),
    "name again": ([part("a", "add", '{"x":', index=0), part("a", "add", "1}", index=0)], [A]),
    "name in pieces": ([part("a", "a", "", index=0), part(name="dd", index=0), part(arguments=X1, index=0)], [A]),
    "arguments as an object": ([part("a", "add", {"x": 1}, index=0)], [("a", "add", '{"x": 1}')]),
    "arguments null": ([part("a", "add", index=0)], [("a", "add", "{}")]),
    "no id": ([part(None, "add", X1, index=0)], [("call_0", "add", X1)]),
    "indexes in disorder": ([part(*B, index=1), part(*A, index=0)], [B, A]),
    "an unknown key": ([part(*A, index=0, extra_content={"google": {"thought_signature": "s"}})], [A]),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_of_calls_is_put_together_whatever_its_indexes(name: str) -> None:
    pieces, wanted = STREAMS[name]
    for chunks in ([[piece] for piece in pieces], [pieces]):  # each in a chunk of its own, and all in one
        answer = Stream()
        for parts in chunks:
            answer.add({"choices": [{"index": 0, "delta": {"tool_calls": parts}}]})
        message = answer.response()["choices"][0]["message"]
        assert [(c.id, c.name, c.arguments) for c in calls_of(message)] == wanted


@pytest.mark.parametrize(
    "sent",
    [
        {"content": "Hello."},
        {"content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo."}]},
        {"content": "Hello.", "reasoning_content": "Greet."},
        {"content": "Hello.", "reasoning_details": [{"type": "reasoning.text", "text": "Greet."}]},
        {"content": "Hello.", "provider_specific": {"a": 1}},
        {"content": None, "refusal": "Hello."},
    ],
)
async def test_what_streams_equals_what_comes_whole(sent: dict[str, Any]) -> None:
    answer = Stream()
    for lacking in ({}, {"choices": []}, {"choices": None}, {"choices": [{}]}, {"choices": [{"delta": None}]}):
        assert answer.add(lacking) == ""
    for delta in ({"role": "assistant"}, sent, {}):
        answer.add({"choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}]})
    made = answer.response()["choices"][0]["message"]
    assert (text_of(made["content"]) or made.get("refusal")) == "Hello."
    assert made == {**sent, "role": "assistant", "content": text_of(sent["content"])}
    whole = reply("")
    whole["choices"][0]["message"] |= sent
    assert (await Script(whole).model.chat("Hi")).text == "Hello."


@tool
def add(x: int) -> int:
    """Add one."""
    return x + 1


@pytest.mark.parametrize("inside", [False, True], ids=["of the message", "of the call"])
@pytest.mark.parametrize(
    "extra", [{"reasoning_content": "Add."}, {"reasoning_details": [{"id": "r"}]}, {"own": {"a": {}}}]
)
async def test_the_message_that_goes_back_is_the_one_that_came(extra: dict[str, Any], inside: bool) -> None:
    script = Script(made := reply("", {"add": '{"x": 1}'}), "2")
    message = made["choices"][0]["message"]
    (message["tool_calls"][0] if inside else message).update(extra)
    assert (await ToolLoop(script.model, [add]).run("1 + 1")).answer == "2"
    assert script.asked[1]["messages"][1] == message


@pytest.mark.parametrize(
    ("wrote", "back"),
    [('{"x": 1', {"no_json": '{"x": 1'}), ("not json", {"no_json": "not json"}), ("", {}), ("[1]", [1])],
)
async def test_arguments_that_are_no_json_go_back_as_json(wrote: str, back: Any) -> None:
    answer = await Script(reply("", {"add": wrote})).model.chat("Hi", tools=[add])
    assert answer.tool_calls[0].arguments == (wrote or "{}")
    assert json.loads(answer.message["tool_calls"][0]["function"]["arguments"]) == back


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"content": ""}, "answered with nothing (finish reason stop)"),
        ({"content": "  \n"}, "answered with nothing"),
        ({"content": [], "reasoning_content": "x" * 1200}, "wrote 1,200 characters of reasoning"),
        ({"content": None, "reasoning": "abc"}, "wrote 3 characters of reasoning"),
    ],
)
async def test_silence_is_no_answer(message: dict[str, Any], says: str) -> None:
    made = reply("")
    made["choices"][0]["message"] = {"role": "assistant", **message}
    assert says in (await Script(made).model.chat("Hi")).note
    run = await SingleStep(Script(made).model).run("Hi")
    assert (run.ok, run.stopped, says in run.why) == (False, "error", True)


RAW = {"message": "Provider returned error", "code": 429, "metadata": {"raw": "Too Many Requests"}}
CHOICE = {"error": {"message": "in the choice", "code": 502}, "message": {"content": ""}}


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        ({"choices": None, "error": RAW}, "rate_limit", "Too Many Requests"),
        ({"error": {"message": "bad key", "code": 401}}, "auth", "bad key"),
        ({"error": {"message": "overloaded", "code": "503"}}, "server", "overloaded"),
        ({"error": {"message": "odd", "code": "model_overloaded"}}, "server", "odd"),
        ({"error": "just a text"}, "server", "just a text"),
        ({"choices": [CHOICE]}, "server", "in the choice"),
        ({"choices": [{"finish_reason": "error", "message": {"content": "half"}}]}, "server", "ended with an error"),
        ({"choices": [], "error": None}, "not_json", r"choices\[0\]"),
    ],
)
async def test_an_error_inside_a_200_is_told_in_the_server_s_own_words(body: Any, kind: str, says: str) -> None:
    with pytest.raises(ModelError, match=says) as failed:
        await Script(body).model.chat("Hi")
    assert failed.value.kind == kind


def does(value: Any = None, error: BaseException | None = None) -> Any:
    def something() -> Any:
        """Do something."""
        if error:
            raise error
        return value

    return something


async def leaves_later() -> str:
    """Leave, as a coroutine."""
    raise SystemExit(3)


class Objecting:
    def __str__(self) -> str:
        raise ValueError("no text")


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)
ERRORS = (SystemExit(2), KeyboardInterrupt(), StopIteration())
LONG = "x" * 3_000_000


@pytest.mark.parametrize(
    "function", [*(does(error=e) for e in ERRORS), leaves_later, does(CIRCLE), does(Objecting()), does(LONG)]
)
async def test_whatever_a_tool_does_ends_in_one_readable_result(function: Any) -> None:
    result = await tool(function).call("{}")
    assert 0 < len(result.text) < 21_000
    assert result.ok is result.text.startswith("xxx")


async def test_what_is_no_tool_is_named_and_a_function_may_be_given_to_an_agent_as_it_is() -> None:
    for given in (3, "add", {"name": "add"}):
        with pytest.raises(ToolError, match="A tool is made of a function"):
            tool(given)
    model = Script("fine").model
    assert [t.name for t in ToolLoop(model, [does()]).tools] == ["something"]
    with pytest.raises(LabError, match=r"A request takes tools.+make one with tool"):
        await model.chat("Hi", tools=[does()])


async def test_a_key_loses_the_white_space_around_it_and_an_odd_one_is_refused_without_showing_it() -> None:
    with Stub() as stub:
        for key in ("sk-1\n", " sk-1", "sk-1\r\n", "\tsk-1 "):
            await (await stub.model(api_key=key)).chat("Hi")
            assert stub.headers[-1]["authorization"] == "Bearer sk-1"
        for key in ("“sk-1”", "sk-ü", "sk\n-1", "sk-1\x00x"):
            with pytest.raises(SettingsError, match="OPENAI_API_KEY takes plain letters") as refused:
                await stub.model(api_key=key)
            assert key not in str(refused.value)


@pytest.mark.parametrize(("sent", "read"), [("caf\udce9", "caf\ufffd"), ("\ud83d\ude00", "😀"), ("a\nb", "a\nb")])
async def test_half_letters_do_not_stop_a_request(sent: str, read: str) -> None:
    script = Script("fine")
    await script.model.chat([{"role": "user", "content": [{"type": "text", "text": sent}]}])
    assert script.said == [[{"type": "text", "text": read}]]


def test_hosted_models_go_through_the_proxy_and_loopback_never(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert proxy_of("https://api.example.com/v1") == "http://proxy.example:3128"
    here = ["http://127.8.9.1/v1", "http://localhost:11434/v1", "http://[::1]:8000/v1"]
    assert [proxy_of(url) for url in here] == [None, None, None]
