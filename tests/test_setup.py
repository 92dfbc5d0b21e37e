"""What is installed, and what the repository may hold: one list of pins behind every way to set the lab up."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from llmlab.llm import weights

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DIRECT = [Requirement(r) for r in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]]
TEXT = (ROOT / "requirements.txt").read_text(encoding="utf-8")
PINS = [Requirement(line) for line in TEXT.splitlines() if line.strip() and not line.startswith("#")]
SYSTEMS = {"linux": ("Linux", "posix"), "darwin": ("Darwin", "posix"), "win32": ("Windows", "nt")}
MACHINES = [
    {"sys_platform": system, "platform_system": names[0], "os_name": names[1], "python_version": python}
    for (system, names), python in product(SYSTEMS.items(), ("3.11", "3.12", "3.13"))
]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: f"{m['sys_platform']}-{m['python_version']}")
def test_every_package_is_pinned_once_and_within_the_bounds_of_the_project(machine: Any) -> None:
    there = {**default_environment(), **machine, "python_full_version": f"{machine['python_version']}.9"}
    pins = [pin for pin in PINS if pin.marker is None or pin.marker.evaluate(there)]
    found = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
    assert len(found) == len(pins) > 100
    assert [pin.name for pin in pins if not re.fullmatch(r"==[\w.]+", str(pin.specifier)) or pin.url] == []
    wrong = [str(r) for r in DIRECT if found.get(canonicalize_name(r.name), "none") not in r.specifier]
    assert wrong == [], "stands in pyproject.toml, and not, or not so, in requirements.txt"


def test_every_package_that_comes_along_is_pinned_too_and_installed_as_pinned() -> None:
    found = {canonicalize_name(pin.name): pin for pin in PINS if pin.marker is None or pin.marker.evaluate()}
    todo, seen = DIRECT[:], set[str]()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        assert metadata.version(name) in found[name].specifier, name
        for text in metadata.requires(name) or []:
            needed = Requirement(text)
            extras = requirement.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                todo += [needed] if text not in seen else []
                seen.add(text)
    assert len(seen) > 100


def test_conda_brings_python_and_pip_and_the_list_the_rest() -> None:
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, *rest = conda["dependencies"]
    assert (conda["channels"], rest) == (["conda-forge"], ["pip", {"pip": ["-r requirements.txt", "-e ."]}])
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])


def test_the_readmes_two_commands_are_one_line_each() -> None:
    blocks = re.findall(r"^```\w*\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert [block.strip() for block in blocks[:2]] == ["python3 lab.py", "python3 lab.py test"]


# lab.py


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The module lab.py in a kit of its own: `calls` is what it would start, `fails` the words of what fails."""
    spec = importlib.util.spec_from_file_location("lab", ROOT / "lab.py")
    assert spec is not None
    assert spec.loader is not None
    lab: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lab)
    lab.ROOT, lab.VENV, lab.PYTHON = tmp_path, tmp_path / ".venv", tmp_path / ".venv" / "python"
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_text("one", encoding="utf-8")
    lab.calls, lab.fails, lab.said, lab.env = [], set(), "", {}

    def call(argv: list[Any], env: Any = None, **_: Any) -> int:
        lab.calls.append(" ".join(map(str, argv[1:])))
        lab.env = env or lab.env
        if "venv" in argv:
            lab.VENV.mkdir(exist_ok=True)
            lab.PYTHON.touch()
        return 2 if lab.fails & set(argv) else 0

    run = SimpleNamespace(call=call, PIPE=-1, DEVNULL=-3)
    run.run = lambda argv, **more: subprocess.CompletedProcess(argv, call(argv, **more), "", lab.said)
    lab.subprocess = run
    monkeypatch.setenv("LLMLAB_BOX", "")
    return lab


def kinds(lab: Any) -> list[str]:
    """What was started since it was last asked; the last command whole."""
    known = {"-m venv": "venv", "pip install": "install", "fetch --if-missing": "fetch", "-c": "look"}
    *calls, last = lab.calls
    lab.calls.clear()
    return [next(kind for words, kind in known.items() if words in call) for call in calls] + [last]


