"""Heads, predictions, terms, progress, and exercises: every stub fails its check, and every solution passes."""

import asyncio
import json
import os
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
from llmlab import LabError, agents, chat_app, connect, lesson, notebooks, settings, tools
from llmlab.lesson import exercises, glossary, predictions, state

pytestmark = pytest.mark.anyio
CHAPTERS = lesson.chapters()
EXERCISES = [(chapter, exercises.find(name)) for chapter in CHAPTERS for name in chapter.exercises]
NAMES = [exercise.id for _, exercise in EXERCISES]


def text_of(shown: Any) -> str:
    return str(shown._repr_mimebundle_()["text/plain"])


def html_of(shown: Any) -> str:
    return str(shown._repr_mimebundle_()["text/html"])


# Chapters


def test_the_chapters_of_the_list_are_the_notebooks_in_order() -> None:
    assert [c.id for c in CHAPTERS] == [file.stem for file in notebooks.chapter_files()]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.id)
def test_each_chapter_has_a_question_minutes_and_earlier_chapters_before_it(chapter: lesson.Chapter) -> None:
    assert chapter.question.endswith("?")
    assert chapter.title
    assert chapter.built.endswith(".")
    assert 0 < chapter.reading <= 90
    assert 0 <= chapter.exercising <= 90
    assert set(chapter.needs) <= {c.id for c in CHAPTERS if c.id < chapter.id}


def test_beginning_a_chapter_shows_its_head_and_keeps_that_it_was_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMLAB_CHAPTER", "")
    head = lesson.chapter("01")
    assert os.environ["LLMLAB_CHAPTER"] == head.id == "01_api_vs_app"
    assert state.get("opened", "01_api_vs_app") is True
    text = text_of(head)
    assert head.question in text
    assert "Before this: 00_start_here. Teaching: 40 minutes, exercises: 30 minutes." in text
    assert f"You will have built: {head.built}" in text
    assert "Before this: nothing." in text_of(lesson.chapter("00_start_here"))


def test_a_head_is_escaped() -> None:
    head = lesson.Chapter("x", "t", "<b>?", 1, 1, (), "<i>", (), ())
    assert "<b>?" not in html_of(head)
    assert "<i>" not in html_of(head)


PUTS = (
    "import sys; from llmlab.lesson import state; [state.put('passed', f'{sys.argv[1]}.{n}', True) for n in range(25)]"
)


def test_several_notebooks_keep_what_they_know_at_once(tmp_path: Path) -> None:
    env = {**os.environ, "LLMLAB_STATE": str(tmp_path)}
    started = [subprocess.Popen([sys.executable, "-c", PUTS, str(n)], env=env) for n in range(4)]
    assert [process.wait(timeout=60) for process in started] == [0] * 4
    kept = json.loads((tmp_path / "progress.json").read_text(encoding="utf-8"))["passed"]
    assert len(kept) == 100
    assert not list(tmp_path.glob("*.lock"))
    (tmp_path / "progress.lock").touch()  # of a notebook that was killed in the middle
    assert subprocess.run([sys.executable, "-c", PUTS, "9"], env=env, timeout=60).returncode == 0


