import asyncio
import json
import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from llmlab import Budget, BudgetExceeded, MissingCapability, ModelError, Trace
from llmlab.errors import SettingsError
from llmlab.llm import recording
from llmlab.llm.chat import SEED
from llmlab.tools import call_all, tool
from sentence import is_one_sentence
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


async def test_a_string_is_sent_as_one_user_message_at_temperature_0_with_the_fixed_seed(stub: Stub) -> None:
    model = await stub.model()
    answer = await model.chat("Hi")
    assert stub.asked == [
        {
            "model": "stub-model",
            "messages": [{"role": "user", "content": "Hi"}],
            "temperature": 0.0,
            "max_tokens": 512,
            "seed": SEED,
        }
    ]
    assert stub.headers[0]["authorization"] == f"Bearer {KEY}"
    assert not [name for name in stub.headers[0] if name.startswith("x-llmlab")]
    assert answer.request == stub.asked[0]
    assert answer.seed == SEED


async def test_above_temperature_0_a_seed_is_drawn_for_each_call_and_kept(stub: Stub) -> None:
    model = await stub.model()
    first, second = [await model.chat("Hi", temperature=0.7) for _ in range(2)]
    drawn = [body["seed"] for body in stub.asked]
    assert drawn[0] != drawn[1]
    assert [first.seed, second.seed] == drawn
    assert [step.get("gen_ai.request.seed") for step in model.trace] == drawn
    assert (await model.chat("Hi", temperature=0.7, seed=7)).seed == stub.asked[2]["seed"] == 7


async def test_tools_are_offered_in_the_form_of_openai(stub: Stub) -> None:
    model = await stub.model(capabilities=frozenset({"tools"}))
    by_hand = {"type": "function", "function": {"name": "ping", "parameters": {"type": "object", "properties": {}}}}
    await model.chat("Hi", tools=[weather, by_hand], tool_choice="required")
    mine, other = stub.asked[0]["tools"]
    assert mine["function"]["name"] == "weather"
    assert mine["function"]["parameters"]["required"] == ["city"]
    assert other == by_hand
    assert stub.asked[0]["tool_choice"] == "required"


class Fruit(BaseModel):
    """A fruit."""

    name: str
    seeds: int


async def test_a_pydantic_class_becomes_the_schema_of_the_reply(stub: Stub) -> None:
    model = await stub.model(capabilities=frozenset({"json_schema"}))
    stub.answers = [reply('{"name": "plum", "seeds": 1}')]
    answer = await model.chat("A fruit, please", schema=Fruit)
    asked = stub.asked[0]["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["name"] == "Fruit"
    assert asked["json_schema"]["schema"]["required"] == ["name", "seeds"]
    assert Fruit(**answer.json()) == Fruit(name="plum", seeds=1)


async def test_a_reply_is_read_as_an_object_of_its_class(stub: Stub) -> None:
    stub.answers = [reply('{"name": "plum", "seeds": 1}')]
    answer = await (await stub.model()).chat("A fruit, please", schema=Fruit)
    assert answer.parse(Fruit) == Fruit(name="plum", seeds=1)


@pytest.mark.parametrize(
    "text", ["A plum.", "", "[]", '{"name": "plum"}', '{"name": "plum", "seeds": "many"}', "{" * 9999]
)
async def test_a_reply_of_another_shape_is_an_error_that_says_what_does_not_fit(stub: Stub, text: str) -> None:
    stub.answers = [reply(text)]
    answer = await (await stub.model()).chat("A fruit, please", schema=Fruit)
    with pytest.raises(
        ModelError, match=r"JSON of the shape Fruit, but begins .* \(.+\); ask with schema=Fruit"
    ) as caught:
        answer.parse(Fruit)
    assert caught.value.kind == "not_json"
    assert is_one_sentence(str(caught.value))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "message",
    [
        {"content": 7},
        {"content": "", "tool_calls": [{"id": "1", "function": {"name": None}}]},
        {"content": "", "tool_calls": [{"id": "1", "function": {"name": ["weather"]}}]},
    ],
)
async def test_a_reply_with_something_else_in_place_of_a_text_is_an_error(stub: Stub, message: dict) -> None:
    stub.answers = [{"choices": [{"message": message}]}]
    with pytest.raises(ModelError, match=r"choices\[0\]\.message") as caught:
        await (await stub.model()).chat("Hi", stream=False)
    assert caught.value.kind == "not_json"


