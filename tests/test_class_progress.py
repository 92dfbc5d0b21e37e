"""A look at the class: what goes out and what never does, who may see it, what it shows, and when solutions open."""

import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from classroom import keys, locks, overview, progress, serving
from llmlab import LabError, cli, lesson, settings
from stub import KEY, Stub

pytestmark = pytest.mark.anyio
FIRST, SECOND = "00_start_here", "01_api_vs_app"


def text_of(shown: Any) -> str:
    return str(shown._repr_mimebundle_()["text/plain"])


# When solutions open


@pytest.mark.parametrize(
    ("rule", "tries", "opens"),
    [
        (None, 0, ""),
        ("after 3 tries", 3, ""),
        ("after 3 tries", 2, "after 3 tries (you have made 2)"),
        ("after 1 try", 0, "after 1 tries"),
        ("after 2026-12-01 14:00", 9, "on Tuesday, 01 December 2026 at 14:00"),
        ("after 2026-11-30 14:00", 0, ""),
        ("after 3 tries or after 2026-11-30 14:00", 0, ""),
        ("after 3 tries or after 2026-12-01", 2, "(you have made 2) or on Tuesday, 01 December 2026 at 00:00"),
        ("soon", 99, "LLMLAB_SOLUTIONS takes `after 3 tries`"),
        ("after 3 tries or soon", 99, "but is 'after 3 tries or soon'"),
    ],
)
def test_a_solution_opens_after_tries_or_at_a_time_and_a_rule_that_is_none_keeps_it_closed(
    rule: str | None, tries: int, opens: str
) -> None:
    done: Any = {"passed": {}, "tries": {"01.2": tries}}
    said = locks.closed("01.2", done, rule, datetime(2026, 11, 30, 20).astimezone())
    assert (opens in said, bool(said)) == (True, bool(opens))
    assert locks.closed("01.2", {**done, "passed": {"01.2": True}}, rule) == "", "who has passed may compare"


async def test_the_lesson_keeps_a_solution_closed_and_says_when_it_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMLAB_SOLUTIONS", "after 3 tries")
    for made in (1, 2, 3):
        panel: Any = await lesson.check("00.2", None)
        buttons, out = panel.widget.children[1:]
        buttons.children[1].click()
        assert ("def longest" in out.value) == (made == 3)
        assert (f"you have made {made}" in out.value) == (made < 3)
        assert ("def longest" in text_of(lesson.solution("00.2"))) == (made == 3)
    assert "you have made 0" in text_of(lesson.solution("00.1"))
    assert lesson.kept()["solutions"] == {"00.2": True}


# What goes out


def has_worked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader with a key, who has opened a chapter, guessed, tried, and passed."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-nobody-may-see-this")
    lesson.keep("opened", FIRST, True)
    lesson.keep("guesses", "00.tokens", f"a text of mine in {Path.home()}/secret")
    for section, name, value in [
        ("passed", "00.2", True),
        ("tries", "00.2", 2),
        ("tries", "00.3", 4),
        ("hints", "00.3", 1),
    ]:
        lesson.keep(section, name, value)
    lesson.keep("passed", "77.9", True)  # of a chapter that there is not


def test_an_export_holds_counts_and_the_chosen_name_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    has_worked(monkeypatch)
    lesson.keep("tries", "00.1", "many")  # a file that somebody has edited
    assert cli.main(["progress", "--as", "  Anna  B. "]) == 0
    assert "carry the name 'Anna B.'. Nothing is sent" in capsys.readouterr().out
    assert cli.main(["progress", "--json"]) == 0
    text = capsys.readouterr().out
    sent = json.loads(text)
    assert {key: sent[key] for key in ("llmlab", "name")} == {"llmlab": 1, "name": "Anna B."}
    assert set(sent) == {"llmlab", "id", "name", "at", "chapters"}
    first = sent["chapters"][FIRST]
    assert (first["opened"], first["predictions"]) == (True, 1)
    assert first["exercises"] == {
        "00.1": {"passed": False, "tries": 0, "hints": 0, "solution": False},
        "00.2": {"passed": True, "tries": 3, "hints": 0, "solution": False},
        "00.3": {"passed": False, "tries": 4, "hints": 1, "solution": False},
    }
    for hidden in ("secret", "sk-", "77.9", str(Path.home()), Path.home().name + "/"):
        assert hidden not in text
    assert overview.read(text).name == "Anna B."


async def test_nobody_who_has_not_joined_sends_anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLMLAB_CLASSROOM", str(tmp_path / "class"))
    assert text_of(await lesson.check("00.2", None)).splitlines()[-2] == "Exercise 00.2: not yet"
    assert not (tmp_path / "class").exists()
    with pytest.raises(LabError, match="--as NAME"):
        progress.send(str(tmp_path / "class"))
    assert "chapters" not in repr(settings.load()), "the address holds a key"