@pytest.mark.parametrize("number", ["77", "", "0", "one", "01_api_vs_app.ipynb"])
def test_a_wrong_chapter_is_answered_with_the_numbers_that_there_are(
    number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMLAB_CHAPTER", "before")
    with pytest.raises(LabError, match=r"A chapter is one of 00, 01.*, not '"):
        lesson.chapter(number)
    assert os.environ["LLMLAB_CHAPTER"] == "before"


# Predictions


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(predictions, "_asked", {})
    options = ["fewer than 7", "exactly <7>", "more & more"]
    lesson.predict("00.t", "How many <b>?", options)
    return options


def test_a_prediction_has_a_plain_form_that_says_how_to_answer(asked: list[str]) -> None:
    panel = lesson.predict("00.t", "How many <b>?", asked)
    assert text_of(panel).splitlines() == [
        "Predict: How many <b>?",
        "1. fewer than 7",
        "2. exactly <7>",
        "3. more & more",
        'To answer without the buttons: lesson.guess("00.t", number)',
    ]
    assert "<b>?" not in html_of(panel)
    assert "exactly &lt;7&gt;" in html_of(panel)
    assert "application/vnd.jupyter.widget-view+json" in panel._repr_mimebundle_()


def test_a_guess_by_number_is_kept_and_shown_beside_what_happened(asked: list[str]) -> None:
    assert text_of(lesson.guess("00.t", 2)) == "Kept: exactly <7>"
    shown = lesson.reveal("00.t", 3, "Because <i>.")
    assert text_of(shown).splitlines() == [
        "Your guess: exactly <7>",
        "What happened: more & more (not as you guessed)",
        "Because <i>.",
    ]
    assert "<i>" not in html_of(shown).replace("<p style='white-space:pre-line'>", "")
    assert "(as you guessed)" in text_of(lesson.reveal("00.t", 2, ""))


def test_a_choice_with_the_buttons_is_kept_and_comes_back(asked: list[str]) -> None:
    panel = lesson.predict("00.t", "How many?", asked)
    _, radio, kept = panel.widget.children
    assert (radio.value, kept.value) == (None, "")
    radio.value = asked[1]
    assert "exactly &lt;7&gt;" in kept.value
    assert state.get("guesses", "00.t") == asked[1]
    _, radio, kept = lesson.predict("00.t", "How many?", asked).widget.children
    assert radio.value == asked[1]
    assert "Kept" in kept.value


def test_a_guess_of_an_older_text_does_not_break_the_question(asked: list[str]) -> None:
    state.put("guesses", "00.t", "an option that is gone")
    _, radio, kept = lesson.predict("00.t", "How many?", asked).widget.children
    assert (radio.value, kept.value) == (None, "")


def test_without_a_guess_the_result_is_shown_all_the_same(asked: list[str]) -> None:
    lines = text_of(lesson.reveal("00.t", 1, "So.")).splitlines()
    assert lines[:2] == ["Your guess: (none)", "What happened: fewer than 7 (no guess was made)"]


@pytest.mark.parametrize("number", [0, 4, -1, "two", None, 1.5])
def test_a_number_that_is_no_option_is_refused_and_nothing_is_kept(number: Any, asked: list[str]) -> None:
    for call in (lambda: lesson.guess("00.t", number), lambda: lesson.reveal("00.t", number, "")):
        with pytest.raises(LabError, match=r"00\.t has the options 1 to 3, but got .*; choose one of them"):
            call()
    assert state.get("guesses", "00.t") is None


def test_a_guess_before_its_question_is_refused(asked: list[str]) -> None:
    for call in (lambda: lesson.guess("00.u", 1), lambda: lesson.reveal("00.u", 1, "")):
        with pytest.raises(LabError, match=r"'00\.u' was not asked in this session; run its cell first"):
            call()


# Terms


def test_a_term_is_explained_whatever_its_case() -> None:
    assert text_of(lesson.term(" Context Window ")).startswith("context window: The largest number of tokens")
    assert "<b>context window</b>" in html_of(lesson.term("context window"))


def test_an_unknown_term_is_answered_with_the_nearest() -> None:
    with pytest.raises(LabError, match=r"not 'contxt windw'; the nearest are context window"):
        lesson.term("contxt windw")
    with pytest.raises(LabError, match="the nearest are adapter"):
        lesson.term("zzzzzzzz")


def test_the_glossary_has_its_terms_in_lower_case_with_a_sentence_each() -> None:
    for name, text in glossary._terms().items():
        assert name == name.lower().strip()
        assert text[0].isupper()
        assert text.endswith(".")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.id)