@pytest.mark.parametrize("closed", [True, False])
async def test_a_schema_is_strict_only_where_openai_takes_it_as_strict(stub: Stub, closed: bool) -> None:
    """OpenAI refuses a strict schema whose object does not forbid additional properties."""
    model = await stub.model(capabilities=frozenset({"json_schema"}))
    await model.chat(
        "Hi", schema={"type": "object", "properties": {}, **({"additionalProperties": False} if closed else {})}
    )
    assert stub.asked[0]["response_format"]["json_schema"]["strict"] is closed


async def test_a_reply_that_is_no_json_says_how_it_begins(stub: Stub) -> None:
    answer = await (await stub.model()).chat("Hi")
    with pytest.raises(ModelError, match=r"begins 'Hello\.'") as caught:
        answer.json()
    assert caught.value.kind == "not_json"


@pytest.mark.parametrize("streamed", [False, True])
async def test_fields_of_one_server_only_go_into_the_request_as_they_are(stub: Stub, streamed: bool) -> None:
    model = await stub.model()
    await model.chat("Hi", stream=streamed, top_k=3, grammar='root ::= "a"', max_tokens=9)
    assert (stub.asked[0]["top_k"], stub.asked[0]["grammar"], stub.asked[0]["max_tokens"]) == (3, 'root ::= "a"', 9)


@pytest.mark.parametrize(
    "answer",
    [
        reply("The capital of France is Paris."),
        reply("", {"weather": '{"city": "Paris, France"}', "ping": "{}"}),
        reply("Let me look.", {"weather": '{"city": "Zürich"}'}),
    ],
    ids=["text", "two tool calls", "text and a tool call"],
)
async def test_a_streamed_reply_is_the_same_as_a_plain_one(stub: Stub, answer: dict) -> None:
    answer["choices"][0]["logprobs"] = {"content": [{"token": "x", "logprob": -0.5}]}
    stub.answers = [answer]
    model = await stub.model()
    plain, streamed = await model.chat("Hi", stream=False), await model.chat("Hi", stream=True)
    assert stub.asked[1] == {**stub.asked[0], "stream": True, "stream_options": {"include_usage": True}}
    assert streamed.first_token_seconds is not None or not streamed.text
    for name in (
        "text",
        "tool_calls",
        "finish_reason",
        "model",
        "seed",
        "cached_tokens",
        "message",
        "request",
        "response",
    ):
        assert getattr(streamed, name) == getattr(plain, name), name
    assert (plain.input_tokens, plain.output_tokens, plain.cached_tokens) == (10, 5, 4)
    assert (streamed.input_tokens, streamed.output_tokens) == (10, 5)


async def test_a_server_that_does_not_stream_may_answer_whole(stub: Stub) -> None:
    whole = reply("All at once.")
    stub.answers = [Raw(json.dumps(whole))]
    answer = await (await stub.model()).chat("Hi", stream=True)
    assert (answer.text, answer.input_tokens) == ("All at once.", 10)


async def test_several_choices_are_not_streamed_into_one_another(stub: Stub) -> None:
    await (await stub.model()).chat("Hi", stream=True, n=2)
    assert "stream" not in stub.asked[0]


async def test_a_reply_costs_what_the_configured_prices_say(stub: Stub) -> None:
    free, priced = await stub.model(), await stub.model(price_in=2.0, price_out=8.0, currency="EUR")
    assert (await free.chat("Hi")).cost is None
    answer = await priced.chat("Hi")
    assert answer.cost == pytest.approx((10 * 2.0 + 5 * 8.0) / 1e6)
    assert answer.currency == "EUR"
    assert priced.trace.totals.cost == answer.cost


async def test_a_reply_without_usage_counts_no_tokens(stub: Stub) -> None:
    stub.answers = [reply(usage=None)]
    answer = await (await stub.model()).chat("Hi")
    assert (answer.text, answer.input_tokens, answer.output_tokens, answer.cached_tokens) == ("Hello.", 0, 0, 0)


