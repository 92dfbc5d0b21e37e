"""Chapter 03: what reads Spanish, what sees, what may change a document; its exercises in right ways and in wrong ones."""

import json
import runpy
from base64 import b64decode
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
import pytest
from PIL import Image

import llmlab
from llmlab import LabError, lesson, measure, notebooks, settings
from stub import Raw, Stub, error, reply

pytestmark = pytest.mark.anyio
ch03 = import_module("chapters.ch03")
desk, eyes, spanish, teacher = (
    import_module(f"chapters.ch03.{name}") for name in ("desk", "eyes", "spanish", "teacher")
)
TIME = teacher.Slot("time", "the train", 570)
NUMBER = teacher.Slot("number", "guests", 37)
GOOD = {"spanish": "El tren sale a las nueve y media.", "english": "The train leaves at 9:30."}
LATE = {"spanish": "El tren sale a las diez y media.", "english": "The train leaves at 9:30."}


class Seeing(Stub):
    """A server that takes pictures as OpenAI's API does, and says what colour is in the middle of the one that came."""

    def next(self, body: Any) -> Raw:
        """Look at the last message; a picture in another form is refused."""
        content = body["messages"][-1]["content"]
        if isinstance(content, str):
            return Raw(json.dumps(reply("No picture.")))
        [url] = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
        head, _, data = url.partition(",")
        if head != "data:image/png;base64":
            return error(400, "unsupported image")
        with Image.open(BytesIO(b64decode(data))) as image:
            self.size, self.info = image.size, dict(image.info)
            middle = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
        return Raw(json.dumps(reply(f"In the middle it is {eyes.name_of(*middle)}.")))


# What reads Spanish


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("El tren sale a las nueve y media.", ["9:30"]),
        ("A las ocho y cuarto comemos.", ["8:15"]),
        ("Son las ocho menos cuarto.", ["7:45"]),
        ("El autobús llega a la una y diez.", ["1:10"]),
        ("Son las ocho menos veinticinco.", ["7:35"]),
        ("Diez para las nueve.", ["8:50"]),
        ("a las nueve treinta", ["9:30"]),
        ("a las nueve horas y treinta minutos", ["9:30"]),
        ("a las veintiuna y quince", ["9:15"]),
        ("a las siete y cuarenta y cinco de la mañana", ["7:45"]),
        ("a la una", ["1:00"]),
        ("a las doce menos cuarto", ["11:45"]),
        ("a las doce y media", ["12:30"]),
        ("Abre desde las nueve hasta las diez y media.", ["9:00", "10:30"]),
        ("Las tres hermanas comen a las dos.", ["2:00"]),
        ("La mitad de las personas saben diez palabras.", []),
        ("", []),
    ],
)
def test_times_of_day_are_read_as_people_and_timetables_say_them(sentence: str, said: list[str]) -> None:
    assert [spanish.clock(minutes) for minutes in spanish.times(sentence)] == said


def test_numbers_are_read_and_articles_are_none() -> None:
    said = "Treinta y siete euros, veintiún libros, treinta y una tazas, dieciséis y una casa; ciento dos."
    assert spanish.numbers(said) == [37, 21, 31, 16, 100, 2]
    assert spanish.numbers("veinty siete, dieciseis") == [7], "what is spelled wrong is not read"
    assert set(range(1, 100)) <= set(spanish.NUMBERS.values())
    assert spanish.NUMBERS["noventa y un"] == 91


@pytest.mark.parametrize(
    ("slot", "sentence", "english", "why"),
    [
        (TIME, *GOOD.values(), ""),
        (TIME, *LATE.values(), "says 10:30, but has to say 9:30"),
        (TIME, "El tren sale a las 9:30.", "At 9:30.", "has digits"),
        (TIME, "El tren sale.", "At 9:30.", "says no time"),
        (TIME, GOOD["spanish"], "The train leaves at half past nine.", ""),
        (TIME, GOOD["spanish"], "At 10:30.", "The English sentence says 10:30, but has to say 9:30"),
        (TIME, "A las nueve y media o a las once.", "At 9:30.", "says 9:30 and 11:00"),
        (NUMBER, "Hay treinta y siete invitados.", "There are 37 guests.", ""),
        (NUMBER, "Hay setenta y tres invitados.", "There are 37 guests.", "says 73, but has to say 37"),
        (NUMBER, "Hay treinta y siete invitados.", "There are 73 guests.", "English sentence says 73"),
        (NUMBER, "Hay treinta siete invitados.", "There are 37 guests.", "says 30 and 7"),
        (NUMBER, "", "", "no number"),
    ],
)
def test_an_exercise_is_refused_with_what_is_wrong_with_it(slot: Any, sentence: str, english: str, why: str) -> None:
    said = teacher.fault(slot, teacher.Item(spanish=sentence, english=english))
    assert why in said
    assert bool(said) == bool(why)


