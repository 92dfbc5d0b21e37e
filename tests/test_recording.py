"""What is recorded comes back exactly, and what was not recorded is told from what was."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from llmlab import connect, redaction, settings
from llmlab.errors import RecordingError, RecordingMiss
from llmlab.llm import recording
from llmlab.llm.recording import DRAWN_SEED, HEADER, File, Recording, Transport
from stub import KEY, Stub

pytestmark = pytest.mark.anyio
CHAT = "/chat/completions"
DRAWN = {DRAWN_SEED: "1"}
SSE = 'data: {"a": 1}\n\ndata: {"b": "\u2028 é"}\n\ndata: [DONE]\n\n'


class Server:
    """A model that counts: each reply says how many requests came before it. Seed 11 waits for its gate."""

    def __init__(self) -> None:
        self.seen: list[httpx2.Request] = []
        self.gate = asyncio.Event()

    async def send(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        number, body = len(self.seen), json.loads(request.content or "{}")
        if body.get("stream"):
            return httpx2.Response(200, text=SSE, headers={"content-type": "text/event-stream"})
        if request.url.path.endswith("/text"):
            return httpx2.Response(200, text="kein JSON: ä")
        if request.url.path.endswith("/wrong"):
            return httpx2.Response(400, text='{"error": "not so"}')
        if request.url.path.endswith("/busy"):
            return httpx2.Response(429)
        if body.get("seed") == 11:
            await self.gate.wait()
        text = json.dumps({"reply": number, "seed": body.get("seed")})
        return httpx2.Response(200, text=text, headers={"content-type": "application/json"})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "folder" / "chapter.jsonl", "chapter")


def client(transport: Transport) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=transport, base_url="http://server.example/v1")


def live(server: Server, file: File, label: str = "model") -> httpx2.AsyncClient:
    return client(Transport(server.send, label, file=file, sent=file.sent[label]))


def replay(file: File, label: str = "model", send: Callable[..., Any] | None = None) -> httpx2.AsyncClient:
    return client(Transport(send, label, recording=Recording.load(file.path)))


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], "temperature": 0, "seed": 0, **more}


def note(response: httpx2.Response) -> dict[str, Any]:
    return dict(json.loads(response.headers[HEADER]))


async def test_a_recorded_exchange_comes_back_exactly_and_says_that_it_is_recorded(server: Server, file: File) -> None:
    sent = [
        (CHAT, ask("one")),
        (CHAT, ask("two", tools=[{"x": [1, None, "ü"]}])),
        (CHAT, ask("s", stream=True)),
        ("/text", ask("x")),
        ("/wrong", {}),
    ]
    recorder = live(server, file)
    first = [await recorder.post(path, json=body) for path, body in sent]
    first.append(await recorder.get("/models"))
    assert len(Recording.load(file.path).exchanges) == len(server.seen), "each is on disk when it is complete"
    player = replay(file)
    again = [await player.post(path, json=body) for path, body in reversed(sent)][::-1]
    again.append(await player.get("/models"))
    for a, b in zip(first, again, strict=True):
        assert (a.status_code, a.text, a.headers["content-type"]) == (b.status_code, b.text, b.headers["content-type"])
        assert (note(b)["source"], note(b)["seconds"] >= 0, len(note(b)["recorded"])) == ("recording", True, 10)


async def test_the_same_request_gives_its_replies_in_the_order_of_recording(server: Server, file: File) -> None:
    questions = ["a", "b", "a", "a", "b"]
    # A chapter whose cells call `connect()` twice goes on counting.
    first = [(await live(server, file).post(CHAT, json=ask(q))).text for q in questions]
    player = replay(file)
    again = {q: [(await player.post(CHAT, json=ask(q))).text for _ in range(questions.count(q))] for q in "ba"}
    assert again == {q: [text for asked, text in zip(questions, first, strict=True) if asked == q] for q in "ab"}
    with pytest.raises(RecordingMiss, match=r"request 1.* fewer times"):
        await player.post(CHAT, json=ask("a"))


async def test_parallel_requests_come_back_as_they_were_sent_and_a_drawn_seed_with_them(
    server: Server, file: File
) -> None:
    async def one(seed: int) -> str:
        return (await recorder.post(CHAT, json=ask("a", seed=seed), headers=DRAWN)).text

    recorder = live(server, file)
    first = [asyncio.create_task(one(seed)) for seed in (11, 12, 13)]
    await asyncio.gather(*first[1:])
    server.gate.set()  # what was sent first is answered, and written, last
    texts = await asyncio.gather(*first)
    assert all(DRAWN_SEED not in request.headers for request in server.seen), "the mark may not leave the lab"
    player = replay(file)
    again = [await player.post(CHAT, json=ask("a", seed=99), headers=DRAWN) for _ in range(3)]
    assert [r.text for r in again] == texts
    assert [note(r)["seed"] for r in again] == [11, 12, 13]
    with pytest.raises(RecordingMiss) as caught:
        await player.post(CHAT, json=ask("b", seed=99), headers=DRAWN)
    assert '- "content": "a" + "content": "b"' in str(caught.value)
    assert "seed" not in str(caught.value), "it was drawn"


async def test_labels_tell_connections_apart(server: Server, file: File) -> None:
    for label in ("writer", "judge"):
        await live(server, file, label).post(CHAT, json=ask("a"))
    assert (await replay(file, "judge").post(CHAT, json=ask("a"))).json()["reply"] == 2
    with pytest.raises(RecordingMiss, match=r"no request to /chat/completions on the connection 'third'"):
        await replay(file, "third").post(CHAT, json=ask("a"))


@pytest.mark.parametrize("change", [{"model": "another"}, {"stream": True, "stream_options": {"include_usage": True}}])
async def test_model_name_and_streaming_are_no_part_of_a_request(change: Any, server: Server, file: File) -> None:
    first = await live(server, file).post(CHAT, json=ask("a"))
    assert (await replay(file).post(CHAT, json=ask("a", **change))).text == first.text


async def test_a_drawn_seed_that_was_left_out_for_the_server_is_no_difference(server: Server, file: File) -> None:
    body = {k: v for k, v in ask("a").items() if k != "seed"}
    first = await live(server, file).post(CHAT, json=body, headers=DRAWN)
    assert (await replay(file).post(CHAT, json=ask("a", seed=5), headers=DRAWN)).text == first.text


async def test_a_miss_names_the_nearest_request_and_what_differs(server: Server, file: File) -> None:
    recorder, player = live(server, file), replay
    for body in (ask("something else", tools=[]), ask("What is snow?", max_tokens=40), ask("x", n=2)):
        await recorder.post(CHAT, json=body)
    with pytest.raises(RecordingMiss, match=r'request 2, .* - "max_tokens": 40 \+ "max_tokens": 50; .*llmlab record'):
        await player(file).post(CHAT, json=ask("What is snow?", max_tokens=50))
    with pytest.raises(RecordingMiss, match=r'where \+ "seed": 12;'):
        await player(file).post(CHAT, json=ask("What is snow?", max_tokens=40, seed=12))


async def test_where_the_box_stands_in_it_answers_what_is_new_and_the_recording_begins_again(
    server: Server, file: File
) -> None:
    recorder = live(server, file)
    first = [(await recorder.post(CHAT, json=ask("a"))).text for _ in range(2)]
    player = replay(file, send=server.send)
    assert [(await player.post(CHAT, json=ask("a"))).text for _ in range(5)] == [*first, *first, first[0]]
    new = await player.post(CHAT, json=ask("b"))
    assert (new.json()["reply"], note(new)["source"]) == (3, "embedded")
    assert "Not in the recording: the nearest is request 1" in note(new)["note"]


async def test_neither_keys_nor_headers_nor_the_home_folder_reach_the_file_nor_failures_that_pass(
    server: Server, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "_secrets", set())
    redaction.hide(KEY)
    headers = {"Authorization": f"Bearer {KEY}", "X-Api-Key": KEY, "Cookie": "session=abc"}
    body = ask(f"my key is {KEY}, in {Path.home()}/.env")
    recorder = live(server, file)
    assert (await recorder.post("/busy", json={})).status_code == 429
    await recorder.post(CHAT, json=body, headers=headers)
    file.add(connection="model", provenance={"file": f"{Path.home()}/x.gguf"})
    assert server.seen[1].headers["authorization"] == f"Bearer {KEY}"
    text = file.path.read_text(encoding="utf-8")
    assert [
        hidden for hidden in (KEY, str(Path.home()), "uthorization", "session=abc", "server.example") if hidden in text
    ] == []
    found = Recording.load(file.path)
    [exchange] = found.exchanges
    assert exchange["request"]["messages"][0]["content"] == "my key is [key], in ~/.env"
    assert found.connections["model"]["provenance"] == {"file": "~/x.gguf"}
    assert (await replay(file).post(CHAT, json=body)).status_code == 200


@pytest.mark.parametrize("base", ["", "/v1", "/openai/v1beta"])
async def test_the_path_of_an_endpoint_is_no_part_of_a_request(base: str, tmp_path: Path) -> None:
    # Recorded on a hosted model, whose address may be anything; replayed in a class that has none.
    with Stub() as stub:
        url = stub.url.removesuffix("/v1") + base
        model = await connect("endpoint", base_url=url, model="strong", record=tmp_path)
        assert (await model.chat("a")).text == "Hello."
    again = await connect("recording", replay=tmp_path, strict=True)
    assert ((await again.chat("a")).text, again.name) == ("Hello.", "strong")


JUNK = {
    "empty": b"",
    "no UTF-8": b'{"chapter": "\xff"}\n',
    "a trace": b'{"llmlab_trace": 1, "name": "x"}\n',
    "a list": b"[]\n",
    "of another version": b'{"llmlab_recording": 2, "chapter": "x", "recorded": "2026-01-01"}\n',
    "a cut line": b'{"llmlab_recording": 1, "chapter": "x", "recorded": "y"}\n{"key": "a", "n"',
    "a line that is a number": b'{"llmlab_recording": 1, "chapter": "x", "recorded": "y"}\n3\n',
}


@pytest.mark.parametrize("content", [*JUNK.values(), None], ids=[*JUNK, "missing"])
async def test_what_is_no_recording_is_refused_in_a_sentence(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "04_loop.jsonl").write_bytes(content)
    with pytest.raises(RecordingError, match=r"LLMLAB_REPLAY .*04_loop\.jsonl cannot be read as one .*anew\.$"):
        await connect("recording", replay=tmp_path, chapter="04_loop")


def test_a_process_begins_a_file_anew_once_and_then_goes_on_in_it(tmp_path: Path) -> None:
    path = recording.file_in(tmp_path, "")
    assert (path, recording.file_in(path, "01_x")) == (tmp_path / "session.jsonl", path)
    path.write_text("old", encoding="utf-8")
    for n in range(2):
        recording.writer(path, "a").add(key="k", n=n)
    assert [e["n"] for e in Recording.load(path).exchanges] == [0, 1]


@pytest.mark.parametrize("chapter", sorted((settings.DATA / "recordings").glob("*.jsonl")), ids=lambda p: p.stem)
def test_the_recordings_of_the_kit_can_be_read_and_hold_no_address(chapter: Path) -> None:
    found = Recording.load(chapter)
    assert found.chapter == chapter.stem
    keys = [(e["connection"], e["key"], e["n"]) for e in found.exchanges]
    assert len(set(keys)) == len(keys) > 0
    assert {connection for connection, *_ in keys} <= found.connections.keys()
    assert "127.0.0.1" not in chapter.read_text(encoding="utf-8")