def test_a_chapter_asks_checks_and_explains_what_the_data_hold(chapter: lesson.Chapter) -> None:
    code = "\n".join(code_cells(chapter))
    for name in chapter.predictions:
        assert f'lesson.predict(\n    "{name}"' in code or f'lesson.predict("{name}"' in code
        assert f'lesson.reveal("{name}"' in code
    for name in chapter.exercises:
        assert f'await lesson.check("{name}"' in code
    assert code.count("lesson.predict(") == len(chapter.predictions)
    assert code.count("lesson.check(") == len(chapter.exercises)
    assert f'lesson.chapter("{chapter.id[:2]}")' in code


# Progress


def test_progress_counts_what_was_opened_guessed_and_passed() -> None:
    lines = text_of(lesson.progress()).splitlines()
    assert lines[0].split() == ["chapter", "opened", "predictions", "made", "exercises", "passed"]
    assert lines[1].split() == ["00_start_here", "not", "yet", "0", "of", "1", "0", "of", "3"]
    state.put("opened", "00_start_here", True)
    state.put("guesses", "00.tokens", "x")
    state.put("guesses", "01.dog", "x")
    state.put("guesses", "of.nothing", "x")
    state.put("passed", "00.2", True)
    state.put("passed", "00.3", True)
    lines = text_of(lesson.progress()).splitlines()
    assert lines[1].split() == ["00_start_here", "yes", "1", "of", "1", "2", "of", "3"]
    assert lines[2].split() == ["01_api_vs_app", "not", "yet", "1", "of", "3", "0", "of", "3"]


def test_progress_survives_a_file_that_cannot_be_read() -> None:
    file = settings.load().state / "progress.json"
    for junk in (b"", b"[1, 2]", b"\xff\xfe", b'{"guesses": '):
        file.write_bytes(junk)
        assert state.load() == {}
        state.put("guesses", "a", "b")
        assert state.get("guesses", "a") == "b"
    assert [p.name for p in file.parent.iterdir()] == ["progress.json"]


def test_progress_is_one_small_json_file() -> None:
    state.put("passed", "00.1", True)
    state.put("passed", "00.2", True)
    file = settings.load().state / "progress.json"
    assert json.loads(file.read_text(encoding="utf-8")) == {"passed": {"00.1": True, "00.2": True}}
    assert state.get("passed", "00.9", "no") == "no"


# Exercises


@pytest.mark.parametrize("name", ["00.9", "77.1", "", "../../x", "0"])
def test_an_unknown_exercise_is_refused_in_a_sentence(name: str) -> None:
    for call in (lesson.hint, lesson.solution):
        with pytest.raises(LabError, match="An exercise has an id like"):
            call(name)


def test_hints_come_one_at_a_time_and_then_start_again() -> None:
    hints = exercises.find("00.2").hints
    shown = [text_of(lesson.hint("00.2")) for _ in range(len(hints) + 1)]
    assert shown[:-1] == [f"Hint {i} of {len(hints)}: {hint}" for i, hint in enumerate(hints, 1)]
    assert shown[-1] == shown[0]
    assert text_of(lesson.hint("00.1")).startswith("Hint 1 of")


def test_a_solution_is_shown_as_code() -> None:
    assert text_of(lesson.solution("00.2")) == exercises.find("00.2").solution
    assert "<pre>def forget" in html_of(lesson.solution("01.2"))


async def test_buttons_under_a_failed_check_show_a_hint_and_the_solution() -> None:
    panel = await lesson.check("00.2", lambda trace: None)
    _, buttons, out = panel.widget.children
    hint, solution = buttons.children
    hint.click()
    assert "Hint 1 of 3" in out.value
    hint.click()
    assert "Hint 2 of 3" in out.value
    solution.click()
    assert "def longest" in out.value