async def test_a_tool_call_goes_round_through_the_conversation(stub: Stub) -> None:
    stub.answers = [reply("", {"weather": '{"city": "Oslo"}'}), reply("It rains.")]
    model = await stub.model()
    messages = [{"role": "user", "content": "Weather in Oslo?"}]
    asked = await model.chat(messages, tools=[weather])
    messages += [asked.message, *await call_all(asked.tool_calls, [weather])]
    told = await model.chat(messages, tools=[weather])
    sent = stub.asked[1]["messages"]
    assert sent[1] == {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": "call_0", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
        ],
    }
    assert sent[2] == {"role": "tool", "tool_call_id": "call_0", "content": "Rain in Oslo."}
    assert told.message == {"role": "assistant", "content": "It rains."}


@pytest.mark.parametrize(
    ("wrote", "sent"),
    [
        ('{"city": "Oslo}}', {"no_json": '{"city": "Oslo}}'}),
        ('["Oslo"]', ["Oslo"]),
    ],
    ids=["cut off", "no object"],
)
async def test_arguments_go_back_as_json_whatever_the_model_wrote(stub: Stub, wrote: str, sent: object) -> None:
    stub.answers = [reply("", {"weather": wrote})]
    asked = await (await stub.model()).chat("Weather in Oslo?", tools=[weather])
    assert asked.tool_calls[0].arguments == wrote
    assert json.loads(asked.message["tool_calls"][0]["function"]["arguments"]) == sent


async def test_a_call_is_one_step_with_the_names_of_opentelemetry(stub: Stub) -> None:
    model = await stub.model()
    with Trace("mine") as mine:
        answer = await model.chat("Hi", max_tokens=9)
    (step,) = mine
    assert (step.kind, step.name, step.status, len(model.trace)) == ("model", "chat", "ok", 0)
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "127.0.0.1",
        "gen_ai.request.model": "stub-model",
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.seed": SEED,
        "gen_ai.response.model": "stub-model-2",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "llmlab.source": "endpoint",
        "llmlab.cost": None,
        "llmlab.request": answer.request,
        "llmlab.response": reply(),
    }
    assert {name: step.get(name) for name in expected} == expected


async def test_any_path_of_the_api_can_be_asked(stub: Stub) -> None:
    stub.answers = [{"id": "resp_1", "output": [], "usage": {"input_tokens": 3, "output_tokens": 2}}]
    model = await stub.model()
    answer = await model.post("/responses", {"input": "Hi"})
    assert answer["id"] == "resp_1"
    (step,) = model.trace
    assert (step.name, step.request, step.response) == (
        "responses",
        {"input": "Hi"},
        answer,
    )
    assert (step.get("gen_ai.usage.input_tokens"), step.get("gen_ai.usage.output_tokens")) == (3, 2)


@pytest.mark.parametrize(
    ("budget", "limit"), [(Budget(steps=1), "steps"), (Budget(tokens=15), "tokens"), (Budget(money=1e-5), "money")]
)
async def test_a_spent_budget_stops_before_the_call(stub: Stub, budget: Budget, limit: str) -> None:
    model = await stub.model(price_in=1.0, price_out=1.0)
    with Trace("run", budget=budget) as run:
        await model.chat("Hi")
        with pytest.raises(BudgetExceeded) as caught:
            await model.chat("Hi")
    assert caught.value.limit == limit
    assert (len(stub.asked), len(run)) == (1, 1)


async def test_what_is_declared_is_not_asked_for(stub: Stub) -> None:
    model = await stub.model(capabilities=frozenset({"tools"}))
    assert [await model.can(c) for c in ("tools", "json_schema", "vision", "logprobs")] == [True, False, False, False]
    assert stub.asked == []
    with pytest.raises(SettingsError, match="'flight'"):
        await model.can("flight")


async def test_a_missing_capability_is_said_in_one_sentence_before_any_call(stub: Stub) -> None:
    model = await stub.model(capabilities=frozenset())
    with pytest.raises(MissingCapability) as caught:
        await model.chat("Hi", tools=[weather])
    assert re.fullmatch(
        r"This cell needs a model that can do tools, but stub-model offers nothing beyond text; [^.]+\.",
        str(caught.value),
    )
    assert stub.asked == []


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
async def test_a_capability_is_found_out_once_by_a_small_request(
    stub: Stub, capability: str, answer, able: bool
) -> None:
    stub.answers = [answer, answer, answer, reply()]
    model = await stub.model()
    assert await model.can(capability) is able
    sent = len(stub.asked)
    assert await model.can(capability) is able
    assert len(stub.asked) == sent
    assert model.abilities == {capability: able}