def test_slots_are_the_same_for_a_seed() -> None:
    some = teacher.slots(10, 16)
    assert some == teacher.slots(10, 16) != teacher.slots(10, 1)
    assert [slot.kind for slot in some] == ["time"] * 10 + ["number"] * 10
    assert len({slot.key + slot.what for slot in some}) == 20
    assert all(slot.value % 60 for slot in some if slot.kind == "time"), "a full hour is too easy"


@pytest.mark.parametrize(
    "slot", [("date", 3), ("time", 1290), ("time", 0), ("number", 100), ("number", 1), ("number", -1)]
)
def test_a_slot_that_no_check_can_read_is_refused(slot: tuple[str, int]) -> None:
    with pytest.raises(LabError, match="A slot is a time"):
        teacher.Slot(slot[0], "the train", slot[1])


async def test_what_is_rejected_goes_back_with_the_reason_until_it_passes_or_the_tries_end() -> None:
    with Stub() as stub:
        stub.answers = [reply(json.dumps(LATE)), reply("no JSON"), reply(json.dumps(GOOD))]
        model = await stub.model()
        made = await teacher.make(model, TIME)
        asked = list(stub.asked)
        stub.answers = [reply(json.dumps(LATE))]
        never = await teacher.make(model, TIME, tries=3)
        fresh = await teacher.make(model, TIME, tries=2, told=False)
        await model.aclose()
    assert made.item == teacher.Item(**GOOD)
    assert [draft.fault[:30] for draft in made.drafts] == [
        "The Spanish sentence says 10:3",
        "The reply has to be JSON with ",
        "",
    ]
    assert [len(body["messages"]) for body in asked] == [1, 3, 5]
    assert made.drafts[0].fault in asked[1]["messages"][-1]["content"]
    assert [body["temperature"] for body in asked] == [0, teacher.WARM, teacher.WARM]
    assert (len(never.drafts), never.item, never.ok) == (3, None, False)
    assert [len(body["messages"]) for body in stub.asked[-2:]] == [1, 1]
    assert [m["role"] for m in teacher.asked(TIME, solved=True)] == ["user", "assistant", "user", "assistant", "user"]
    assert [teacher.fault(*solved) for solved in teacher.SOLVED] == ["", ""]
    card = teacher.lesson_card([made, never, fresh]).text
    assert "El tren sale a las nueve y media. Which time, in digits? [9:30" in card
    assert "3 exercises asked for, 8 calls, 7 drafts rejected, 2 given up" in card


async def test_the_control_makes_as_many_calls_and_is_told_nothing() -> None:
    with Stub() as stub:
        stub.answers = [reply(json.dumps(LATE))]
        model = await stub.model()
        measured = await ch03.tried(model, [TIME])
        await model.aclose()
    rows = {row["variant"]: row for row in measured.rows}
    assert {name: (row["calls"], row["right"]) for name, row in rows.items()} == {
        ch03.FIRST: (1, False),
        ch03.CHECKED: (4, False),
        ch03.CONTROL: (4, False),
        ch03.UNTOLD: (4, False),
    }
    control = [body for body in stub.asked if teacher.UNCHECKED in str(body)]
    assert len(control) == 3
    assert "10:30" not in str([body["messages"][-1] for body in control])


