"""What is done otherwise on Windows, tried with a platform that only says so: nobody here has a Windows machine."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llmlab import cli
from llmlab.llm import shared
from llmlab.mcp import transports
from llmlab.settings import ROOT

WINDOWS = SimpleNamespace(**{**vars(os), "name": "nt"})


@pytest.mark.parametrize(
    ("given", "command", "arguments"),
    [
        ("python -m shop.orders", "python", ["-m", "shop.orders"]),
        (r"C:\Python\python.exe -m shop.orders", r"C:\Python\python.exe", ["-m", "shop.orders"]),
        (r'"C:\Program Files\node\npx.cmd" -y server', r"C:\Program Files\node\npx.cmd", ["-y", "server"]),
        (r'uvx server --folder "C:\my files"', "uvx", ["server", "--folder", r"C:\my files"]),
    ],
)
def test_a_command_keeps_its_backslashes_and_loses_its_quotes(
    given: str, command: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transports, "os", WINDOWS)
    target: Any = transports.targets({"one": given})["one"]
    assert (target.command, target.args) == (command, arguments)


def test_the_shared_server_is_detached_from_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(shared, "sys", SimpleNamespace(platform="win32", executable=sys.executable))
    monkeypatch.setattr(shared.subprocess, "Popen", lambda command, **how: asked.update(how))
    monkeypatch.setattr(shared, "_begun", [])
    monkeypatch.setenv(shared.VARIABLE, "")
    shared.begin("tiny")
    assert asked["creationflags"] == 0x200  # CREATE_NEW_PROCESS_GROUP: Ctrl+C in the console does not reach it
    assert "start_new_session" not in asked


@pytest.mark.parametrize(("name", "python"), [("nt", "Scripts/python.exe"), ("posix", "bin/python")])
def test_the_environments_python_lies_where_the_system_puts_it(name: str, python: str) -> None:
    source = (ROOT / "lab.py").read_text(encoding="utf-8").replace("import os\n", "")
    names: dict[str, Any] = {"os": SimpleNamespace(**{**vars(os), "name": name}), "__file__": str(ROOT / "lab.py")}
    exec(compile(source, "lab.py", "exec"), names)
    assert names["PYTHON"] == ROOT / ".venv" / python


@pytest.mark.parametrize(("name", "transport"), [("nt", []), ("posix", ["--KernelManager.transport=ipc"])])
def test_kernels_are_reached_as_the_system_can(
    name: str, transport: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from jupyterlab.labapp import LabApp

    asked: list[str] = []
    monkeypatch.setattr(cli, "os", SimpleNamespace(**{**vars(os), "name": name, "chdir": lambda folder: None}))
    monkeypatch.setattr(LabApp, "launch_instance", lambda argv: asked.extend(argv))
    monkeypatch.setattr(cli.shared, "begin", lambda size: None)
    monkeypatch.setattr(cli.notebooks, "lay_out", lambda: [])
    for variable in ("PATH", "JUPYTER_CONFIG_PATH"):
        monkeypatch.setenv(variable, os.environ.get(variable, ""))
    assert cli.main(["lab"]) == 0
    assert [each for each in asked if "transport" in each] == transport


def test_a_sign_that_the_code_page_lacks_does_not_end_the_set_up(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "cp437", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, ROOT / "lab.py", "--from", tmp_path / "→ …"], env=env, capture_output=True)
    assert done.returncode == 1
    assert b"UnicodeEncodeError" not in done.stderr
    assert b"--from takes a folder" in done.stderr
