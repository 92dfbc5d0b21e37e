"""An MCP server for a calendar (an .ics file, RFC 5545): what is on, when something is next, whether a time is free."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import recurring_ical_events
from icalendar import Calendar
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from pydantic import BaseModel, Field, NaiveDatetime, TypeAdapter, ValidationError

from shop.common import READS, WORD, Limit, Offset, Page, Server, page, run

LONGEST = 366  # days that are looked at in one call
MOST = 50  # events that events_at gives: it has no pages
FIRST, LAST = datetime(1900, 1, 1), datetime(2999, 12, 31)
Day = Annotated[date, Field(ge=FIRST.date(), le=LAST.date(), description="A day, such as 2026-07-01")]
Time = Annotated[
    NaiveDatetime, Field(ge=FIRST, le=LAST, description="Local time without a zone, such as 2026-07-01T19:00")
]


class Event(BaseModel):
    """One event, or one of many if it recurs."""

    title: str
    start: str = Field(description="Date, or date and time")
    end: str = Field(description="Date (the last day itself), or date and time")
    place: str = ""
    notes: str = ""


class Events(Page):
    """A page of events in order of time."""

    events: list[Event]


def server(file: Path) -> Server:
    """The events of a calendar file."""
    mcp = Server("calendar", "The calendar of the shop, with its recurring events.")

    def between(start: date, end: date) -> Iterator[Event]:
        """What takes place from start to end, that day or moment not included; recurring events one by one."""
        if not start < end <= start + timedelta(LONGEST):
            raise ToolError(
                f"The end has to come after the start, by at most {LONGEST} days, but {start} to {end} does not"
            )
        try:
            found = recurring_ical_events.of(Calendar.from_ical(file.read_bytes())).between(start, end)
        except (OSError, ValueError) as error:
            raise ToolError(f"{file.name} has to be a calendar in the form of RFC 5545, but is not: {error}") from None
        for event in sorted(found, key=lambda e: e.start.isoformat()):
            # The end of an all-day event is the day after it.
            last = event.end if isinstance(event.end, datetime) else max(event.start, event.end - timedelta(1))
            texts = {key: str(event.get(name, "")) for key, name in (("place", "LOCATION"), ("notes", "DESCRIPTION"))}
            yield Event(
                title=str(event.get("SUMMARY", "")), start=event.start.isoformat(), end=last.isoformat(), **texts
            )

    @mcp.tool(annotations=READS)
    def events_between(first: Day, last: Day, offset: Offset = 0, limit: Limit = 20) -> Events:
        """List what is in the calendar from the first to the last day, both included."""
        events, further = page([*between(first, last + timedelta(1))], offset, limit)
        return Events(events=events, next_offset=further)

    @mcp.tool(annotations=READS)
    def next_event(
        title: Annotated[str, Field(min_length=1, max_length=WORD, description="A part of the title, such as tasting")],
        after: Day,
    ) -> Event:
        """Find when something takes place next, from a day on."""
        for event in between(after, after + timedelta(LONGEST)):
            if title.casefold() in event.title.casefold():
                return event
        raise ToolError(f"No event with {title!r} in its title takes place in the {LONGEST} days from {after} on")

    @mcp.tool(annotations=READS)
    def events_at(start: Time, end: Time) -> Events:
        """List what is on between two times; no events mean that this time is free."""
        found = [*between(start, end)]
        if len(found) > MOST:
            raise ToolError(
                f"At most {MOST} events are given at once, but {len(found)} take place from {start} to {end}; ask for "
                "less time, or take events_between, which has pages"
            )
        return Events(events=found)

    @mcp.resource("calendar://file", mime_type="text/calendar")
    def whole() -> str:
        """The calendar as it is in its file."""
        return file.read_text("utf-8")

    @mcp.resource("calendar://days/{day}", mime_type="application/json")
    def of_day(day: str) -> list[Event]:
        """The events of one day, such as 2026-07-01."""
        try:
            start = TypeAdapter(Day).validate_python(day)
        except ValidationError:
            raise ResourceNotFoundError(f"A day is written like 2026-07-01, not {day!r}") from None
        return [*between(start, start + timedelta(1))]

    @mcp.prompt()
    def week(monday: Annotated[str, Field(description="The first day of the week, such as 2026-06-29")]) -> str:
        """Ask for an overview of a week."""
        return f"Look into the calendar for the seven days from {monday} on, and tell me in a few sentences what is on."

    return mcp


if __name__ == "__main__":
    run(server, "calendar")
