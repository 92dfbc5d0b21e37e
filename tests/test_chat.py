"""What one call sends, what it returns, and what it leaves in the trace."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from llmlab import MissingCapability, ModelError, Trace
from llmlab.errors import SettingsError
from llmlab.llm.chat import SEED
from llmlab.tools import call_all, tool
from stub import KEY, Raw, Stub, error, reply

pytestmark = pytest.mark.anyio


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        yield running


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"Rain in {city}."


class Fruit(BaseModel):
    name: str
    seeds: int


async def test_a_string_is_one_user_message_with_the_fixed_seed_and_above_temperature_0_a_drawn_one(stub: Stub) -> None:
    model = await stub.model()
    answers = [await model.chat("Hi"), *[await model.chat("Hi", temperature=0.7) for _ in range(2)]]
    answers.append(await model.chat("Hi", temperature=0.7, seed=7))
    message, fixed = {"role": "user", "content": "Hi"}, {"temperature": 0.0, "max_tokens": 512, "seed": SEED}
    assert stub.asked[0] == {"model": "stub-model", "messages": [message], **fixed}
    assert stub.headers[0]["authorization"] == f"Bearer {KEY}"
    assert not [name for headers in stub.headers for name in headers if name.startswith("x-llmlab")]
    assert [answer.request for answer in answers] == stub.asked
    assert [answer.seed for answer in answers] == [body["seed"] for body in stub.asked]
    assert len({SEED, 7, *(answer.seed for answer in answers)}) == 4


async def test_a_pydantic_class_becomes_the_schema_of_the_reply_which_is_read_as_its_object(stub: Stub) -> None:
    model = await stub.model(capabilities=frozenset({"json_schema"}))
    stub.answers = [reply('{"name": "plum", "seeds": 1}')]
    answer = await model.chat("A fruit, please", schema=Fruit)
    asked = stub.asked[0]["response_format"]
    assert (asked["type"], asked["json_schema"]["name"]) == ("json_schema", "Fruit")
    assert asked["json_schema"]["schema"]["required"] == ["name", "seeds"]
    assert Fruit(**answer.json()) == answer.parse(Fruit) == Fruit(name="plum", seeds=1)
    await model.chat("Hi", schema={"type": "object", "properties": {}, "additionalProperties": False})
    strict = [body["response_format"]["json_schema"]["strict"] for body in stub.asked]
    assert strict == [False, True], "OpenAI refuses a strict schema that does not forbid additional properties"


@pytest.mark.parametrize("text", ["A plum.", "", "[]", '{"name": "plum", "seeds": "many"}', "{" * 9999])
async def test_a_reply_of_another_shape_is_an_error_that_says_what_does_not_fit(stub: Stub, text: str) -> None:
    stub.answers = [reply(text)]
    answer = await (await stub.model()).chat("A fruit, please", schema=Fruit)
    with pytest.raises(ModelError, match=r"shape Fruit, but begins .* \(.+\); ask with schema=Fruit") as caught:
        answer.parse(Fruit)
    assert caught.value.kind == "not_json"
    assert len(str(caught.value)) < 500


PARIS, PING = {"weather": '{"city": "Paris, Île-de-France"}'}, {"ping": "{}"}


@pytest.mark.parametrize(("text", "calls"), [("It is Paris.", {}), ("", PARIS | PING), ("Let me look.", PARIS)])
async def test_a_streamed_reply_is_the_same_as_a_plain_one(stub: Stub, text: str, calls: dict[str, str]) -> None:
    stub.answers = [answer := reply(text, calls)]
    answer["choices"][0]["logprobs"] = {"content": [{"token": "x", "logprob": -0.5}]}
    model, more = await stub.model(), {"top_k": 3, "grammar": 'root ::= "a"', "max_tokens": 9}  # go as they are
    plain, streamed = [await model.chat("Hi", stream=stream, **more) for stream in (False, True)]
    assert stub.asked[0] == stub.asked[0] | more
    assert stub.asked[1] == {**stub.asked[0], "stream": True, "stream_options": {"include_usage": True}}
    assert streamed.first_token_seconds is not None or not streamed.text
    one, other = ({**vars(answer), "seconds": 0, "first_token_seconds": 0} for answer in (plain, streamed))
    assert one == other
    assert plain.message == streamed.message
    used = (plain.input_tokens, plain.output_tokens, plain.cached_tokens)
    assert (plain.text, len(plain.tool_calls), used) == (text, len(calls), (10, 5, 4))
    stub.answers = [Raw(json.dumps(answer))]
    assert (await model.chat("Hi", stream=True)).message == plain.message, "a server may answer whole"
    await model.chat("Hi", stream=True, n=2)
    assert "stream" not in stub.asked[-1], "several choices are not streamed into one another"


async def test_a_reply_costs_what_the_configured_prices_say_and_without_usage_counts_no_tokens(stub: Stub) -> None:
    free, priced = await stub.model(), await stub.model(price_in=2.0, price_out=8.0, currency="EUR")
    assert (await free.chat("Hi")).cost is None
    answer = await priced.chat("Hi")
    assert (answer.cost, answer.currency) == (pytest.approx((10 * 2.0 + 5 * 8.0) / 1e6), "EUR")
    assert priced.trace.totals.cost == answer.cost
    stub.answers = [reply(usage=None)]
    answer = await free.chat("Hi")
    assert (answer.text, answer.input_tokens, answer.output_tokens, answer.cached_tokens) == ("Hello.", 0, 0, 0)
    with pytest.raises(ModelError, match=r"has to be JSON, but begins 'Hello\.'"):
        answer.json()


async def test_a_tool_is_offered_and_its_call_goes_round_through_the_conversation(stub: Stub) -> None:
    stub.answers = [reply("", {"weather": '{"city": "Oslo"}'}), reply("It rains.")]
    model, messages = await stub.model(), [{"role": "user", "content": "Weather in Oslo?"}]
    by_hand = {"type": "function", "function": {"name": "ping", "parameters": {"type": "object", "properties": {}}}}
    asked = await model.chat(messages, tools=[weather, by_hand], tool_choice="required")
    messages += [asked.message, *await call_all(asked.tool_calls, [weather])]
    told = await model.chat(messages)
    mine, other = stub.asked[0]["tools"]
    assert (mine["function"]["name"], mine["function"]["parameters"]["required"]) == ("weather", ["city"])
    assert (other, stub.asked[0]["tool_choice"]) == (by_hand, "required")
    call = {"id": "call_0", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    assert stub.asked[1]["messages"][1:] == [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_0", "content": "Rain in Oslo."},
    ]
    assert told.message == {"role": "assistant", "content": "It rains."}


async def test_a_call_is_one_step_with_the_names_of_opentelemetry(stub: Stub) -> None:
    model = await stub.model()
    with Trace("mine") as mine:
        answer = await model.chat("Hi", max_tokens=9)
    (step,) = mine
    assert (step.kind, step.name, step.status, len(model.trace)) == ("model", "chat", "ok", 0)
    assert (step.request, step.response) == (answer.request, reply())
    expected: dict[str, dict[str, Any]] = {
        "request": {"model": "stub-model", "temperature": 0.0, "max_tokens": 9, "seed": SEED},
        "response": {"model": "stub-model-2", "id": "chatcmpl-1", "finish_reasons": ["stop"]},
        "usage": {"input_tokens": 10, "output_tokens": 5, "cache_read.input_tokens": 4},
        "operation": {"name": "chat"},
        "provider": {"name": "127.0.0.1"},
    }
    named = {f"gen_ai.{group}.{name}": value for group, values in expected.items() for name, value in values.items()}
    assert step.attributes == step.attributes | named | {"llmlab.source": "endpoint", "llmlab.cost": None}


async def test_any_path_of_the_api_can_be_asked(stub: Stub) -> None:
    stub.answers = [{"id": "resp_1", "usage": {"input_tokens": 3, "output_tokens": 2}}, error(404, "no such path")]
    model = await stub.model()
    answer = await model.post("/responses", {"input": "Hi"})
    with pytest.raises(ModelError, match="no such path"):
        await model.post("/responses", {"input": "Hi"})
    step, failed = model.trace
    assert (step.name, step.request, step.response) == ("responses", {"input": "Hi"}, answer)
    assert (answer["id"], model.trace.totals.tokens) == ("resp_1", 5)
    assert (failed.status, failed.get("error.type")) == ("error", "not_found")


async def test_what_is_declared_is_not_asked_for_and_what_is_missing_is_said_before_any_call(stub: Stub) -> None:
    model = await stub.model(capabilities=frozenset({"tools"}))
    assert [await model.can(c) for c in ("tools", "json_schema", "vision", "logprobs")] == [True, False, False, False]
    with pytest.raises(SettingsError, match="'flight'"):
        await model.can("flight")
    with pytest.raises(MissingCapability, match=r"do json_schema, but stub-model offers tools; .*LLMLAB_CAPABILITIES"):
        await model.chat("Hi", schema=Fruit)
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    for message in ({"role": "user", "content": [picture]}, {"content": [{"text": "?", "type": "text"}, picture]}):
        with pytest.raises(MissingCapability, match="do vision"):
            await model.chat([message])
    assert stub.asked == []
    await model.chat('What does {"type": "image_url"} mean?')
    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    ("capability", "answer", "able"),
    [
        ("tools", reply("", {"say": '{"word": "yes"}'}), True),
        ("tools", reply("say(yes)"), True),  # a server that forces no call has said nothing of those that a model makes
        ("tools", error(400, "tools are not there"), False),
        ("json_schema", reply('{"yes": 1}'), True),
        ("json_schema", reply("Yes."), False),
        ("logprobs", reply("Yes."), False),
        ("logprobs", error(400, "'logprobs' is not supported"), False),
        ("vision", reply("A dot."), True),
        ("vision", error(500, "no image encoder", retry_after_ms="1"), False),
    ],
)
async def test_a_capability_is_found_out_once(stub: Stub, capability: str, answer: Any, able: bool) -> None:
    stub.answers = [answer, answer, answer, reply()]
    model = await stub.model()
    assert await model.can(capability) is able
    sent = len(stub.asked)
    assert await model.can(capability) is able
    assert (len(stub.asked), model.abilities) == (sent, {capability: able})
    if capability == "tools" and not able:
        with pytest.raises(MissingCapability):
            await model.chat("Hi", tools=[weather])
    stub.answers, model.abilities = [error(401, "bad key")], {}
    with pytest.raises(ModelError, match="bad key"):
        await model.can(capability)
    assert model.abilities == {}, "it says nothing about the model"


COMPLAINTS = {
    "max_tokens": "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
    "temperature": "Unsupported value: 'temperature' does not support 0 with this model.",
    "seed": "Unrecognized request argument supplied: seed",
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("field", COMPLAINTS)
async def test_a_field_that_a_server_does_not_take_is_left_out(stub: Stub, field: str, streamed: bool) -> None:
    stub.answers = [error(400, COMPLAINTS[field]), reply()]
    model = await stub.model()
    first, second = [await model.chat("Hi", stream=streamed) for _ in range(2)]
    assert [field in body for body in stub.asked] == [True, False, False]
    assert stub.asked[2] == stub.asked[1]
    assert stub.asked[1].get("max_completion_tokens") == (512 if field == "max_tokens" else None)
    assert f"Not taken by this server: {field}" in first.note
    assert (second.note, field in first.request) == (first.note, False)
    step = model.trace.steps[0]
    assert (step.request, step.get(f"gen_ai.request.{field}")) == (first.request, None)
    assert first.seed == (None if field == "seed" else SEED)


async def test_a_second_field_may_be_left_out_too_but_a_value_out_of_range_is_an_error(stub: Stub) -> None:
    extra = Raw('{"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}', 422)
    wrong = error(400, "Invalid 'temperature': above the maximum value. Expected a value <= 2, but got 5.")
    stub.answers = [error(400, COMPLAINTS["max_tokens"]), extra, reply(), wrong]
    model = await stub.model()
    assert "max_tokens (sent as max_completion_tokens), seed." in (await model.chat("Hi")).note
    with pytest.raises(ModelError, match="got 5"):
        await model.chat("Hi", temperature=5)
    assert len(stub.asked) == 4


async def test_the_key_is_in_no_trace_recording_or_error(stub: Stub, tmp_path: Path) -> None:
    stub.answers = [reply(f"Your key is {KEY}."), error(401, f"Incorrect API key provided: {KEY}")]
    model = await stub.model(record=tmp_path, chapter="keys")
    answer = await model.chat(f"My key is {KEY}", stream=True)
    with pytest.raises(ModelError) as caught:
        await model.chat("Hi")
    assert KEY in stub.asked[0]["messages"][0]["content"]
    assert "stream" not in stub.asked[0], "what is recorded does not depend on how a cell was run"
    recorded = (tmp_path / "keys.jsonl").read_text(encoding="utf-8")
    saved = model.trace.save(tmp_path / "trace.jsonl").read_text(encoding="utf-8")
    for text in (recorded, saved, str(caught.value), json.dumps([answer.request, answer.response])):
        assert (KEY in text, "[key]" in text) == (False, True)
    assert KEY not in repr(model.config)