def test_what_the_learner_gets_is_counted_by_the_reader_not_by_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ch03, "READ", tmp_path / "read.tsv")
    made = [(ch03.FIRST, "a", False), (ch03.FIRST, "b", True), (ch03.CHECKED, "c", True), (ch03.CHECKED, "a", False)]
    rows = [{"variant": v, "task": "t", "answer": a, "right": ok, "calls": 2} for v, a, ok in made]
    measured = ch03.Measured(rows)
    ch03.READ.write_text("task\tanswer\twrong\nt\ta\tthe number\nt\tb\t\nt\tc\tthe verb\n", encoding="utf-8")
    first, checked = (" ".join(line.split()) for line in ch03.delivered(measured).text.splitlines()[1:3])
    assert first == "first draft 1/2 (9–91 %) 2 1/2 1/2 (9–91 %) 4"
    assert checked == "check, reason told 1/2 (9–91 %) 1 0/1 0/2 (0–66 %) 4"
    assert " ".join(ch03.missed(measured).text.splitlines()[1].split()) == "t c the verb"
    ch03.READ.write_text("task\tanswer\twrong\n", encoding="utf-8")
    assert "right" not in ch03.delivered(measured).text, "nobody has read it"


def test_every_kept_exercise_that_a_learner_would_see_was_read() -> None:
    [kept] = [m for m in measure.kept("03") if "1.5B" in m.about["model"]]
    read = ch03.verdicts()
    assert [row for row in kept.rows if ch03.shown(row) and (row["task"], row["answer"]) not in read] == []


@pytest.mark.parametrize(("slot", "answer"), [(TIME, " 9:30 "), (NUMBER, "37")])
def test_a_learners_answer_is_graded_by_the_program(slot: Any, answer: str) -> None:
    assert teacher.right(slot, answer)
    assert not teacher.right(slot, "8:30")
    assert not teacher.right(slot, "")


# What sees


def cell_with(text: str) -> str:
    notebook = nbformat.read(notebooks.NOTEBOOKS / "03_three_apps.ipynb", as_version=4)
    [found] = [cell.source for cell in notebook.cells if cell.cell_type == "code" and text in cell.source]
    return str(found)


async def test_the_chapters_own_cell_describes_the_picture_with_a_model_that_sees_and_says_so_with_one_that_does_not() -> (
    None
):
    define = cell_with("async def describe").split("\n\n\n")[0]
    said = {}
    for server in (Seeing, Stub):
        with server() as stub:
            stub.answers = [error(400, "image input is not supported")]
            model = await stub.model()
            names: dict[str, Any] = {"eyes": eyes, "model": model}
            exec(define, names)
            said[server] = await names["describe"](eyes.PICTURE), await eyes.describe(model, eyes.PICTURE)
            sent = stub.asked
            await model.aclose()
        if server is Seeing:
            assert sent[-2]["messages"] == sent[-1]["messages"] == eyes.app(model, eyes.PICTURE).messages(eyes.QUESTION)
            assert stub.size == (480, 360)  # type: ignore[attr-defined]
        else:
            assert len(sent) == 1, "asked once whether it can, and for nothing else"
    assert said[Seeing] == ("In the middle it is dark green.",) * 2
    assert said[Stub][0] == said[Stub][1]
    assert said[Stub][0].startswith(
        "I cannot see this picture: stub-model reads text only. The picture is wide, 480 by 360"
    )


async def test_a_question_that_follows_takes_the_picture_along() -> None:
    with Seeing() as stub:
        model = await stub.model()
        app = eyes.app(model, eyes.PICTURE)
        await app.ask("What is it?")
        await app.ask("And the colour?")
        await model.aclose()
    assert [len(body["messages"]) for body in stub.asked] == [2, 4]


def test_what_is_sent_is_small_and_without_the_place_where_it_was_taken(tmp_path: Path) -> None:
    big, exif = Image.new("RGB", (4000, 3000), "blue"), Image.Exif()
    exif[0x010E], exif[0x0112] = "taken at home", 6  # a description, and that the camera was turned
    big.save(tmp_path / "photo.jpg", exif=exif)
    image = eyes.opened(tmp_path / "photo.jpg")
    assert image.size == (3000, 4000)
    data = b64decode(eyes.as_url(image).partition(",")[2])
    with Image.open(BytesIO(data)) as sent:
        assert (sent.size, dict(sent.getexif())) == ((768, 1024), {})
    assert b"home" not in data
    assert eyes.colours(image) == {"blue": 1.0}


