"""`llmlab progress`: what the reader has done, to look at, to export, and to send to the class, if the reader has joined.

An export holds counts, the ids of chapters and exercises, and a name that the reader has chosen: nothing that was typed
into a cell, no guess, no account, no key and no path.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import httpx2
from pydantic import BaseModel, ConfigDict, Field

from llmlab import lesson, redaction, settings
from llmlab.errors import LabError

SECONDS = 3.0  # an exercise's check waits no longer for the class's address
LONGEST_NAME = 40
HOW_TO_JOIN = "join first, under a name that you choose: `llmlab progress --as NAME`"


class Done(BaseModel):
    """One exercise. `tries` are the checks that were run until it passed, or so far."""

    model_config = ConfigDict(extra="forbid")
    passed: bool = False
    tries: int = Field(0, ge=0, le=100_000)
    hints: int = Field(0, ge=0, le=100_000)
    solution: bool = False


class Chapter(BaseModel):
    """One chapter: whether it was opened, how many predictions were made, and its exercises by their ids."""

    model_config = ConfigDict(extra="forbid")
    opened: bool = False
    predictions: int = Field(0, ge=0, le=1000)
    exercises: dict[str, Done] = Field(default={}, max_length=50)


class Export(BaseModel):
    """What a reader sends. `id` was drawn when the reader joined: two readers may choose the same name."""

    model_config = ConfigDict(extra="forbid")
    llmlab: Literal[1] = 1
    id: str = Field(pattern=r"^([0-9a-f]{8})?$")
    name: str = Field(max_length=LONGEST_NAME)
    at: str = Field(max_length=40)
    chapters: dict[str, Chapter] = Field(max_length=100)


def export() -> Export:
    """What this reader has done, as it would be sent now."""
    done = lesson.kept()
    chapters = {}
    for each in lesson.chapters():
        exercises = {
            name: Done(
                passed=name in done["passed"],
                tries=_count(done["tries"].get(name)) + (name in done["passed"]),
                hints=_count(done["hints"].get(name)),
                solution=name in done["solutions"],
            )
            for name in each.exercises
        }
        guessed = sum(name in done["guesses"] for name in each.predictions)
        chapters[each.id] = Chapter(opened=each.id in done["opened"], predictions=guessed, exercises=exercises)
    mine = done["class"]
    now = datetime.now().astimezone().isoformat(timespec="minutes")
    return Export(id=str(mine.get("id", "")), name=str(mine.get("name", "")), at=now, chapters=chapters)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 100_000 else 0


def join(name: str) -> str:
    """Join the class under a name of the reader's choice; returns what happens from now on, as a sentence."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise LabError(f"A name has 1 to {LONGEST_NAME} letters, but got {name!r}; choose another.")
    lesson.keep("class", "id", lesson.kept()["class"].get("id") or secrets.token_hex(4))
    lesson.keep("class", "name", name)
    if not (where := settings.load().classroom):
        return f"Your exports carry the name {name!r}. Nothing is sent: no class is named in LLMLAB_CLASSROOM."
    send(where)
    return f"Your progress has gone to {_shown(where)} as {name!r}, and goes there after each check from now on."


def leave() -> str:
    """Send nothing any more, and take back what was sent; returns a sentence."""
    gone, where = lesson.kept()["class"], settings.load().classroom
    lesson.keep("class", "name", "")
    if where and gone.get("name"):
        send(where, gone)
        return f"You have left: nothing is sent any more, and {_shown(where)} has deleted what was sent as {gone['name']!r}."
    return "You take part in no class: nothing is sent."


async def told() -> list[str]:
    """After a check: send the progress if the reader has joined a class; a line on what became of it, or none."""
    if not (lesson.kept()["class"].get("name") and (where := settings.load().classroom)):
        return []
    try:
        await asyncio.to_thread(send, where)
    except LabError as error:
        return [str(error)]
    return [f"(Sent to your class as {lesson.kept()['class']['name']!r}; `llmlab progress --leave` ends this.)"]


def send(where: str, leaving: dict[str, Any] | None = None) -> None:
    """Put the export to a class's address or folder, or take back what is there. Raises LabError."""
    now = export()
    if leaving:
        now = now.model_copy(update={"id": leaving["id"], "name": leaving["name"], "chapters": {}})
    elif not now.name:
        raise LabError(f"What is sent carries a name, but you have not joined; {HOW_TO_JOIN}.")
    if where.startswith(("http://", "https://")):
        return _post(where, now, bool(leaving))
    folder = settings.ROOT / Path(where).expanduser()
    file = folder / f"{_slug(now.name)}-{now.id}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"*-{now.id}.json"):
            old.unlink()
        if not leaving:
            part = file.with_suffix(".part")
            part.write_text(now.model_dump_json(indent=1) + "\n", encoding="utf-8")
            part.replace(file)
    except OSError as error:
        raise LabError(f"The class's folder cannot be written ({error.strerror}); tell your teacher.") from None


def _post(where: str, now: Export, leaving: bool) -> None:
    try:
        parts = urlsplit(where)
    except ValueError:
        said = "an address like http://192.168.0.7:8000/?key=… or a folder, but holds neither"
        raise LabError(f"LLMLAB_CLASSROOM takes {said}; your teacher's page shows the line.") from None
    key = redaction.hide(parse_qs(parts.query).get("key", [""])[0])
    url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/progress"
    headers = {"authorization": f"Bearer {key}"}
    try:
        with httpx2.Client(timeout=SECONDS, trust_env=not settings.is_here(where), headers=headers) as client:
            answer = client.request("DELETE" if leaving else "POST", url, json=now.model_dump())
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        why = f"it does not answer: {type(error).__name__}"
    else:
        if answer.status_code == 200:
            return
        try:
            why = str(answer.json()["error"]["message"]).rstrip(".")
        except (ValueError, KeyError, TypeError):
            why = f"it answered {answer.status_code}"
    raise LabError(f"Your progress did not reach {parts.netloc} ({why}). It stays here, and goes with the next check.")


def _shown(where: str) -> str:
    """A class's address without the key."""
    return urlsplit(where).netloc if where.startswith(("http://", "https://")) else "the class's folder"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "reader"