def code_cells(chapter: lesson.Chapter) -> list[str]:
    notebook = nbformat.read(notebooks.NOTEBOOKS / f"{chapter.id}.ipynb", as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def defined(code: str) -> Any:
    """What the reader hands to the check: the last function or class that the code defines."""
    names: dict[str, Any] = {"asyncio": asyncio, "sqlite3": sqlite3}
    for module in (llmlab, agents, chat_app, shop, tools):
        names |= {n: getattr(module, n) for n in getattr(module, "__all__", dir(module)) if n[0] != "_"}
    before = set(names)
    exec(code, names)
    return [v for n, v in names.items() if n not in before and (isfunction(v) or isclass(v))][-1]


def test_the_list_of_chapters_names_every_exercise_that_there_is() -> None:
    folders = sorted((settings.ROOT / "lib" / "chapters").glob("ch*"))
    found = [import_module(f"chapters.{folder.name}.exercises").EXERCISES for folder in folders]
    assert [exercise.id for exercises_ in found for exercise in exercises_] == NAMES


@pytest.mark.parametrize(("chapter", "exercise"), EXERCISES, ids=NAMES)
def test_an_exercise_stands_in_its_chapter_as_its_stub(chapter: lesson.Chapter, exercise: lesson.Exercise) -> None:
    cells = code_cells(chapter)
    stub = cells.index(exercise.stub.strip())
    begin = f'await lesson.check("{exercise.id}", {defined(exercise.stub).__name__}'
    assert cells[stub + 1] in (f"{begin}, model)", f"{begin})")  # chapters without a model have none to give
    assert exercise.id.startswith(chapter.id[:2])
    assert exercise.stub != exercise.solution
    assert exercise.hints
    assert exercise.task.endswith(".")


@pytest.mark.live
@pytest.mark.parametrize("exercise", [e for _, e in EXERCISES], ids=NAMES)
async def test_the_untouched_stub_fails_and_the_solution_passes(exercise: lesson.Exercise, box: object) -> None:
    model = await connect("embedded")
    model.chat = partial(model.chat, max_tokens=16, stream=False)  # no check looks at what a reply says
    failed = text_of(await lesson.check(exercise.id, defined(exercise.stub), model))
    assert failed.splitlines()[-2:] == [
        f"Exercise {exercise.id}: not yet",
        f'More help: lesson.hint("{exercise.id}") or lesson.solution("{exercise.id}")',
    ]
    assert "✗" in failed
    assert state.get("passed", exercise.id) is None
    passed = text_of(await lesson.check(exercise.id, defined(exercise.solution), model))
    assert passed.splitlines()[-1] == f"Exercise {exercise.id}: passed", passed
    assert "✗" not in passed
    assert state.get("passed", exercise.id) is True
    await model.aclose()


async def test_an_exception_of_the_readers_code_becomes_a_point_that_does_not_hold() -> None:
    def work(trace: Any) -> None:
        raise KeyError("<b>nothing</b>")

    panel = await lesson.check("00.2", work)
    assert text_of(panel).splitlines()[0] == "✗ your code stopped with KeyError: '<b>nothing</b>'"
    assert "<b>" not in html_of(panel)
    assert "<b>" not in panel.widget.children[0].value


@pytest.mark.parametrize("work", [None, 3, "longest", lambda: None, lambda trace: "x", lambda trace: trace.steps[0]])
async def test_wrong_work_of_any_kind_gets_sentences(work: Any) -> None:
    text = text_of(await lesson.check("00.2", work))
    assert "✗" in text
    assert "Traceback" not in text
    assert "not yet" in text


async def test_work_that_passes_once_stays_passed() -> None:
    await lesson.check("00.2", defined(exercises.find("00.2").solution))
    await lesson.check("00.2", lambda trace: None)
    assert state.get("passed", "00.2") is True


async def test_a_check_without_points_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(work: Any, model: Any) -> list[lesson.Check]:
        return []

    monkeypatch.setattr(exercises, "find", lambda name: lesson.Exercise(name, "", "", "", ("h",), nothing))
    assert text_of(await lesson.check("00.x", None)).startswith("Exercise 00.x: not yet")