@pytest.mark.parametrize(
    ("name", "why"), [("nothing.png", "There is no file"), ("text.png", "is no picture"), (".", "picture")]
)
def test_what_is_no_picture_is_said_in_a_sentence(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "text.png").write_text("no picture", encoding="utf-8")
    with pytest.raises(LabError, match=why):
        eyes.opened(tmp_path / name)


@pytest.mark.parametrize("colour", ["red", "orange", "yellow", "green", "blue", "purple", "white", "black", "grey"])
def test_colours_have_their_everyday_names(colour: str) -> None:
    assert eyes.name_of(*eyes.square(colour).getpixel((0, 0))).removeprefix("dark ") == colour


def test_the_picture_is_the_one_that_its_script_draws(tmp_path: Path) -> None:
    runpy.run_path(str(settings.DATA / "shop" / "draw.py"))["draw"](tmp_path / "door.png")
    drawn, kept = eyes.opened(tmp_path / "door.png"), eyes.opened(eyes.PICTURE)
    assert drawn.size == kept.size
    assert list(eyes.colours(drawn)) == list(eyes.colours(kept))


@pytest.mark.parametrize(
    ("text", "admitted"),
    [
        ("I'm sorry, but I can't see images.", True),
        ("As a text model I do not have access to files.", True),
        ("The picture shows a wooden door with a brass handle.", False),
        ("It is a can of paint.", False),
    ],
)
def test_whether_a_model_admits_that_it_sees_nothing(text: str, admitted: bool) -> None:
    assert eyes.admits(text) is admitted


# What may change a document

TEXT = "# Returns\n\nBring it back within 30 days, to a@b.example.\n\nWe pay within 5 days.\n"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "page.md"
    file.write_text(TEXT, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("new", "found"),
    [
        ("You have 30 days; write to a@b.example.", []),
        ("You have 14 days; write to a@b.example.", ["gone: 30", "new: 14"]),
        ("You have 30 days.", ["gone: a@b.example"]),
        ("You have 30 days; write to a@c.example.", ["gone: a@b.example", "new: a@c.example"]),
        ("  ", ["nothing is left"]),
        ("Bring it back within 30 days, to a@b.example.\n", ["nothing has changed"]),
    ],
)
def test_a_rewriting_that_changes_facts_is_suspicious(new: str, found: list[str]) -> None:
    assert desk.doubts("Bring it back within 30 days, to a@b.example.", new) == found


async def test_only_the_passage_changes_and_only_when_a_person_accepts(page: Path) -> None:
    passage = "We pay within 5 days."
    with Stub() as stub:
        stub.answers = [reply(" You get your money within 5 days. ")]
        model = await stub.model()
        work = desk.Desk(model, page)
        proposal, other = await work.rewrite(passage, "friendlier"), await work.rewrite(passage, "shorter")
        assert page.read_text(encoding="utf-8") == TEXT
        assert "- We pay within 5 days.\n+ You get your money within 5 days.\nNumbers and" in proposal.view.text
        assert proposal.accept() == "accepted"
        assert page.read_text(encoding="utf-8") == TEXT.replace(passage, "You get your money within 5 days.")
        with pytest.raises(LabError, match="decided once"):
            proposal.accept()
        with pytest.raises(LabError, match="has changed since"):
            other.accept()
        assert (other.decline(), proposal.decline()) == ("declined", "accepted")
        for wrong in ("We pay within 7 days.", "days", " "):
            with pytest.raises(LabError, match="stand once"):
                await work.rewrite(wrong, "shorter")
        page.write_text(" \n", encoding="utf-8")
        with pytest.raises(LabError, match="is empty, and a model"):
            await work.ask("What does it say?")
        page.write_text("Only this.", encoding="utf-8")
        await work.ask("What does it say?")
        await model.aclose()
    assert stub.asked[0]["messages"][0]["content"].endswith(TEXT)
    assert stub.asked[-1]["messages"][0]["content"].endswith("Only this."), "the document as it is now"
    with pytest.raises(LabError, match="no file"):
        desk.Desk(model, page.with_name("none.md"))