@pytest.mark.parametrize("name", ["", "   ", "x" * 41, "a\x00b"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="1 to 40 letters"):
        progress.join(name)
    assert lesson.kept()["class"] == {}


async def test_a_folder_has_one_file_of_each_reader_and_none_of_one_who_leaves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    has_worked(monkeypatch)
    folder = tmp_path / "class"
    monkeypatch.setenv("LLMLAB_CLASSROOM", str(folder))
    for name in ("Anna", "Änne & <b>Ben</b>"):
        assert cli.main(["progress", "--as", name]) == 0
        assert len(list(folder.iterdir())) == 1
    shown = text_of(await lesson.check("00.1", None))
    assert "(Sent to your class as 'Änne & <b>Ben</b>'" in shown
    (folder / "holiday.json").write_text("{}", encoding="utf-8")
    assert cli.main(["class", str(folder), "--picture", str(tmp_path / "class.png")]) == 0
    said = capsys.readouterr().out
    assert "1 reader takes part. Furthest chapter opened: 00 by 1." in said
    assert "Left out, as they are no exports: holiday.json" in said
    assert (tmp_path / "class.png").read_bytes().startswith(b"\x89PNG")
    html = overview.of_folder(folder).html()
    assert "<b>Ben" not in html
    assert cli.main(["progress", "--leave"]) == 0
    assert [file.name for file in folder.iterdir()] == ["holiday.json"]
    assert "Sent to" not in text_of(await lesson.check("00.1", None))
    for argv, sentence in ((["class", str(tmp_path / "no")], "there is no"), (["progress", "--to", "x"], "--as NAME")):
        assert cli.main(argv) == 1
        assert sentence in capsys.readouterr().err


# The address on the teacher's machine


@pytest.fixture
async def gateway(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[str, serving.Gateway]]:
    with Stub() as stub:
        for name, value in {"OPENAI_BASE_URL": stub.url, "OPENAI_API_KEY": KEY, "LLMLAB_MODEL": "stub"}.items():
            monkeypatch.setenv(name, value)
        async with serving.served(key="class", teacher="teacher", solutions="after 3 tries") as (where, gateway):
            yield where, gateway


async def test_a_reader_who_joins_is_seen_by_the_teacher_only_and_leaves_no_trace(
    gateway: tuple[str, serving.Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, served = gateway
    lines = dict(line.split("=", 1) for line in served.lines.splitlines())
    assert lines["LLMLAB_SOLUTIONS"] == "after 3 tries"
    for name in ("LLMLAB_CLASSROOM", "LLMLAB_SOLUTIONS"):
        monkeypatch.setenv(name, lines[name])
    has_worked(monkeypatch)
    lesson.keep("class", "name", "Anna")
    lesson.keep("class", "id", "0123abcd")
    assert "(Sent to your class as 'Anna'" in text_of(await lesson.check("00.3", None))
    assert served.progress.exports["0123abcd"].chapters[FIRST].exercises["00.3"].tries == 5
    async with httpx2.AsyncClient(trust_env=False) as http:
        for key, status in (("teacher", 200), ("class", 401), ("class.anna", 401), ("", 401)):
            for path in ("class", "class.json"):
                answer = await http.get(f"{where}/{path}?key={key}")
                assert (answer.status_code, "Anna" in answer.text) == (status, status == 200)
        page = (await http.get(f"{where}/class?key=teacher")).text
        assert "Exercise 00.3 stops most: not passed by 1 of the 1 who tried it" in page
        assert "http://" not in page.replace(where, ""), "the page asks nobody else"
    await progress.asyncio.to_thread(progress.leave)
    assert served.progress.exports == {}


async def test_the_address_takes_exports_with_the_key_and_nothing_else(gateway: tuple[str, serving.Gateway]) -> None:
    where, served = gateway
    good = progress.export().model_dump() | {"id": "0123abcd", "name": "Anna"}
    bad: list[Any] = [
        {},
        [],
        good | {"name": ""},
        good | {"id": "../../x"},
        good | {"more": 1},
        good | {"name": "x" * 41},
    ]
    async with httpx2.AsyncClient(trust_env=False) as http:
        for key in ("teacher", "wrong", "class2.anna"):
            answer = await http.post(f"{where}/progress", json=good, headers={"authorization": f"Bearer {key}"})
            assert answer.status_code == 401
        http.headers["authorization"] = "Bearer class.anna"
        for each in bad:
            answer = await http.post(f"{where}/progress", json=each)
            assert (answer.status_code, "export" in answer.text) == (400, True), each
        answer = await http.post(f"{where}/progress", content=b"[" * 70_000)
        assert (answer.status_code, "at most 64,000 bytes" in answer.text) == (400, True)
        assert served.progress.exports == {}
        assert (await http.post(f"{where}/progress", json=good)).status_code == 200
        assert (await http.post(f"{where}/progress", json=good | {"name": "Ann"})).json() == {"readers": 1}


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("http://127.0.0.1:9/?key=k-that-is-secret", "127.0.0.1:9 (it does not answer: ConnectError)"),
        ("http://[::bad/?key=k-that-is-secret", "LLMLAB_CLASSROOM"),
    ],
)
async def test_a_class_that_is_out_of_reach_is_a_line_and_the_check_goes_on(
    where: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMLAB_CLASSROOM", where)
    lesson.keep("class", "name", "Anna")
    lesson.keep("class", "id", "0123abcd")
    shown = text_of(await lesson.check("00.2", None))
    assert why in shown
    assert "Exercise 00.2: not yet" in shown
    assert "secret" not in shown


async def test_a_wrong_key_is_said(gateway: tuple[str, serving.Gateway]) -> None:
    lesson.keep("class", "name", "Anna")
    lesson.keep("class", "id", "0123abcd")
    with pytest.raises(LabError, match="key is missing or wrong"):
        await progress.asyncio.to_thread(progress.send, f"{gateway[0]}/?key=no")


def test_a_key_for_one_reader_opens_under_this_name_only() -> None:
    anna = keys.key_for("class", "anna")
    assert keys.fits(anna, "class")
    assert keys.fits("class.anybody", "class")
    sign = anna.partition(".")[0]
    page = (settings.ROOT / "teach" / "hub" / "README.md").read_text(encoding="utf-8")
    assert "f\"{hmac.digest(key.encode(), name.encode(), 'sha256').hex()[:32]}.{name}\"" in page, (
        "for Kubernetes, by hand"
    )
    assert anna == f"{hmac.digest(b'class', b'anna', 'sha256').hex()[:32]}.anna"
    for other in (sign, f"{sign}.ben", f"{sign}.", "anna", keys.key_for("other", "anna")):
        assert not keys.fits(other, "class"), other


# Where the class is


def reader(name: str, **tries: int) -> progress.Export:
    """One who has tried exercises (`_00_1=3`), and passed those whose number of tries is negative."""
    done = {key[1:].replace("_", "."): count for key, count in tries.items()}
    chapters = {}
    for chapter in lesson.chapters():
        mine = {n: progress.Done(passed=done[n] < 0, tries=abs(done[n])) for n in chapter.exercises if n in done}
        chapters[chapter.id] = progress.Chapter(opened=bool(mine), exercises=mine)
    number = f"{sum(map(ord, name)):08x}"
    now = (datetime.now(UTC) - timedelta(minutes=3)).isoformat(timespec="minutes")
    return progress.Export(id=number, name=name, at=now, chapters=chapters)


CLASS = overview.Class(
    [
        reader("Cleo", _00_1=-1, _00_2=-2, _01_1=4),
        reader("Anna", _00_1=-1, _00_2=-1, _01_1=6, _01_2=-1),
        reader("Ben", _00_1=5),
        reader("Dora"),
    ],
    [],
)


def test_the_sentence_says_where_the_class_is_and_which_exercise_stops_it() -> None:
    assert CLASS.sentence == (
        "4 readers take part. Furthest chapter opened: 00 by 1, 01 by 2, none by 1. Exercise 01.1 stops most: not "
        "passed by 2 of the 2 who tried it (median: 5 tries)."
    )
    assert "No exercise stops anybody." in overview.Class([reader("Anna", _00_1=-1)], []).sentence
    assert overview.Class([reader("Anna")], []).sentence == "1 reader takes part, and nobody has opened a chapter yet."
    assert str(overview.Class([], [])) == "Nobody has sent anything yet."


def test_the_tables_have_a_row_for_each_exercise_and_each_reader() -> None:
    exercises = text_of(CLASS.exercises()).splitlines()
    assert exercises[1].split() == ["00.1", "3", "2", "1", "1", "0", "0"]
    assert [line.split()[0] for line in exercises[1:]] == ["00.1", "00.2", "00.3", "01.1", "01.2", "01.3"]
    readers = text_of(CLASS.readers()).splitlines()
    assert [line.split()[0] for line in readers[1:]] == ["Anna", "Ben", "Cleo", "Dora"]
    assert "2/3  1/3  01.1 (6 tries)" in readers[1]
    assert "00.1 (5 tries)" in readers[2]


def test_the_picture_is_told_in_words_too() -> None:
    picture = CLASS.picture()
    assert picture.alt.startswith(CLASS.sentence)
    assert "01.1: 0 passed, 2 not yet; 01.2: 1 passed, 0 not yet" in picture.alt
    assert "image/png" in picture._repr_mimebundle_()[0]
    assert overview.Class([], []).picture().alt.startswith("Nobody")


def test_readers_of_another_edition_of_the_kit_are_taken_as_far_as_they_are_known() -> None:
    other = progress.Export(
        id="0000000a", name="Old", at="2020-01-01T00:00", chapters={"77_gone": progress.Chapter(opened=True)}
    )
    assert overview.Class([other], []).sentence == "1 reader takes part, and nobody has opened a chapter yet."
    assert SECOND in {chapter.id for chapter in CLASS.chapters}
