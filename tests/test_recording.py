"""What is recorded comes back exactly, and what was not recorded is told from what was."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from llmlab import connect, redaction, settings
from llmlab.errors import RecordingError, RecordingMiss
from llmlab.llm import recording
from llmlab.llm.recording import DRAWN_SEED, HEADER, Recording, Transport
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
        path, body = request.url.path, json.loads(request.content or "{}")
        if body.get("stream"):
            return httpx2.Response(200, text=SSE, headers={"content-type": "text/event-stream"})
        if not path.endswith(CHAT):
            return httpx2.Response({"/v1/wrong": 400, "/v1/busy": 429}.get(path, 200), text="kein JSON: ä")
        number = len(self.seen)
        if body.get("seed") == 11:
            await self.gate.wait()
        text = json.dumps({"reply": number, "seed": body.get("seed")})
        return httpx2.Response(200, text=text, headers={"content-type": "application/json"})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "chapter.jsonl"


def client(transport: Transport) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=transport, base_url="http://server.example/v1")


def live(server: Server, file: Path, label: str = "model") -> httpx2.AsyncClient:
    return client(Transport(server.send, label, file=file, sent=recording.begin(file, "chapter")))


def replay(file: Path, label: str = "model", send: Any = None) -> httpx2.AsyncClient:
    return client(Transport(send, label, recording=Recording.load(file)))


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], "temperature": 0, "seed": 0, **more}


def note(response: httpx2.Response) -> dict[str, Any]:
    return dict(json.loads(response.headers[HEADER]))


async def test_a_recorded_exchange_comes_back_exactly_and_says_that_it_is_recorded(server: Server, file: Path) -> None:
    paths = [(CHAT, ask("one", tools=[None, "ü"])), (CHAT, ask("s", stream=True)), ("/text", None), ("/wrong", {})]
    recorder = live(server, file)
    first = [await recorder.post(path, json=body) for path, body in paths]
    assert len(Recording.load(file).exchanges) == len(server.seen), "each is on disk when it is complete"
    player = replay(file)
    again = [await player.post(path, json=body) for path, body in reversed(paths)][::-1]
    for a, b in zip(first, again, strict=True):
        assert (a.status_code, a.text, a.headers["content-type"]) == (b.status_code, b.text, b.headers["content-type"])
        assert (note(b)["source"], note(b)["seconds"] >= 0, len(note(b)["recorded"])) == ("recording", True, 10)


async def test_the_same_request_gives_its_replies_in_the_order_of_recording(server: Server, file: Path) -> None:
    # A chapter whose cells call `connect()` twice goes on counting; labels are counted apart.
    first = [(await live(server, file, label).post(CHAT, json=ask("a"))).text for label in ("one", "two", "one")]
    one = replay(file, "one")
    assert [(await one.post(CHAT, json=ask("a"))).text for _ in range(2)] == [first[0], first[2]]
    assert (await replay(file, "two").post(CHAT, json=ask("a"))).text == first[1]
    with pytest.raises(RecordingMiss, match=r"request 1.* fewer times"):
        await one.post(CHAT, json=ask("a"))
    with pytest.raises(RecordingMiss, match=r"no request to /chat/completions on the connection 'three'"):
        await replay(file, "three").post(CHAT, json=ask("a"))


async def test_parallel_requests_come_back_as_they_were_sent_and_a_drawn_seed_with_them(
    server: Server, file: Path
) -> None:
    recorder = live(server, file)
    tasks = [asyncio.ensure_future(recorder.post(CHAT, json=ask("a", seed=s), headers=DRAWN)) for s in (11, 12, 13)]
    await asyncio.gather(*tasks[1:])
    server.gate.set()  # what was sent first is answered, and written, last
    texts = [reply.text for reply in await asyncio.gather(*tasks)]
    assert all(DRAWN_SEED not in request.headers for request in server.seen), "the mark may not leave the lab"
    player = replay(file)
    again = [await player.post(CHAT, json=ask("a", seed=99), headers=DRAWN) for _ in range(3)]
    assert [r.text for r in again] == texts
    assert [note(r)["seed"] for r in again] == [11, 12, 13]
    with pytest.raises(RecordingMiss) as caught:
        await player.post(CHAT, json=ask("b", seed=99), headers=DRAWN)
    assert '-"content": "a" +"content": "b"' in str(caught.value)
    assert "seed" not in str(caught.value), "it was drawn"


UNKEYED = {
    "model name": ({}, {"model": "another"}),
    "streaming": ({}, {"stream": True, "stream_options": {"include_usage": True}}),
    "a drawn seed that was left out for the server": ({"seed": ...}, {"seed": 5}),
}


@pytest.mark.parametrize("what", UNKEYED)
async def test_what_is_no_part_of_a_request(what: str, server: Server, file: Path) -> None:
    old, new = ({k: v for k, v in ask("a", **more).items() if v is not ...} for more in UNKEYED[what])
    first = await live(server, file).post(CHAT, json=old, headers=DRAWN)
    assert (await replay(file).post(CHAT, json=new, headers=DRAWN)).text == first.text


async def test_a_miss_names_the_nearest_request_and_what_differs(server: Server, file: Path) -> None:
    recorder, player = live(server, file), replay
    for body in (ask("something else", tools=[]), ask("What is snow?", max_tokens=40), ask("x", n=2)):
        await recorder.post(CHAT, json=body)
    with pytest.raises(RecordingMiss, match=r'request 2, .* -"max_tokens": 40 \+"max_tokens": 50; .*llmlab record'):
        await player(file).post(CHAT, json=ask("What is snow?", max_tokens=50))
    with pytest.raises(RecordingMiss, match=r'where \+"seed": 12;'):
        await player(file).post(CHAT, json=ask("What is snow?", max_tokens=40, seed=12))


async def test_where_the_box_stands_in_it_answers_what_is_new_and_the_recording_begins_again(
    server: Server, file: Path
) -> None:
    recorder = live(server, file)
    first = [(await recorder.post(CHAT, json=ask("a"))).text for _ in range(2)]
    player = replay(file, send=server.send)
    assert [(await player.post(CHAT, json=ask("a"))).text for _ in range(5)] == [*first, *first, first[0]]
    new = await player.post(CHAT, json=ask("b"))
    assert (new.json()["reply"], note(new)["source"]) == (3, "embedded")
    assert "Not in the recording: the nearest is request 1" in note(new)["note"]


async def test_neither_keys_nor_headers_nor_the_home_folder_reach_the_file_nor_failures_that_pass(
    server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "_secrets", {KEY})
    recorder, body = live(server, file), ask(f"my key is {KEY}, in {Path.home()}/.env")
    assert (await recorder.post("/busy", json={})).status_code == 429
    await recorder.post(CHAT, json=body, headers={"Authorization": f"Bearer {KEY}", "Cookie": "session=abc"})
    assert server.seen[1].headers["authorization"] == f"Bearer {KEY}"
    text = file.read_text(encoding="utf-8")
    assert [
        hidden for hidden in (KEY, str(Path.home()), "uthorization", "session", "server.example") if hidden in text
    ] == []
    [exchange] = Recording.load(file).exchanges
    assert exchange["request"]["messages"][0]["content"] == "my key is [key], in ~/.env"
    assert (await replay(file).post(CHAT, json=body)).status_code == 200


@pytest.mark.parametrize("base", ["", "/v1", "/openai/v1beta"])
async def test_the_path_of_an_endpoint_is_no_part_of_a_request(base: str, tmp_path: Path) -> None:
    # Recorded on a hosted model, whose address may be anything; replayed in a class that has none.
    with Stub() as stub:
        url = stub.url.removesuffix("/v1") + base
        assert (
            await (await connect("endpoint", base_url=url, model="strong", record=tmp_path)).chat("a")
        ).text == "Hello."
    again = await connect("recording", replay=tmp_path, strict=True)
    assert ((await again.chat("a")).text, again.name) == ("Hello.", "strong")


HEAD = b'{"llmlab_recording": 1, "chapter": "x", "recorded": "y"}\n'
JUNK = [None, b"", b'{"chapter": "\xff"}\n', b'{"llmlab_trace": 1}\n', b"[]\n", HEAD.replace(b"1", b"2")]


@pytest.mark.parametrize("content", [*JUNK, HEAD + b'{"key": "a", "n"', HEAD + b"3\n"])
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
        recording.begin(path, "a")
        recording.append(path, key="k", n=n)
    assert [e["n"] for e in Recording.load(path).exchanges] == [0, 1]


def test_the_recordings_of_the_kit_can_be_read_and_hold_no_address() -> None:
    files = sorted((settings.DATA / "recordings").glob("*.jsonl"))
    assert files
    for chapter in files:
        found = Recording.load(chapter)
        keys = [(e["connection"], e["key"], e["n"]) for e in found.exchanges]
        assert (found.chapter, len(set(keys))) == (chapter.stem, len(keys) or None)
        assert {connection for connection, *_ in keys} <= found.connections.keys()
        assert "127.0.0.1" not in chapter.read_text(encoding="utf-8")
