"""An MCP server for a calendar (an .ics file, RFC 5545): what is on, when something is next, whether a time is free."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import recurring_ical_events
from icalendar import Calendar
from pydantic import BaseModel, Field, NaiveDatetime

from shop.common import READS, WORD, Further, Limit, Offset, Refusal, Server, page, run

LONGEST = 366  # days that are looked at in one call
Day = Annotated[date, Field(description="A day, such as 2026-07-01")]
Time = Annotated[NaiveDatetime, Field(description="Local time without a zone, such as 2026-07-01T19:00")]
Title = Annotated[str, Field(min_length=1, max_length=WORD, description="A part of the title, such as tasting")]


class Event(BaseModel):
    """One event, or one of many if it recurs."""

    title: str
    start: str = Field(description="Date, or date and time")
    end: str = Field(description="Date (the last day itself), or date and time")
    place: str = ""
    notes: str = ""


class Events(BaseModel):
    """A page of events in order of time."""

    next_offset: Further = None
    events: list[Event]


def between(file: Path, start: date, end: date) -> Iterator[Event]:
    """What takes place from start to end, that day or moment not included; recurring events one by one."""
    if not start < end <= start + timedelta(LONGEST):
        raise Refusal(f"The end has to come after the start, by at most {LONGEST} days, but {start} to {end} does not")
    found = recurring_ical_events.of(Calendar.from_ical(file.read_bytes())).between(start, end)
    for event in sorted(found, key=lambda e: e.start.isoformat()):
        # The end of an all-day event is the day after it.
        last = event.end if isinstance(event.end, datetime) else max(event.start, event.end - timedelta(1))
        title, place, notes = (str(event.get(name, "")) for name in ("SUMMARY", "LOCATION", "DESCRIPTION"))
        yield Event(title=title, start=event.start.isoformat(), end=last.isoformat(), place=place, notes=notes)


def events_between(file: Path, first: Day, last: Day, offset: Offset = 0, limit: Limit = 20) -> Events:
    """List what is in the calendar from the first to the last day, both included."""
    return Events(**page("events", [*between(file, first, last + timedelta(1))], offset, limit))


def next_event(file: Path, title: Title, after: Day) -> Event:
    """Find when something takes place next, from a day on."""
    for event in between(file, after, after + timedelta(LONGEST)):
        if title.casefold() in event.title.casefold():
            return event
    raise Refusal(f"No event with {title!r} in its title takes place in the {LONGEST} days from {after} on")


def events_at(file: Path, start: Time, end: Time) -> Events:
    """List what is on between two times; no events mean that this time is free."""
    return Events(events=[*between(file, start, end)])


def whole(file: Path) -> str:
    """The calendar as it is in its file."""
    return file.read_text("utf-8")


def of_day(file: Path, day: str) -> list[Event]:
    """The events of one day, such as 2026-07-01."""
    try:
        start = date.fromisoformat(day)
    except ValueError:
        raise Refusal(f"A day is written like 2026-07-01, not {day!r}") from None
    return [*between(file, start, start + timedelta(1))]


def week(monday: Annotated[str, Field(description="The first day of the week, such as 2026-06-29")]) -> str:
    """Ask for an overview of a week."""
    return f"Look into the calendar for the seven days from {monday} on, and tell me in a few sentences what is on."


def server(file: Path) -> Server:
    """The events of a calendar file."""
    mcp = Server("calendar", "The calendar of the shop, with its recurring events.", file)
    mcp.offer(mcp.tool(annotations=READS), events_between, next_event, events_at)
    mcp.lend("calendar://file", whole, mime_type="text/calendar")
    mcp.lend("calendar://days/{day}", of_day)
    mcp.prompt()(week)
    return mcp


if __name__ == "__main__":
    run(server, "calendar")
