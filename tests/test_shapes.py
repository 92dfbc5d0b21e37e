"""What OpenAI-compatible servers really send: a table of shapes for each kind of fault, not a patch for its example."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest

from agents.scripted import Script
from llmlab import LabError, ModelError, ToolError
from llmlab.agents import SingleStep, ToolLoop
from llmlab.errors import SettingsError
from llmlab.llm import failures
from llmlab.llm.connection import _key, _pause, proxy_of
from llmlab.llm.reply import Stream, calls_of, text_of, whole_letters
from llmlab.tools import tool
from stub import reply

pytestmark = pytest.mark.anyio


def call(
    index: Any = ..., given: str | None = None, name: str | None = None, arguments: Any = None, **more: Any
) -> Any:
    part: dict[str, Any] = {"function": {}, **more}
    if index is not ...:
        part["index"] = index
    if given is not None:
        part["id"] = given
    if name is not None:
        part["function"]["name"] = name
    if arguments is not None:
        part["function"]["arguments"] = arguments
    return part


TWO = [("a", "add", '{"x":1}'), ("b", "add", '{"x":2}')]
# Deltas as servers send them, and the calls that they stand for.
STREAMS: dict[str, tuple[list[list[Any]], list[tuple[str, str, str]]]] = {
    "OpenAI": (
        [
            [call(0, "a", "add", "")],
            [call(0, arguments='{"x"')],
            [call(0, arguments=":1}")],
            [call(1, "b", "add", "")],
            [call(1, arguments='{"x":2}')],
        ],
        TWO,
    ),
    "one index for all (Ollama)": ([[call(0, "a", "add", '{"x":1}')], [call(0, "b", "add", '{"x":2}')]], TWO),
    "no index": (
        [[call(given="a", name="add", arguments='{"x":1}')], [call(given="b", name="add", arguments='{"x":2}')]],
        TWO,
    ),
    "index null": ([[call(None, "a", "add", '{"x":1}')], [call(None, "b", "add", '{"x":2}')]], TWO),
    "both in one chunk, no index": (
        [[call(given="a", name="add", arguments='{"x":1}'), call(given="b", name="add", arguments='{"x":2}')]],
        TWO,
    ),
    "pieces without index": (
        [[call(given="a", name="add")], [call(arguments='{"x":')], [call(arguments="1}")]],
        TWO[:1],
    ),
    "name again in each chunk": ([[call(0, "a", "add", '{"x"')], [call(0, "a", "add", ":1}")]], TWO[:1]),
    "name in pieces": ([[call(0, "a", "a", "")], [call(0, None, "dd", "")], [call(0, None, None, '{"x":1}')]], TWO[:1]),
    "arguments as an object": ([[call(0, "a", "add", {"x": 1})]], [("a", "add", '{"x": 1}')]),
    "arguments null": ([[call(0, "a", "add")]], [("a", "add", "{}")]),
    "no id": ([[call(0, None, "add", '{"x":1}')]], [("call_0", "add", '{"x":1}')]),
    "indexes in disorder": ([[call(1, "b", "add", '{"x":2}')], [call(0, "a", "add", '{"x":1}')]], TWO[::-1]),
    "an unknown key": (
        [[call(0, "a", "add", '{"x":1}', extra_content={"google": {"thought_signature": "s"}})]],
        TWO[:1],
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_of_calls_is_put_together_whatever_its_indexes(name: str) -> None:
    deltas, wanted = STREAMS[name]
    answer = Stream()
    for parts in deltas:
        answer.add({"choices": [{"index": 0, "delta": {"tool_calls": parts}}]})
    message = answer.response()["choices"][0]["message"]
    assert [(c.id, c.name, c.arguments) for c in calls_of(message)] == wanted


MESSAGES: dict[str, dict[str, Any]] = {
    "text": {"content": "Hello."},
    "parts": {"content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo."}]},
    "reasoning": {"content": "Hello.", "reasoning_content": "Greet."},
    "details": {"content": "Hello.", "reasoning_details": [{"type": "reasoning.text", "text": "Greet."}]},
    "a maker's object": {"content": "Hello.", "provider_specific": {"a": 1}},
    "refusal": {"content": None, "refusal": "Hello."},
}


@pytest.mark.parametrize("name", MESSAGES)
async def test_what_streams_equals_what_comes_whole(name: str) -> None:
    message = {"role": "assistant", **MESSAGES[name]}
    answer = Stream()
    for delta in ({"role": "assistant"}, MESSAGES[name], {}):
        answer.add({"choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}]})
    made = answer.response()["choices"][0]["message"]
    assert (text_of(made.get("content")) or made.get("refusal")) == "Hello."
    assert {k: v for k, v in made.items() if k not in ("content", "role")} == {
        k: v for k, v in message.items() if k not in ("content", "role")
    }
    whole = reply("")
    whole["choices"][0]["message"] = message
    assert (await Script(whole).model.chat("Hi")).text == "Hello."


def test_a_chunk_may_lack_everything() -> None:
    answer = Stream()
    for chunk in (
        {},
        {"choices": []},
        {"choices": None},
        {"choices": [{}]},
        {"choices": [{"delta": None}]},
        {"usage": {}},
    ):
        assert answer.add(chunk) == ""


@tool
def add(x: int) -> int:
    """Add one."""
    return x + 1


FIELDS: list[dict[str, Any]] = [
    {"reasoning_content": "I have to add."},
    {"reasoning_details": [{"id": "r", "data": "x"}]},
    {"extra_content": {"google": {"thought_signature": "s"}}},
]


@pytest.mark.parametrize("extra", FIELDS, ids=lambda extra: next(iter(extra)))
@pytest.mark.parametrize("inside", [False, True], ids=["of the message", "of the call"])
async def test_the_message_that_goes_back_is_the_one_that_came(extra: dict[str, Any], inside: bool) -> None:
    made = reply("")
    made["choices"][0]["finish_reason"] = "tool_calls"
    asked: dict[str, Any] = {"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"x": 1}'}}
    made["choices"][0]["message"] = {
        "role": "assistant",
        "content": "",
        "tool_calls": [asked | (extra if inside else {})],
    }
    made["choices"][0]["message"] |= {} if inside else extra
    script = Script(made, "2")
    assert (await ToolLoop(script.model, [add]).run("1 + 1")).answer == "2"
    assert script.asked[1]["messages"][1] == made["choices"][0]["message"]


@pytest.mark.parametrize("written", ["not json", '{"x": 1', ""])
async def test_arguments_that_are_no_json_go_back_as_json(written: str) -> None:
    made = reply("")
    asked = {"id": "a", "type": "function", "function": {"name": "add", "arguments": written}}
    made["choices"][0]["message"]["tool_calls"] = [asked]
    sent = (await Script(made).model.chat("Hi", tools=[add])).message["tool_calls"][0]["function"]["arguments"]
    json.loads(sent)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"content": ""}, "answered with nothing (finish reason stop)"),
        ({"content": None}, "answered with nothing"),
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
    assert (run.ok, run.stopped) == (False, "error")
    assert says in run.why


ERRORS: list[tuple[dict[str, Any], str, str]] = [
    (
        {
            "choices": None,
            "error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": "Too Many Requests"}},
        },
        "rate_limit",
        "Too Many Requests",
    ),
    ({"error": {"message": "bad key", "code": 401}}, "auth", "bad key"),
    ({"error": {"message": "overloaded", "code": "503"}}, "server", "overloaded"),
    ({"error": {"message": "odd", "code": "model_overloaded"}}, "server", "odd"),
    ({"error": "just a text"}, "server", "just a text"),
    (
        {"choices": [{"error": {"message": "in the choice", "code": 502}, "message": {"content": ""}}]},
        "server",
        "in the choice",
    ),
    ({"choices": [{"finish_reason": "error", "message": {"content": "half"}}]}, "server", "ended with an error"),
]


@pytest.mark.parametrize(("body", "kind", "says"), ERRORS)
async def test_an_error_inside_a_200_is_told_in_the_server_s_own_words(body: Any, kind: str, says: str) -> None:
    with pytest.raises(ModelError, match=says) as failed:
        await Script(body).model.chat("Hi")
    assert failed.value.kind == kind


@pytest.mark.parametrize("body", [{"choices": [{"message": {"content": "x"}}]}, {"choices": [], "error": None}])
def test_what_is_no_error_is_not_taken_for_one(body: Any) -> None:
    assert failures.said_in_a_reply(body) is None


def leaves() -> str:
    """Leave."""
    raise SystemExit(2)


def interrupts() -> str:
    """Interrupt."""
    raise KeyboardInterrupt


def stops() -> str:
    """Stop."""
    raise StopIteration


async def leaves_later() -> str:
    """Leave, as a coroutine."""
    raise SystemExit(3)


def talks() -> str:
    """Say much."""
    return "x" * 3_000_000


def circles() -> Any:
    """Give back itself."""
    around: list[Any] = []
    around.append(around)
    return around


class Objecting:
    """An odd value."""

    def __str__(self) -> str:
        raise ValueError("no text")


def objects() -> Any:
    """Give back something odd."""
    return Objecting()


@pytest.mark.parametrize("function", [leaves, interrupts, stops, leaves_later, talks, circles, objects])
async def test_whatever_a_tool_does_ends_in_one_readable_result(function: Any) -> None:
    result = await tool(function).call("{}")
    assert isinstance(result.text, str)
    assert len(result.text) < 21_000
    assert result.ok is (function is talks)


@pytest.mark.parametrize("given", [3, "add", {"name": "add"}])
def test_what_is_no_function_is_named_when_a_tool_is_made(given: Any) -> None:
    with pytest.raises(ToolError, match="A tool is made of a function"):
        tool(given)


async def test_a_function_may_be_given_to_an_agent_as_it_is_and_a_request_says_what_it_takes() -> None:
    def look(city: str) -> str:
        """Look."""
        return city

    agent = ToolLoop(Script("fine").model, [look])
    assert [t.name for t in agent.tools] == ["look"]
    with pytest.raises(LabError, match=r"A request takes tools.+make one with tool"):
        await Script("fine").model.chat("Hi", tools=[look])


@pytest.mark.parametrize("key", ["sk-1\n", " sk-1", "sk-1\r\n", "\tsk-1 "])
def test_white_space_around_a_key_is_taken_off(key: str) -> None:
    assert _key(key) == "sk-1"


@pytest.mark.parametrize("key", ["“sk-1”", "sk-ü", "sk\n-1", "sk-1\x00x"])
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(SettingsError, match="OPENAI_API_KEY takes plain letters") as refused:
        _key(key)
    assert key not in str(refused.value)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("caf\udce9", "caf\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("plain", "plain"),
        ("two\nlines", "two\nlines"),
        ({"a": ["\ud800"]}, {"a": ["\ufffd"]}),
    ],
)
def test_half_letters_do_not_stop_a_request(sent: Any, read: Any) -> None:
    assert whole_letters(sent) == read


LATER = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "7"}, 7, 7),
        ({"retry-after": "0.5"}, 0.5, 0.5),
        ({"retry-after-ms": "1500"}, 1.5, 1.5),
        ({"retry-after": LATER}, 1, 601),
        ({"retry-after": "soon"}, 0, 0),
        ({}, 0, 0),
    ],
)
def test_a_pause_is_understood_in_all_its_forms(headers: dict[str, str], least: float, most: float) -> None:
    assert least <= _pause(httpx2.Headers(headers)) <= most


@pytest.mark.parametrize(
    ("url", "proxied"),
    [
        ("https://api.example.com/v1", True),
        ("http://127.0.0.1:8000/v1", False),
        ("http://127.8.9.1/v1", False),
        ("http://localhost:11434/v1", False),
        ("http://[::1]:8000/v1", False),
    ],
)
def test_hosted_models_go_through_the_proxy_and_loopback_never(url: str, proxied: bool, monkeypatch: Any) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert (proxy_of(url) == "http://proxy.example:3128") is proxied
