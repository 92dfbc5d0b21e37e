"""Heads, predictions, terms, progress, exercises: every stub fails its check, and every solution passes."""

import asyncio
import json
import os
import re
import sqlite3
import subprocess
import sys
from functools import partial
from importlib import import_module
from inspect import isclass, isfunction
from pathlib import Path
from typing import Any

import nbformat
import pytest

import llmlab
import shop
from chapters.ch01 import app
from llmlab import LabError, agents, connect, lesson, notebooks, settings, tools

pytestmark = pytest.mark.anyio
CHAPTERS = lesson.chapters()
EXERCISES = [(chapter, lesson.exercise(name)) for chapter in CHAPTERS for name in chapter.exercises]
NAMES = [exercise.id for _, exercise in EXERCISES]


def text_of(shown: Any) -> str:
    return str(shown._repr_mimebundle_()["text/plain"])


def code_cells(chapter: lesson.Chapter) -> list[str]:
    notebook = nbformat.read(notebooks.NOTEBOOKS / f"{chapter.id}.ipynb", as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.id)
def test_a_chapter_asks_checks_and_explains_what_the_data_hold(chapter: lesson.Chapter) -> None:
    assert chapter.question.endswith("?")
    assert 0 < chapter.reading + chapter.exercising <= 180
    assert set(chapter.needs) <= {c.id for c in CHAPTERS if c.id < chapter.id}
    code = "\n".join(code_cells(chapter)).replace("(\n    ", "(")
    for name in chapter.predictions:
        assert f'lesson.predict("{name}"' in code
        assert f'lesson.reveal("{name}"' in code
    assert code.count("lesson.predict(") == len(chapter.predictions)
    assert code.count("lesson.check(") == len(chapter.exercises)
    assert f'lesson.chapter("{chapter.id[:2]}")' in code


def test_the_lists_are_complete_and_beginning_a_chapter_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [c.id for c in CHAPTERS] == [file.stem for file in notebooks.chapter_files()]
    folders = sorted((settings.ROOT / "lib" / "chapters").glob("ch*/exercises.py"))
    found = [import_module(f"chapters.{folder.parent.name}.exercises").EXERCISES for folder in folders]
    assert [exercise.id for each in found for exercise in each] == NAMES
    monkeypatch.setenv("LLMLAB_CHAPTER", "")
    assert "Before this: 00_start_here. Teaching: 45 minutes" in text_of(lesson.chapter("01"))
    assert lesson.kept()["opened"] == {os.environ["LLMLAB_CHAPTER"]: True} == {"01_api_vs_app": True}


@pytest.fixture
def options() -> list[str]:
    options = ["fewer than 7", "exactly <7>", "more & more"]
    lesson.predict("00.t", "How many <b>?", options)
    return options


