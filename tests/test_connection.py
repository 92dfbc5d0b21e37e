"""Which model answers: the box, an endpoint or a recording, and what it is known by."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from llmlab import ModelError, connect
from llmlab.errors import RecordingError, RecordingMiss, SettingsError
from llmlab.llm import local
from stub import KEY, Stub, reply

pytestmark = pytest.mark.anyio


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        yield running


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """A stub in the place of the model in the box."""
    with Stub() as running:
        running.answers = [reply("From the box.")]
        about = {
            "base_url": running.url,
            "api_key": KEY,
            "name": "box",
            "provenance": {"llmlab.weights.file": "b.gguf", "llmlab.adapter.sha256": "a"},
        }
        monkeypatch.setattr(local, "start", lambda config: SimpleNamespace(**about))
        yield running


async def record(stub: Stub, folder: Path, label: str = "model", **override: object) -> None:
    named = {"base_url": stub.url, "model": "teacher", "record": folder, "chapter": "one", **override}
    await (await connect("endpoint", label=label, **named)).chat("Hi")


async def test_without_any_setting_the_box_answers(box: Stub) -> None:
    model = await connect()
    answer = await model.chat("Hi")
    assert (model.source, model.name, answer.source, answer.text) == ("embedded", "box", "embedded", "From the box.")
    assert model.abilities == {"tools": True, "json_schema": True, "logprobs": True}
    assert answer.provenance["llmlab.weights.file"] == model.trace.steps[0].get("llmlab.weights.file") == "b.gguf"


async def test_the_environment_names_an_endpoint_and_a_recording_goes_before_it(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(stub, tmp_path)
    for name, value in {"OPENAI_BASE_URL": stub.url, "OPENAI_API_KEY": KEY, "LLMLAB_CAPABILITIES": "tools"}.items():
        monkeypatch.setenv(name, value)
    model = await connect()
    assert (model.source, model.name, (await model.chat("Hi")).source) == ("endpoint", "stub-model", "endpoint")
    assert model.abilities == {"tools": True}
    assert stub.headers[1]["authorization"] == f"Bearer {KEY}"
    for name, value in {"LLMLAB_REPLAY": str(tmp_path), "LLMLAB_CHAPTER": "one"}.items():
        monkeypatch.setenv(name, value)
    model = await connect()
    assert (model.source, model.name, (await model.chat("Hi")).source) == ("recording", "teacher", "recording")
    assert len(stub.asked) == 2


async def test_the_adapter_is_asked_for_where_tools_are_offered_and_can_be_taken_off(box: Stub, tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    for model in (await connect(record=tmp_path, chapter="one"), await connect(adapter=None)):
        await model.chat("Hi", tools=tools)
        await model.chat("Hi")
    again = await connect(replay=tmp_path, chapter="one", strict=True)
    assert (await again.chat("Hi", tools=tools)).request["lora"] == [{"id": 0, "scale": 1.0}]
    assert ["lora" in body for body in box.asked] == [True, False, False, False]


async def test_one_of_the_three_can_be_asked_for(box: Stub, stub: Stub) -> None:
    assert (await connect("embedded", base_url=stub.url)).source == "embedded"
    with pytest.raises(SettingsError, match="standard, small, tiny, but not 'cloud'"):
        await connect("cloud")
    with pytest.raises(RecordingError, match="LLMLAB_REPLAY"):
        await connect("recording")
    stub.models = ["small", "large"]
    with pytest.raises(SettingsError, match=r"LLMLAB_MODEL .* 127\.0\.0\.1 offers small, large;"):
        await stub.model(model=None)


async def test_a_chapter_without_a_recording_is_answered_by_the_box_and_that_is_said(
    box: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = await connect(replay=tmp_path / "class", chapter="04_the_agent_loop")
    assert (model.source, (await model.chat("Hi")).source) == ("embedded", "embedded")
    assert "No recording of 04_the_agent_loop is in class" in capsys.readouterr().out
    with pytest.raises(RecordingError):
        await connect(replay=tmp_path / "class", chapter="04_the_agent_loop", strict=True)


async def test_a_size_names_a_model_of_the_catalogue_and_is_a_label_in_a_recording(
    box: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str | None] = []
    start = local.start
    monkeypatch.setattr(local, "start", lambda config: started.append(config.box) or start(config))
    model = await connect("small", record=tmp_path, chapter="one", base_url="http://elsewhere/v1", gguf=Path("x"))
    await model.chat("Hi")
    assert (model.source, model.config.gguf, started) == ("embedded", None, ["small"])
    again = await connect("small", replay=tmp_path, chapter="one", strict=True)
    assert ((await again.chat("Hi")).source, again.name) == ("recording", "box")


async def test_each_label_has_its_own_replies_and_capabilities(stub: Stub, tmp_path: Path) -> None:
    stub.answers = [reply("First."), reply("Second.")]
    await record(stub, tmp_path, "writer")
    await record(stub, tmp_path, "judge", capabilities=frozenset({"tools"}))
    one = {"replay": tmp_path, "chapter": "one", "strict": True}
    writer, judge = await connect(label="writer", **one), await connect(label="judge", **one)
    assert [(await m.chat("Hi")).text for m in (judge, writer)] == ["Second.", "First."]
    assert (writer.abilities, judge.abilities) == ({}, {"tools": True})


async def test_a_replay_has_the_seconds_the_seed_and_the_day_of_the_recording(stub: Stub, tmp_path: Path) -> None:
    live = await (await stub.model(record=tmp_path, chapter="one")).chat("Hi", temperature=1.0)
    file = tmp_path / "one.jsonl"
    header, about, exchange = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    exchange["seconds"] = 1000.0
    file.write_text("\n".join(map(json.dumps, [header, about, exchange])), encoding="utf-8")
    model = await connect(replay=file, strict=True)
    again = await model.chat("Hi", temperature=1.0, stream=True)
    assert (again.seed, again.seconds, again.note) == (live.seed, 1000.0, "")
    assert again.provenance["recorded"] == header["recorded"]
    assert model.trace.totals.seconds >= 1000.0


async def test_only_a_replay_that_is_not_strict_asks_the_box_for_what_is_missing(
    stub: Stub, box: Stub, tmp_path: Path
) -> None:
    await record(stub, tmp_path)
    strict = await connect(replay=tmp_path, chapter="one", strict=True)
    with pytest.raises(RecordingMiss, match=r'"Hi".*"And now'):
        await strict.chat("And now?")
    assert (box.asked, strict.trace.steps[0].status) == ([], "error")
    model = await connect(replay=tmp_path, chapter="one")
    known, new = await model.chat("Hi"), await model.chat("And now?", temperature=0.5)
    assert (known.source, known.text, known.note) == ("recording", "Hello.", "")
    assert (new.source, new.text) == ("embedded", "From the box.")
    assert new.note.startswith("Not in the recording: ")
    assert [step.get("llmlab.source") for step in model.trace] == ["recording", "embedded"]
    assert box.headers[0]["authorization"] == f"Bearer {KEY}"
    assert not [name for name in box.headers[0] if name.startswith("x-llmlab")]
    box.answers = [{"error": "tired"}]
    with pytest.raises(ModelError, match="tired"):
        await model.chat("What else?")


def test_a_script_may_run_more_than_one_event_loop(stub: Stub) -> None:
    model = asyncio.run(stub.model())
    assert [asyncio.run(model.chat("Hi")).text for _ in range(2)] == ["Hello."] * 2
