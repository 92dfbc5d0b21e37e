"""The second application: release notes, from the same three services, by another team with connectors of its own."""

import sqlite3
import subprocess
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import recurring_ical_events
from icalendar import Calendar

from shop import Shop, git_environment


def find_messages(request: dict[str, Any]) -> dict[str, Any]:
    """Posts that contain a word."""
    sql = "SELECT posted_at, author, text FROM posts WHERE text LIKE ? ORDER BY id DESC"
    try:
        with closing(sqlite3.connect(request["file"])) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute(sql, [f"%{request['word']}%"]).fetchall()
    except sqlite3.Error as error:
        return {"error": str(error)}
    return {"hits": [dict(row) for row in rows]}


def agenda(title: str, after: str, file: Path) -> Any:
    """The next event with this title, in a year from a day on."""
    start = datetime.strptime(after, "%d/%m/%Y").date()
    year = recurring_ical_events.of(Calendar.from_ical(file.read_text("utf-8"))).between(start, timedelta(days=366))
    for event in sorted(year, key=lambda event: event["DTSTART"].dt.isoformat()):
        if title.lower() in event["SUMMARY"].lower():
            return event
    return None


def git_log(path: str, cwd: Path) -> list[tuple[str, ...]]:
    """The commits that changed a file."""
    command = ["git", "log", "--pretty=%as|%s", "--", path]
    done = subprocess.run(command, cwd=cwd, capture_output=True, encoding="utf-8", env=git_environment())
    if done.returncode:
        return [("error", done.stderr)]
    return [tuple(line.split("|", 1)) for line in done.stdout.splitlines()]


def release_notes(shop: Shop, word: str, path: str, after: date) -> str:
    """When a thing takes effect, what was changed for it, what was said about it."""
    event = agenda(word, f"{after:%d/%m/%Y}", shop.calendar)
    lines = [f"{event['SUMMARY']}: {event['DTSTART'].dt}"]
    lines += [f"{day}: {subject}" for day, subject in git_log(path, shop.repository)]
    hits = find_messages({"file": shop.messages, "word": word})["hits"]
    return "\n".join([*lines, *(f"{hit['author']}: {hit['text']}" for hit in hits)])


CONNECTORS = {"messages": find_messages, "calendar": agenda, "repository": git_log}