def test_lab_py_needs_nothing_but_python() -> None:
    nodes = list(ast.walk(ast.parse((ROOT / "lab.py").read_text(encoding="utf-8"))))
    names = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert names <= set(sys.stdlib_module_names)


def test_lab_py_sets_up_what_is_missing_and_hands_the_command_on(lab: Any) -> None:
    assert lab.main([]) == 0
    assert "-c requirements.txt -e ." in lab.calls[1], "everything is held to the list"
    assert kinds(lab) == ["venv", "install", "fetch", "-m llmlab.cli lab"]
    lab.main(["--model", "small", "doctor"])
    assert (kinds(lab), os.environ["LLMLAB_BOX"]) == (["look", "fetch", "-m llmlab.cli doctor"], "small")
    lab.main(["fetch", "a.gguf"])
    assert kinds(lab) == ["look", "-m llmlab.cli fetch a.gguf"]
    lab.main(["test", "-m", "slow"])
    assert ".[test]" in lab.calls[1]
    assert kinds(lab) == ["look", "install", "fetch", "-m pytest -m slow"]
    (lab.ROOT / "requirements.txt").write_text("two", encoding="utf-8")
    lab.fails = {"llmlab.cli"}
    assert lab.main([]) == 2, "the command's exit code; and weights that cannot be fetched do not keep the lab shut"
    assert kinds(lab) == ["look", "install", "fetch", "-m llmlab.cli lab"]


@pytest.mark.parametrize("version", ["3.8.10", "3.10.14", "3.14.0"])
def test_lab_py_refuses_what_it_cannot_take_in_a_sentence(
    version: str, lab: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tuple(weights.CATALOGUE) == lab.SIZES
    assert lab.main(["--model", "huge"]) == 1
    assert "standard, small, tiny, but got huge" in capsys.readouterr().err
    lab.sys = SimpleNamespace(
        version_info=(*map(int, version.split(".")),), version=f"{version} (x)", stderr=sys.stderr
    )
    assert lab.main([]) == 1
    assert f"3.11 to 3.13, but this is {version};" in capsys.readouterr().err
    assert lab.calls == []


def test_a_failed_install_says_what_pip_said_and_is_tried_again(
    lab: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("PIP_USER", "PIP_TARGET"):
        monkeypatch.setenv(name, "1")
    lab.fails, lab.said = {"install"}, "WARNING: old\nERROR: No matching distribution found for x==9\n"
    assert lab.main([]) == 1
    assert "packages: No matching distribution found for x==9. " in capsys.readouterr().err
    assert (lab.env["PIP_USER"], "PIP_TARGET" in lab.env) == ("0", False), "what is set for other installations"
    lab.fails = set()
    assert lab.main([]) == 0
    assert "install" in kinds(lab)


# The repository

REGISTRIES = r"https?://[^\s\"'<>)]*(?:/simple\b|pythonhosted\.|registry\.|/pypi/|conda\.anaconda\.)"
HOMES = r"(?<![\w.~])/(?:home|Users)/\w+|(?<![\w.~])/roo[t]\b|[A-Z]:\\+Users\\+\w+"


@pytest.mark.parametrize(
    ("pattern", "example"),
    [
        (REGISTRIES, "htt" + "ps://mirror.example/index/+simple/simple/x"),
        (HOMES, "in /ho" + "me/ann/x"),
        (HOMES, "C:\\Us" + "ers\\ann"),
        (re.escape(str(Path.home())) + r"\b", str(Path.home())),
    ],
)
def test_no_file_holds_the_address_of_a_registry_or_the_path_of_a_home(pattern: str, example: str) -> None:
    assert re.search(pattern, example)
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("this is no git checkout, so it cannot be told which files belong to the repository")
    files = [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]
    texts = {file: file.read_bytes().decode("utf-8", "replace") for file in files}
    assert [(file.name, found[0]) for file, text in texts.items() if (found := re.search(pattern, text))] == []
    plain = (".py", ".md", ".json", ".jsonl", ".ipynb", ".toml", ".txt", ".yml", ".cfg")
    assert [file for file, text in texts.items() if file.suffix in plain and "\ufffd" in text] == [], "all is UTF-8"