def test_a_guess_by_number_or_button_is_kept_and_shown_beside_what_happened(options: list[str]) -> None:
    assert text_of(lesson.reveal("00.t", 1, "")).startswith("Your guess: (none)\nWhat happened: fewer than 7 (no guess")
    assert text_of(lesson.guess("00.t", 2)) == "Kept: exactly <7>"
    lines = text_of(lesson.reveal("00.t", 3, "Because <i>.")).splitlines()
    assert lines == ["Your guess: exactly <7>", "What happened: more & more (not as you guessed)", "Because <i>."]
    assert "(as you guessed)" in text_of(lesson.reveal("00.t", 2, ""))
    assert "<i>" not in lesson.reveal("00.t", 3, "Because <i>.").html
    shown = lesson.predict("00.t", "How many <b>?", options)._repr_mimebundle_()
    assert "exactly &lt;7&gt;" in shown["text/html"]
    assert {"text/plain", "application/vnd.jupyter.widget-view+json"} < set(shown)
    _, radio, kept = lesson.predict("00.t", "How many?", options).widget.children
    assert (radio.value, "exactly &lt;7&gt;" in kept.value) == (options[1], True)
    radio.value = options[2]
    assert "more &amp; more" in kept.value
    assert lesson.kept()["guesses"] == {"00.t": options[2]}
    _, radio, kept = lesson.predict("00.t", "How many?", ["all options", "are new"]).widget.children
    assert (radio.value, kept.value) == (None, "")


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: lesson.guess("00.t", 0), "options 1 to 3"),
        (lambda: lesson.guess("00.t", "two"), "options 1 to 3"),  # type: ignore[arg-type]
        (lambda: lesson.reveal("00.t", 4, ""), "options 1 to 3"),
        (lambda: lesson.reveal("00.u", 1, ""), "run its cell first"),
        (lambda: lesson.chapter("77"), "00, 01"),
        (lambda: lesson.chapter(""), "00, 01"),
        (lambda: lesson.term("memry windov"), "nearest are memory, context window"),
        (lambda: lesson.term("zzzzzzzz"), "nearest are lesson.term()"),
        (lambda: lesson.hint("00.9"), "id like 01.2"),
        (lambda: lesson.solution("../../x"), "id like 01.2"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is_and_nothing_is_kept(
    call: Any, what: str, options: list[str]
) -> None:
    with pytest.raises(LabError, match=what):
        call()
    assert lesson.kept()["guesses"] == lesson.kept()["opened"] == {}


def test_each_term_is_explained_whatever_its_case() -> None:
    for name in json.loads((settings.DATA / "glossary.json").read_text(encoding="utf-8")):
        assert re.fullmatch(rf"{re.escape(name)}: [A-Z].+\.", text_of(lesson.term(f" {name.title()} ")))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("injection", ["prompt injection"]),  # a part of a name
        ("react", ["react"]),  # a whole name comes alone
        ("contxt windw", ["context window"]),  # the nearest
        ("tokens", ["token"]),
        ("babyagi", ["task list agent"]),  # in a text
        ("mcp ", ["mcp"]),
    ],
)
def test_the_glossary_is_searched_by_name_then_by_likeness_then_in_its_texts(words: str, found: list[str]) -> None:
    assert [line.partition(": ")[0] for line in text_of(lesson.term(words)).splitlines()] == found


def test_the_glossary_is_listed_as_names_each_of_which_opens() -> None:
    terms = json.loads((settings.DATA / "glossary.json").read_text(encoding="utf-8"))
    assert text_of(lesson.term()).split(", ") == sorted(terms)
    assert lesson.term(" ").html.count("<details><summary>") == len(terms)


KEEPS = "import sys; from llmlab.lesson import keep; [keep('passed', f'{sys.argv[1]}.{n}', True) for n in range(25)]"


def test_several_notebooks_that_keep_progress_at_once_lose_nothing(tmp_path: Path) -> None:
    env = {**os.environ, "LLMLAB_STATE": str(tmp_path)}
    started = [subprocess.Popen([sys.executable, "-c", KEEPS, str(n)], env=env) for n in range(3)]
    started[2].kill()  # in the middle, perhaps: the others go on
    assert [process.wait(timeout=60) for process in started[:2]] == [0, 0]
    kept = json.loads((tmp_path / "progress.json").read_text(encoding="utf-8"))["passed"]
    assert {f"{process}.{n}" for process in (0, 1) for n in range(25)} <= set(kept)


@pytest.mark.parametrize("junk", [b"", b"[1, 2]", b"\xff\xfe", b'{"guesses": '])
def test_progress_survives_a_file_that_cannot_be_read(junk: bytes) -> None:
    (settings.load().state / "progress.json").write_bytes(junk)
    lesson.keep("guesses", "a", "b")
    assert lesson.kept()["guesses"] == {"a": "b"}


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LLMLAB_STATE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="LLMLAB_STATE"):
        lesson.chapter("00")


