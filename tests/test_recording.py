"""What is recorded through a real connection comes back exactly, and what was not recorded is told from what was."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from llmlab import connect, redaction, settings
from llmlab.errors import RecordingError, RecordingMiss
from llmlab.llm import recording
from llmlab.llm.recording import DRAWN_SEED, HEADER, Exchange, File, Live, Recording, Replay

pytestmark = pytest.mark.anyio
KEY = "a-very-secret-key-0123456789"
SSE = 'data: {"a": 1}\n\ndata: {"b": "\u2028 é"}\n\ndata: [DONE]\n\n'


@dataclass
class Server:
    """A model that counts: each reply says how many requests came before it."""

    url: str = ""
    seen: list[tuple[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    gates: dict[str, threading.Event] = field(default_factory=dict)  # a question waits until its gate is opened

    def reply(self, path: str, body: Any) -> tuple[int, str, bytes]:
        self.seen.append((path, body))
        number = len(self.seen)
        body = body if isinstance(body, dict) else {}
        if body.get("stream"):
            return 200, "text/event-stream", SSE.encode()
        if path.endswith("/text"):
            return 200, "text/plain; charset=utf-8", "kein JSON: ä".encode()
        if path.endswith("/wrong"):
            return 400, "application/json", b'{"error": {"message": "not so"}}'
        if path.endswith("/busy"):
            return 429, "application/json", b'{"error": {"message": "too many"}}'
        message = {"role": "assistant", "content": f"reply {number}"}
        whole = {"model": "stub", "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
        if gate := self.gates.get(str(body.get("seed"))):
            gate.wait(20)
        return 200, "application/json", json.dumps(whole | {"seed": body.get("seed")}).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, kind, body = state.reply(self.path, json.loads(content) if content else None)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield state
    for gate in state.gates.values():
        gate.set()
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "folder" / "chapter.jsonl", "chapter")


@pytest.fixture
async def live(file: File) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=Live(file)) as client:
        yield client


Fallback = Callable[[httpx2.Request], Awaitable[httpx2.Response]]


def replaying(file: File, connection: str = "model", fallback: Fallback | None = None) -> httpx2.AsyncClient:
    transport = Replay(Recording.load(file.path), connection, fallback)
    return httpx2.AsyncClient(transport=transport, base_url="http://recording.invalid/v1")


async def fallback(request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, json={"from": "the box", "got": json.loads(request.content)}, request=request)


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], "temperature": 0, "seed": 0, **more}


def note(response: httpx2.Response) -> dict[str, Any]:
    return dict(json.loads(response.headers[HEADER]))


CHAT = "/chat/completions"
DRAWN = {DRAWN_SEED: "1"}


async def test_a_failure_that_passes_is_not_recorded(server: Server, file: File, live: httpx2.AsyncClient) -> None:
    assert (await live.post(f"{server.url}/v1/busy", json={})).status_code == 429
    assert Recording.load(file.path).exchanges == []
    assert set(file.sent.values()) == {-1}


async def test_a_recorded_exchange_comes_back_exactly_and_says_that_it_is_recorded(
    server: Server, file: File, live: httpx2.AsyncClient
) -> None:
    sent = [(CHAT, ask("one")), (CHAT, ask("two", tools=[{"x": [1, None, "ü"]}])), ("/text", ask("x")), ("/wrong", {})]
    first = [await live.post(f"{server.url}/v1{path}", json=body) for path, body in sent]
    assert [r.status_code for r in first] == [200, 200, 200, 400]
    assert [path for path, _ in server.seen] == [f"/v1{path}" for path, _ in sent]
    client = replaying(file)
    again = [await client.post(path, json=body) for path, body in reversed(sent)][::-1]
    for a, b in zip(first, again, strict=True):
        assert (a.status_code, a.text, a.headers["content-type"]) == (b.status_code, b.text, b.headers["content-type"])
        assert note(b)["source"] == "recording"
        assert note(b)["seconds"] >= 0
        assert len(note(b)["recorded"]) == len("2026-01-31")
    assert len(server.seen) == len(sent), "a replay may not reach the server"


async def test_a_request_without_a_body_is_recorded_too(server: Server, file: File, live: httpx2.AsyncClient) -> None:
    first = await live.get(f"{server.url}/v1/models")
    assert (await replaying(file).get("/models")).text == first.text


async def test_the_same_request_gives_its_replies_in_the_order_of_recording(
    server: Server, file: File, live: httpx2.AsyncClient
) -> None:
    questions = ["a", "b", "a", "a", "b"]
    first = [(await live.post(f"{server.url}/v1{CHAT}", json=ask(q))).text for q in questions]
    client = replaying(file)
    again = {q: [(await client.post(CHAT, json=ask(q))).text for _ in range(questions.count(q))] for q in "ba"}
    assert again == {q: [text for asked, text in zip(questions, first, strict=True) if asked == q] for q in "ab"}


async def test_parallel_requests_come_back_in_the_order_in_which_they_were_sent(
    server: Server, file: File, live: httpx2.AsyncClient
) -> None:
    server.gates = {"11": threading.Event()}

    async def one(seed: int) -> str:
        return (await live.post(f"{server.url}/v1{CHAT}", json=ask("a", seed=seed), headers=DRAWN)).text

    first = [asyncio.create_task(one(seed)) for seed in (11, 12, 13)]
    await asyncio.gather(*first[1:])
    server.gates["11"].set()  # what was sent first is answered, and written, last
    texts = await asyncio.gather(*first)
    written = [json.loads(line)["request"]["seed"] for line in file.path.read_text("utf-8").split("\n")[1:-1]]
    assert written[-1] == 11
    client = replaying(file)
    assert [(await client.post(CHAT, json=ask("a", seed=0), headers=DRAWN)).text for _ in range(3)] == texts


async def test_two_connections_with_the_same_label_go_on_counting(server: Server, file: File) -> None:
    first = []
    for _ in range(2):  # a chapter whose cell calls `connect()` twice
        async with httpx2.AsyncClient(transport=Live(file)) as client:
            first += [(await client.post(f"{server.url}/v1{CHAT}", json=ask("a"))).text for _ in range(2)]
    client = replaying(file)
    assert [(await client.post(CHAT, json=ask("a"))).text for _ in range(4)] == first


async def test_labels_tell_connections_apart(server: Server, file: File) -> None:
    for label in ("writer", "judge"):
        async with httpx2.AsyncClient(transport=Live(file, label)) as client:
            await client.post(f"{server.url}/v1{CHAT}", json=ask("a"))
    said = (await replaying(file, "judge").post(CHAT, json=ask("a"))).json()
    assert said["choices"][0]["message"]["content"] == "reply 2"
    with pytest.raises(RecordingMiss, match=r"no request to /chat/completions on the connection 'third'"):
        await replaying(file, "third").post(CHAT, json=ask("a"))


async def test_a_drawn_seed_is_no_part_of_a_request_but_comes_back_with_its_reply(
    server: Server, file: File, live: httpx2.AsyncClient
) -> None:
    for seed in (11, 12):
        await live.post(f"{server.url}/v1{CHAT}", json=ask("a", seed=seed), headers=DRAWN)
    assert all(DRAWN_SEED not in headers for headers in server.headers), "the mark may not leave the lab"
    client = replaying(file)
    again = [await client.post(CHAT, json=ask("a", seed=s), headers=DRAWN) for s in (998, 999)]
    assert [note(r)["seed"] for r in again] == [11, 12]
    assert [r.json()["seed"] for r in again] == [11, 12]


async def test_a_seed_that_the_reader_gave_is_part_of_a_request(
    server: Server, file: File, live: httpx2.AsyncClient
) -> None:
    await live.post(f"{server.url}/v1{CHAT}", json=ask("a", seed=11))
    with pytest.raises(RecordingMiss, match="seed was 11 and is now 12"):
        await replaying(file).post(CHAT, json=ask("a", seed=12))


async def test_a_seed_that_was_drawn_and_then_left_out_for_the_server_is_recorded(
    server: Server, file: File, live: httpx2.AsyncClient
) -> None:
    body = {k: v for k, v in ask("a").items() if k != "seed"}
    first = await live.post(f"{server.url}/v1{CHAT}", json=body, headers=DRAWN)
    assert (await replaying(file).post(CHAT, json=ask("a", seed=5), headers=DRAWN)).text == first.text


@pytest.mark.parametrize("change", [{"model": "another"}, {"stream": True, "stream_options": {"include_usage": True}}])
async def test_model_name_and_streaming_are_no_part_of_a_request(
    change: dict[str, Any], server: Server, file: File, live: httpx2.AsyncClient
) -> None:
    first = await live.post(f"{server.url}/v1{CHAT}", json=ask("a"))
    assert (await replaying(file).post(CHAT, json=ask("a", **change))).text == first.text


async def test_a_streamed_body_survives_byte_for_byte(server: Server, file: File, live: httpx2.AsyncClient) -> None:
    first = await live.post(f"{server.url}/v1{CHAT}", json=ask("a", stream=True))
    again = await replaying(file).post(CHAT, json=ask("a", stream=True))
    assert first.text == again.text == SSE
    assert again.headers["content-type"] == "text/event-stream"


@pytest.mark.parametrize("base", ["", "/v1", "/openai/v1beta", "/api/v1"])
async def test_the_path_of_an_endpoint_is_no_part_of_a_request(
    base: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Recorded on a hosted model, whose address may be anything; replayed in a class that has none.
    monkeypatch.setattr(recording, "_files", {})
    model = await connect("endpoint", base_url=server.url + base, model="strong", record=tmp_path)
    said = await model.chat("a")
    assert server.seen[0][0] == f"{base}/chat/completions"
    await model.aclose()
    again = await connect("recording", replay=tmp_path, strict=True)
    assert (await again.chat("a")).text == said.text == "reply 1"
    assert again.name == "strong"


async def test_a_miss_names_the_nearest_request_and_what_differs(
    server: Server, file: File, live: httpx2.AsyncClient
) -> None:
    for body in (ask("something quite different", tools=[]), ask("What is snow?", max_tokens=40), ask("x", n=2)):
        await live.post(f"{server.url}/v1{CHAT}", json=body)
    with pytest.raises(RecordingMiss) as caught:
        await replaying(file).post(CHAT, json=ask("What is snow?", max_tokens=50))
    text = str(caught.value)
    assert "recording of chapter" in text
    assert "the nearest is request 2, where max_tokens was 40 and is now 50;" in text
    assert "llmlab record" in text
    with pytest.raises(RecordingMiss, match=r"request 2, where messages\[0\]\.content was .* and is now"):
        await replaying(file).post(CHAT, json=ask("What is rain?", max_tokens=40))
    with pytest.raises(RecordingMiss, match="no request to /responses"):
        await replaying(file).post("/responses", json=ask("What is snow?"))


async def test_a_miss_does_not_blame_the_drawn_seed(server: Server, file: File, live: httpx2.AsyncClient) -> None:
    await live.post(f"{server.url}/v1{CHAT}", json=ask("a", seed=11, temperature=1), headers=DRAWN)
    with pytest.raises(RecordingMiss) as caught:
        await replaying(file).post(CHAT, json=ask("b", seed=12, temperature=1), headers=DRAWN)
    assert "content" in str(caught.value)
    assert "seed" not in str(caught.value)


async def test_a_request_sent_more_often_than_recorded_is_a_miss_that_says_so(
    server: Server, file: File, live: httpx2.AsyncClient
) -> None:
    await live.post(f"{server.url}/v1{CHAT}", json=ask("a"))
    client = replaying(file)
    await client.post(CHAT, json=ask("a"))
    with pytest.raises(RecordingMiss, match="request 1 is the same, but was recorded fewer times"):
        await client.post(CHAT, json=ask("a"))


async def test_with_a_fallback_a_repeated_request_starts_again_at_the_first_reply(
    server: Server, file: File, live: httpx2.AsyncClient
) -> None:
    first = [(await live.post(f"{server.url}/v1{CHAT}", json=ask("a"))).text for _ in range(2)]
    client = replaying(file, fallback=fallback)
    assert [(await client.post(CHAT, json=ask("a"))).text for _ in range(5)] == [*first, *first, first[0]]


async def test_with_a_fallback_an_unknown_request_goes_there_and_the_reply_says_so(
    server: Server, file: File, live: httpx2.AsyncClient
) -> None:
    await live.post(f"{server.url}/v1{CHAT}", json=ask("a"))
    reply = await replaying(file, fallback=fallback).post(CHAT, json=ask("b"))
    assert reply.json() == {"from": "the box", "got": ask("b")}
    assert note(reply)["source"] == "embedded"
    assert "Not in the recording: the nearest is request 1, where messages[0].content" in note(reply)["note"]


async def test_without_a_file_requests_pass_unrecorded_and_unmarked(server: Server) -> None:
    async with httpx2.AsyncClient(transport=Live()) as client:
        reply = await client.post(f"{server.url}/v1{CHAT}", json=ask("a"), headers=DRAWN)
    assert reply.json()["choices"][0]["message"]["content"] == "reply 1"
    assert DRAWN_SEED not in server.headers[0]


async def test_neither_keys_nor_headers_nor_the_home_folder_reach_the_file(
    server: Server, file: File, live: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "_secrets", set())
    redaction.hide(KEY)
    home = str(Path.home())
    headers = {"Authorization": f"Bearer {KEY}", "X-Api-Key": KEY, "Cookie": "session=abc"}
    body = ask(f"my key is {KEY}, in {home}/.env")
    await live.post(f"{server.url}/v1{CHAT}", json=body, headers=headers)
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    file.connect("model", {"name": "m", "provenance": {"file": f"{home}/x.gguf"}})
    text = file.path.read_text(encoding="utf-8")
    assert KEY not in text
    assert home not in text
    assert "uthorization" not in text
    assert "session=abc" not in text
    assert server.url not in text
    assert Recording.load(file.path).exchanges[0].request["messages"][0]["content"] == "my key is [key], in ~/.env"
    assert (await replaying(file).post(CHAT, json=body)).status_code == 200


async def test_each_exchange_is_on_disk_as_soon_as_it_is_complete(
    server: Server, file: File, live: httpx2.AsyncClient
) -> None:
    assert Recording.load(file.path).exchanges == []
    for done in (1, 2):
        await live.post(f"{server.url}/v1{CHAT}", json=ask("a"))
        assert len(Recording.load(file.path).exchanges) == done


def test_a_recording_knows_the_models_behind_its_connections(file: File) -> None:
    file.connect("model", {"name": "m", "source": "endpoint", "provenance": {"a": 1}, "capabilities": ["tools"]})
    found = Recording.load(file.path)
    assert found.chapter == "chapter"
    assert found.connections == {
        "model": {"name": "m", "source": "endpoint", "provenance": {"a": 1}, "capabilities": ["tools"]}
    }


JUNK = {
    "empty": b"",
    "no JSON": b"hello\n",
    "no UTF-8": b'{"chapter": "\xff"}\n',
    "a trace": b'{"llmlab_trace": 1, "name": "x"}\n',
    "a list": b"[]\n",
    "of another version": b'{"llmlab_recording": 2, "chapter": "x", "recorded": "2026-01-01"}\n',
    "half an exchange": b'{"llmlab_recording": 1, "chapter": "x", "recorded": "y"}\n{"key": "a", "n": 0}\n',
    "a cut line": b'{"llmlab_recording": 1, "chapter": "x", "recorded": "y"}\n{"key": "a", "n"',
    "a line that is a number": b'{"llmlab_recording": 1, "chapter": "x", "recorded": "y"}\n3\n',
}


@pytest.mark.parametrize("content", JUNK.values(), ids=JUNK.keys())
def test_what_is_no_recording_is_refused_in_a_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "junk.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"junk\.jsonl cannot be read as one .*record the chapter anew\.$"):
        Recording.load(path)


async def test_a_missing_recording_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"04_loop\.jsonl cannot be read .*FileNotFoundError"):
        await connect("recording", replay=tmp_path, chapter="04_loop")


def test_a_recording_may_be_a_file_or_a_folder_with_one_for_each_chapter(tmp_path: Path) -> None:
    assert recording.file_in(tmp_path, "01_x") == tmp_path / "01_x.jsonl"
    assert recording.file_in(tmp_path, "") == tmp_path / "session.jsonl"
    assert recording.file_in(tmp_path / "mine.jsonl", "01_x") == tmp_path / "mine.jsonl"


def test_a_process_begins_a_file_anew_once_and_then_goes_on_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_files", {})
    path = tmp_path / "a.jsonl"
    path.write_text("old", encoding="utf-8")
    recording.writer(path, "a").add(Exchange("model", "k", 0, "/x", None, 200, "", "", 0.1))
    again = recording.writer(path, "a")
    again.add(Exchange("model", "k", 1, "/x", None, 200, "", "", 0.1))
    assert [e.n for e in Recording.load(path).exchanges] == [0, 1]


@pytest.mark.parametrize("chapter", sorted((settings.DATA / "recordings").glob("*.jsonl")), ids=lambda p: p.stem)
def test_the_recordings_of_the_kit_can_be_read_and_hold_no_address(chapter: Path) -> None:
    found = Recording.load(chapter)
    assert found.chapter == chapter.stem
    assert found.exchanges
    assert {e.connection for e in found.exchanges} <= found.connections.keys()
    keys = [(e.connection, e.key, e.n) for e in found.exchanges]
    assert len(set(keys)) == len(keys)
    assert "127.0.0.1" not in chapter.read_text(encoding="utf-8")
