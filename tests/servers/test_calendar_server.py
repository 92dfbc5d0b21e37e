"""The calendar server: recurring events one by one, exceptions included, and calendars that are broken."""

import asyncio
import json

import pytest
from asking import bad, good, missing, prompt, text
from mcp import Client

from shop import Shop

pytestmark = pytest.mark.anyio


def titles(found: dict[str, list[dict[str, str]]]) -> list[str]:
    return [f"{event['start'][:10]} {event['title']}" for event in found["events"]]


async def test_both_days_count_and_events_are_in_order(calendar: Client) -> None:
    assert titles(await good(calendar, "events_between", first="2026-12-01", last="2026-12-03")) == [
        "2026-11-27 Christmas market",
        "2026-12-01 Team meeting",
        "2026-12-01 Roasting",
        "2026-12-02 Delivery from Kilrush Pottery",
        "2026-12-03 Roasting",
        "2026-12-03 Tasting evening",
    ]


async def test_a_meeting_that_was_cancelled_or_moved_is_not_at_its_old_place(calendar: Client) -> None:
    week = titles(await good(calendar, "events_between", first="2026-08-03", last="2026-08-07"))
    assert "2026-08-04 Team meeting" not in week
    assert "2026-08-04 Roasting" in week
    july = await good(calendar, "events_between", first="2026-07-01", last="2026-07-31", limit=50)
    assert [t for t in titles(july) if "Tasting" in t] == ["2026-07-09 Tasting evening (moved)"]


async def test_the_last_day_of_a_holiday_is_its_last_day(calendar: Client) -> None:
    found = await good(calendar, "next_event", title="oisin on holiday", after="2026-01-01")
    assert (found["start"], found["end"]) == ("2026-08-03", "2026-08-14")


async def test_times_have_the_zone_of_the_day(calendar: Client) -> None:
    summer = await good(calendar, "next_event", title="team", after="2026-07-01")
    winter = await good(calendar, "next_event", title="TEAM", after="2026-11-01")
    assert (summer["start"], winter["start"]) == ("2026-07-07T08:15:00+01:00", "2026-11-03T08:15:00+00:00")


async def test_a_year_comes_in_pages_without_gaps(calendar: Client) -> None:
    seen, offset = [], 0
    while offset is not None:
        page = await good(calendar, "events_between", first="2026-01-01", last="2026-12-31", offset=offset, limit=50)
        seen += titles(page)
        offset = page["next_offset"]
    assert (len(seen), seen) == (195, sorted(seen, key=lambda title: title[:10]))
    assert len({*seen}) == len(seen)


async def test_a_time_is_free_or_not(calendar: Client) -> None:
    taken = await good(calendar, "events_at", start="2026-12-03T20:00", end="2026-12-03T22:00")
    assert "2026-12-03 Tasting evening" in titles(taken)
    assert titles(await good(calendar, "events_at", start="2026-07-02T19:00", end="2026-07-02T21:00")) == []


async def test_more_than_fits_into_one_answer_is_sent_to_the_tool_with_pages(calendar: Client) -> None:
    said = await bad(calendar, "events_at", start="2026-01-01T00:00", end="2026-12-31T00:00")
    assert said.startswith("At most 50 events are given at once, but 195 take place")
    assert said.endswith("ask for less time, or take events_between, which has pages")
    month = {"start": "2026-12-01T00:00", "end": "2026-12-31T00:00"}
    assert 10 < len((await good(calendar, "events_at", **month))["events"]) <= 50


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("events_between", {"first": "2026-07-02", "last": "2026-07-01"}, "The end has to come after the start"),
        ("events_between", {"first": "2026-01-01", "last": "2028-01-01"}, "by at most 366 days"),
        ("events_between", {"first": "July", "last": "August"}, "Input should be a valid date"),
        ("events_between", {"first": "9999-12-31", "last": "9999-12-31"}, "Input should be less than"),
        ("events_at", {"start": "0001-01-01T00:00", "end": "0001-01-01T01:00"}, "Input should be greater than"),
        ("events_at", {"start": "2026-07-01T09:00Z", "end": "2026-07-01T10:00"}, "should not have timezone info"),
        ("next_event", {"title": "circus", "after": "2026-01-01"}, "No event with 'circus' in its title"),
        ("next_event", {"title": "", "after": "2026-01-01"}, "at least 1 character"),
    ],
)
async def test_wrong_arguments_are_refused_in_words(
    calendar: Client, tool: str, arguments: dict[str, str], says: str
) -> None:
    assert says in await bad(calendar, tool, **arguments)


@pytest.mark.parametrize("content", [b"", b"hello", b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", b"\xff\xfe\x00"])
async def test_a_file_that_is_no_calendar_is_told(calendar: Client, shop: Shop, content: bytes) -> None:
    shop.calendar.write_bytes(content)
    assert "calendar.ics has to be a calendar" in await bad(calendar, "next_event", title="a", after="2026-01-01")


async def test_many_questions_at_once_get_their_own_answers(calendar: Client) -> None:
    days = [f"2026-{month:02}-15" for month in range(1, 12)]
    found = await asyncio.gather(*(good(calendar, "next_event", title="stocktaking", after=day) for day in days))
    assert [event["start"][:7] for event in found] == [day[:7] for day in days]


async def test_file_and_days_are_resources(calendar: Client, shop: Shop) -> None:
    assert (await text(calendar, "calendar://file")).splitlines() == shop.calendar.read_text("utf-8").splitlines()
    day = json.loads(await text(calendar, "calendar://days/2026-07-01"))
    assert [event["title"] for event in day] == ["New prices"]
    for wrong in ("tomorrow", "2026-02-30", "9999-12-31"):
        assert "A day is written like 2026-07-01" in await missing(calendar, f"calendar://days/{wrong}")
    assert "2026-06-29" in await prompt(calendar, "week", monday="2026-06-29")