def test_progress_counts_what_was_opened_guessed_and_passed() -> None:
    assert text_of(lesson.progress()).splitlines()[1].split() == [
        "00_start_here",
        "not",
        "yet",
        "0",
        "of",
        "1",
        "0",
        "of",
        "3",
    ]
    for section, name in [
        ("opened", "00_start_here"),
        ("guesses", "00.tokens"),
        ("passed", "00.2"),
        ("passed", "00.3"),
    ]:
        lesson.keep(section, name, True)
    assert text_of(lesson.progress()).splitlines()[1].split() == [
        "00_start_here",
        "yes",
        "1",
        "of",
        "1",
        "2",
        "of",
        "3",
    ]


def defined(code: str) -> Any:
    """What the reader hands to the check: the last function or class that the code defines."""
    names: dict[str, Any] = {"asyncio": asyncio, "sqlite3": sqlite3}
    for module in (llmlab, agents, app, shop, tools):
        names |= {n: getattr(module, n) for n in getattr(module, "__all__", dir(module)) if n[0] != "_"}
    before = set(names)
    exec(code, names)
    return [v for n, v in names.items() if n not in before and (isfunction(v) or isclass(v))][-1]


@pytest.mark.parametrize(("chapter", "exercise"), EXERCISES, ids=NAMES)
def test_an_exercise_stands_in_its_chapter_as_its_stub(chapter: lesson.Chapter, exercise: lesson.Exercise) -> None:
    cells = code_cells(chapter)
    begin = f'await lesson.check("{exercise.id}", {defined(exercise.stub).__name__}'
    following = cells[cells.index(exercise.stub.strip()) + 1]
    assert following in (f"{begin}, model)", f"{begin})")  # chapters without a model have none to give
    assert exercise.hints
    assert exercise.task.endswith(".")


@pytest.mark.live
@pytest.mark.parametrize("exercise", [e for _, e in EXERCISES], ids=NAMES)
async def test_the_untouched_stub_fails_and_the_solution_passes(exercise: lesson.Exercise, box: object) -> None:
    model = await connect("embedded")
    model.chat = partial(model.chat, max_tokens=32, stream=False)  # no check looks at what a reply says
    failed = text_of(await lesson.check(exercise.id, defined(exercise.stub), model))
    assert f"Exercise {exercise.id}: not yet\nMore help: lesson.hint(" in failed
    assert "✗" in failed
    passed = text_of(await lesson.check(exercise.id, defined(exercise.solution), model))
    assert passed.splitlines()[-1] == f"Exercise {exercise.id}: passed", passed
    assert "✗" not in passed
    assert lesson.kept()["passed"] == {exercise.id: True}
    await model.aclose()


def fails(trace: Any) -> None:
    raise KeyError("<b>nothing</b>")


@pytest.mark.parametrize("work", [None, "longest", lambda: None, lambda trace: trace.steps[0], fails])
async def test_wrong_work_of_any_kind_gets_sentences_hints_one_by_one_and_the_solution(work: Any) -> None:
    panel = await lesson.check("00.2", work)
    text = text_of(panel)
    assert "✗" in text
    assert "not yet" in text
    assert ("KeyError: '<b>nothing</b>'" in text) == (work is fails)
    shown, buttons, out = panel.widget.children
    assert "<b>" not in shown.value + panel._repr_mimebundle_()["text/html"]
    hint, solution = buttons.children
    for number in (1, 2, 3, 1):
        hint.click()
        assert f"Hint {number} of 3" in out.value
    solution.click()
    assert "def longest" in out.value
    assert lesson.kept()["passed"] == {}


async def test_work_that_passes_once_stays_passed_and_a_check_without_points_does_not_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def nothing(work: Any, model: Any) -> list[lesson.Check]:
        return []

    await lesson.check("00.2", defined(lesson.exercise("00.2").solution))
    monkeypatch.setattr(lesson, "exercise", lambda name: lesson.Exercise(name, "", "", "", ("h",), nothing))
    for name in ("00.2", "00.x"):
        assert text_of(await lesson.check(name, None)).startswith(f"Exercise {name}: not yet")
    assert lesson.kept()["passed"] == {"00.2": True}