async def test_the_buttons_decide_and_an_error_is_said_beside_them(page: Path) -> None:
    pytest.importorskip("ipywidgets")
    proposal = desk.Proposal(page, "30 days", "a month")
    panel = desk.with_buttons(proposal)
    accept, decline = panel.widget.children[1].children
    accept.click()
    assert "a month" in page.read_text(encoding="utf-8")
    accept.click()
    assert "decided once" in panel.widget.children[2].value
    decline.click()
    assert proposal.state == "accepted"
    assert "gone: 30" in str(proposal._repr_mimebundle_()["text/plain"])


def test_sentences_headings_and_items_stand_on_lines_of_their_own() -> None:
    assert (
        desk.sentences("# A\n\nOne is\nhere. Two! 3 is.\n- x\n- y z.") == "# A\nOne is here.\nTwo!\n3 is.\n- x\n- y z."
    )


def test_what_was_typed_is_told_from_what_is_sent() -> None:
    part = eyes.part(eyes.square("red"))
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "What?"}, part]},
    ]
    shown = ch03.typed_and_sent({"a": ("What?", messages)}).text.splitlines()[1].split()
    assert shown == ["a", "5", "8", "5", str(len(part["image_url"]["url"]))]


# The exercises

SEES = "from chapters.ch03.eyes import part, square\nasync def sees(model):\n    "
ASK = "[{'role': 'user', 'content': [{'type': 'text', 'text': 'Colour?'}, part(square(c))]}]"
UNTIL = "async def until_right(draft, tries):\n    "
GONE = "import re\nfrom chapters.ch03 import desk\nWORDS = 'one two three four five six seven eight nine ten eleven twelve'.split()\n"
GONE += "def gone(old, new):\n    "
RIGHT = [
    ("03.1", SEES + "try:\n        for c in ('blue', 'yellow'):\n"
             f"            said = (await model.chat({ASK})).text.lower()\n"
             "            if c not in said or {'blue': 'yellow', 'yellow': 'blue'}[c] in said:\n                return False\n"
             "    except LabError:\n        return False\n    return True"),
    ("03.1", SEES + "seen = []\n    if not await model.can('vision'):\n        return False\n    for c in ['red', 'white', 'black']:\n"
             f"        seen.append(str(await model.chat({ASK})))\n"
             "    return len(set(seen)) == 3 and all(c in s for c, s in zip(['red', 'white', 'black'], seen))"),
    ("03.1", "from PIL import Image\nfrom chapters.ch03.eyes import part\nasync def sees(model):\n    good = 0\n"
             "    for c, rgb in {'red': (255, 0, 0), 'blue': (0, 0, 255)}.items():\n"
             "        content = [part(Image.new('RGB', (9, 9), rgb)), {'type': 'text', 'text': 'Which colour?'}]\n        try:\n"
             "            text = (await model.chat([{'role': 'user', 'content': content}])).text\n"
             "        except Exception:\n            return False\n"
             "        good += [w for w in ('red', 'blue') if w in text] == [c]\n    return good == 2"),
    ("03.2", UNTIL + "fault, calls = '', 0\n    while calls < tries:\n        item, fault = await draft(fault)\n        calls += 1\n"
             "        if fault == '':\n            return item, calls\n    return None, calls"),
    ("03.2", UNTIL + "item, fault = await draft('')\n    n = 1\n    while fault and n < tries:\n        item, fault = await draft(fault)\n"
             "        n += 1\n    return (None if fault else item), n"),
    ("03.2", UNTIL + "async def go(reason, n):\n        item, fault = await draft(reason)\n        if not fault:\n            return item, n\n"
             "        return (None, n) if n == tries else await go(fault, n + 1)\n    return await go('', 1)"),
    ("03.3", GONE + "new = new.lower().replace(',', ' ').replace('.', ' ').split()\n    missing = []\n    for n in re.findall(r'\\d+', old):\n"
             "        word = WORDS[int(n) - 1] if int(n) <= 12 else n\n        if n not in new and word not in new:\n"
             "            missing.append(n)\n    return missing"),
    ("03.3", GONE + "names = {str(n): w for n, w in enumerate(WORDS, 1)}\n    return [n for n in desk.facts(old) if not "
             "re.search(rf'\\b({n}|{names.get(n, n)})\\b', new, re.IGNORECASE)]"),
    ("03.3", GONE + "for n, w in enumerate(WORDS, 1):\n        new = re.sub(rf'(?i)\\b{w}\\b', str(n), new)\n"
             "    return [int(n) for n in re.findall(r'\\d+', old) if n not in re.findall(r'\\d+', new)]"),
]  # fmt: skip
WRONG = [
    ("03.1", SEES + "return await model.can('vision')", "shown a picture"),
    ("03.1", SEES + f"c = 'red'\n    return c in (await model.chat({ASK})).text", "refuses pictures"),
    ("03.1", SEES + f"c = 'red'\n    try:\n        return c in (await model.chat({ASK})).text\n    except LabError:\n"
             "        return False", "ignores the picture"),
    ("03.1", SEES + f"try:\n        return all([c in (await model.chat({ASK})).text for c in ('red', 'blue')])\n"
             "    except LabError:\n        return False", "all the colours at once"),
    ("03.1", SEES + f"try:\n        c = 'red'\n        await model.chat({ASK})\n        return True\n    except LabError:\n"
             "        return False", "ignores the picture"),
    ("03.1", SEES + "return False", "has to pass"),
    ("03.2", UNTIL + "return (await draft(''))[0], 1", "drafts needed 3, made 1"),
    ("03.2", UNTIL + "for n in range(1, tries + 1):\n        item, fault = await draft('')\n        if not fault:\n"
             "            return item, n\n    return None, tries", "has to hear the fault"),
    ("03.2", UNTIL + "fault, n = '', 0\n    while True:\n        item, fault = await draft(fault)\n        n += 1\n        if not fault:\n"
             "            return item, n", "nine drafts"),
    ("03.2", UNTIL + "fault = ''\n    for n in range(tries):\n        item, fault = await draft(fault)\n        if not fault:\n"
             "            return item, n\n    return None, tries", "the result has to be ('draft 1', 1), and was ('draft 1', 0)"),
    ("03.2", UNTIL + "fault = ''\n    for n in range(1, tries + 1):\n        item, fault = await draft(fault)\n        if not fault:\n"
             "            break\n    return item, n", "the result has to be (None, 3)"),
    ("03.2", UNTIL + "fault = ''\n    for n in range(1, tries + 1):\n        item, fault = await draft(fault)\n"
             "    return item, tries", "drafts needed 1, made 4"),
    ("03.3", GONE + "return [n for n in desk.facts(old) if n not in desk.facts(new)]", "within five working days"),
    ("03.3", GONE + "return [n for n in re.findall(r'\\d+', old) if n not in new and WORDS[min(int(n), 12) - 1] not in new]", "'15 days'"),
    ("03.3", GONE + "return []", "has to be ['30', '5'], and was []"),
    ("03.3", GONE + "said = new.split()\n    return [n for n in re.findall(r'\\d+', old) if n not in said and "
             "WORDS[min(int(n), 12) - 1] not in said]", "'Two cups'"),
    ("03.3", GONE + "said = re.findall(r'\\w+', new.lower())\n    return sorted(n for n in re.findall(r'\\d+', old) if n not in said and "
             "WORDS[min(int(n), 12) - 1] not in said)[::-1][:1]", "['30', '5']"),
]  # fmt: skip


async def checked(name: str, code: str) -> str:
    names: dict[str, Any] = {"LabError": LabError, "Trace": llmlab.Trace}
    exec(code, names)
    work = names[{"03.1": "sees", "03.2": "until_right", "03.3": "gone"}[name]]
    return str((await lesson.check(name, work))._repr_mimebundle_()["text/plain"])


@pytest.mark.parametrize(
    ("name", "code"), [*RIGHT, *((e, lesson.exercise(e).solution) for e in ("03.1", "03.2", "03.3"))]
)
async def test_right_work_passes_in_whatever_way_it_is_written(name: str, code: str) -> None:
    said = await checked(name, code)
    assert said.endswith("passed"), said


@pytest.mark.parametrize(("name", "code", "why"), WRONG)
async def test_wrong_work_is_told_what_is_wrong(name: str, code: str, why: str) -> None:
    said = await checked(name, code)
    assert "not yet" in said
    assert any(why in line for line in said.splitlines() if line.startswith("✗")), said