async def test_a_capability_that_was_not_found_is_missing_in_the_next_call(stub: Stub) -> None:
    stub.answers = [error(400, "tools are not there")]
    model = await stub.model()
    assert not await model.can("tools")
    with pytest.raises(MissingCapability):
        await model.chat("Hi", tools=[weather])


async def test_a_key_that_is_refused_says_nothing_about_capabilities(stub: Stub) -> None:
    stub.answers = [error(401, "bad key")]
    model = await stub.model()
    with pytest.raises(ModelError) as caught:
        await model.can("tools")
    assert caught.value.kind == "auth"
    assert model.abilities == {}


COMPLAINTS = {
    "max_tokens": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    "temperature": "Unsupported value: 'temperature' does not support 0 with this model.",
    "seed": "Unrecognized request argument supplied: seed",
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("field", COMPLAINTS)
async def test_a_field_that_a_server_does_not_take_is_left_out_and_the_reply_says_so(
    stub: Stub, field: str, streamed: bool
) -> None:
    stub.answers = [error(400, COMPLAINTS[field]), reply()]
    model = await stub.model()
    first = await model.chat("Hi", stream=streamed)
    second = await model.chat("Hi", stream=streamed)
    assert field in stub.asked[0]
    assert field not in stub.asked[1]
    assert stub.asked[2] == stub.asked[1]
    assert first.note == second.note
    assert f"Not taken by this server: {field}" in first.note
    assert field not in first.request
    (step, _) = model.trace
    assert step.request == first.request
    assert step.get(f"gen_ai.request.{field}") is None
    if field == "max_tokens":
        assert stub.asked[1]["max_completion_tokens"] == 512
    if field == "seed":
        assert first.seed is None


async def test_several_fields_may_be_left_out_one_after_the_other(stub: Stub) -> None:
    extra = Raw('{"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}', 422)
    stub.answers = [error(400, COMPLAINTS["max_tokens"]), extra, reply()]
    answer = await (await stub.model()).chat("Hi")
    assert answer.note == "Not taken by this server: max_tokens (sent as max_completion_tokens), seed."
    assert len(stub.asked) == 3


async def test_a_value_out_of_range_is_an_error_and_not_left_out(stub: Stub) -> None:
    stub.answers = [error(400, "Invalid 'temperature': above the maximum value. Expected a value <= 2, but got 5.")]
    with pytest.raises(ModelError) as caught:
        await (await stub.model()).chat("Hi", temperature=5)
    assert caught.value.kind == "bad_request"
    assert len(stub.asked) == 1


async def test_the_key_is_in_no_trace_recording_or_error(stub: Stub, tmp_path) -> None:
    stub.answers = [reply(f"Your key is {KEY}."), error(401, f"Incorrect API key provided: {KEY}")]
    model = await stub.model(record=tmp_path, chapter="keys")
    answer = await model.chat(f"My key is {KEY}")
    with pytest.raises(ModelError) as caught:
        await model.chat("Hi")
    assert KEY in stub.asked[0]["messages"][0]["content"]
    recorded = (tmp_path / "keys.jsonl").read_text(encoding="utf-8")
    saved = model.trace.save(tmp_path / "trace.jsonl").read_text(encoding="utf-8")
    for text in (recorded, saved, str(caught.value), repr(model.config), json.dumps([answer.request, answer.response])):
        assert KEY not in text
    assert "[key]" in recorded
    assert "[key]" in saved
    assert "[key]" in str(caught.value)


async def test_calls_run_side_by_side(stub: Stub) -> None:
    model = await stub.model()
    answers = await asyncio.gather(*(model.chat(f"Question {i}") for i in range(4)))
    assert [a.request["messages"][0]["content"] for a in answers] == [f"Question {i}" for i in range(4)]
    assert len(model.trace) == 4


async def test_a_recorded_stream_and_a_recorded_reply_are_the_same(stub: Stub, tmp_path) -> None:
    """While a chapter is recorded nothing streams, so that its replay does not depend on how a cell was run."""
    model = await stub.model(record=tmp_path, chapter="streams")
    await model.chat("Hi", stream=True)
    assert "stream" not in stub.asked[0]
    (exchange,) = recording.Recording.load(tmp_path / "streams.jsonl").exchanges
    assert exchange["response"] == reply()
