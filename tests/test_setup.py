"""What is installed, and what the repository may hold: one list of pins behind every way to set the lab up."""

import ast
import importlib.util
import io
import os
import re
import subprocess
import sys
import tokenize
import tomllib
from importlib import metadata
from itertools import product
from pathlib import Path
from types import ModuleType, SimpleNamespace
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
LINES = [
    line
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]
SYSTEMS = {"linux": ("Linux", "posix"), "darwin": ("Darwin", "posix"), "win32": ("Windows", "nt")}
MACHINES = [
    {
        **default_environment(),
        "sys_platform": system,
        "platform_system": SYSTEMS[system][0],
        "os_name": SYSTEMS[system][1],
        "python_version": python,
        "python_full_version": f"{python}.1",
    }
    for system, python in product(SYSTEMS, ("3.11", "3.12", "3.13"))
]


def pins(machine: Any = None) -> dict[str, str]:
    """Name and version of what the list installs on a machine."""
    found: dict[str, str] = {}
    for line in LINES:
        pin = Requirement(line)
        if pin.marker is None or pin.marker.evaluate(machine):
            name = canonicalize_name(pin.name)
            assert name not in found, f"{name} is pinned twice"
            [found[name]] = [spec.version for spec in pin.specifier]
    return found


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Every file of the repository."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("this is no git checkout, so it cannot be told which files belong to the repository")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture
def lab() -> ModuleType:
    """The module lab.py, loaded without running it."""
    spec = importlib.util.spec_from_file_location("lab", ROOT / "lab.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# One list of pins


def test_every_line_of_the_list_is_an_exact_pin() -> None:
    assert len(LINES) > 100
    for line in LINES:
        assert not line.startswith("-"), f"{line}: an option"
        pin = Requirement(line)
        assert pin.url is None, f"{line}: an address"
        assert [spec.operator for spec in pin.specifier] == ["=="], line
        assert "*" not in str(pin.specifier), line
    assert sorted(LINES, key=lambda line: line.split("==")[0]) == LINES


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: f"{m['sys_platform']}-{m['python_version']}")
def test_every_direct_dependency_is_pinned_within_its_bounds(machine: Any) -> None:
    found = pins(machine)
    for requirement in DIRECT:
        name = canonicalize_name(requirement.name)
        assert name in found, f"{name} stands in pyproject.toml, but not in requirements.txt"
        assert found[name] in requirement.specifier, f"{name} is pinned at {found[name]}, not {requirement.specifier}"


def test_every_package_that_comes_along_is_pinned_too_and_installed_as_pinned() -> None:
    found, todo, seen = pins(), [Requirement("llmlab[test]")], set()
    while todo:
        requirement = todo.pop()
        extras = requirement.extras or {""}
        for text in metadata.requires(requirement.name) or []:
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                name = canonicalize_name(needed.name)
                assert name in found, f"{requirement.name} needs {name}, which is not pinned"
                assert metadata.version(name) == found[name]
                if str(needed) not in seen:
                    seen.add(str(needed))
                    todo.append(needed)
    assert len(seen) > 100


def test_conda_brings_python_and_pip_and_the_list_the_rest() -> None:
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert conda["channels"] == ["conda-forge"]
    python, pip, rest = conda["dependencies"]
    assert pip == "pip"
    assert rest == {"pip": ["-r requirements.txt", "-e ."]}
    assert python.startswith("python")
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])


def test_the_readmes_two_commands_are_one_line_each() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```$", readme, re.M | re.S)
    assert [block.strip() for block in blocks[:2]] == ["python3 lab.py", "python3 lab.py test"]


# lab.py


def test_lab_py_can_be_read_by_old_pythons_so_that_they_get_its_sentence() -> None:
    text = (ROOT / "lab.py").read_text(encoding="utf-8")
    for version in ((3, 8), (3, 11)):
        ast.parse(text, feature_version=version)
    imported = {
        name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert imported <= set(sys.stdlib_module_names), "before set-up there is nothing but Python"


@pytest.mark.parametrize("version", ["3.8.10", "3.10.14", "3.14.0"])
def test_lab_py_refuses_another_python_in_a_sentence(
    version: str, lab: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = tuple(map(int, version.split(".")))
    monkeypatch.setattr(
        lab, "sys", SimpleNamespace(version_info=numbers, version=f"{version} (main)", stderr=sys.stderr)
    )
    monkeypatch.setattr(lab, "set_up", lambda level, fetch: pytest.fail("nothing may be set up"))
    assert lab.main([]) == 1
    assert capsys.readouterr().err == (
        f"LLM Lab runs on Python 3.11 to 3.13, but this is {version}; start lab.py with one of them.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "level", "command"),
    [
        ([], "lab", ["-m", "llmlab.cli", "lab"]),
        (["doctor"], "lab", ["-m", "llmlab.cli", "doctor"]),
        (["fetch", "a.gguf"], "lab", ["-m", "llmlab.cli", "fetch", "a.gguf"]),
        (["test"], "test", ["-m", "pytest"]),
        (["test", "-m", "slow"], "test", ["-m", "pytest", "-m", "slow"]),
    ],
)
def test_lab_py_sets_up_what_a_command_needs_and_returns_its_exit_code(
    arguments: list[str], level: str, command: list[str], lab: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[tuple[str, list[str | None]]] = []
    calls: list[list[str]] = []
    monkeypatch.setattr(lab, "set_up", lambda level, fetch: levels.append((level, fetch)))
    monkeypatch.setattr(lab.subprocess, "call", lambda argv, cwd: calls.append(argv) or 7)
    assert lab.main(arguments) == 7
    fetched: dict[str, list[str | None]] = {"fetch": [], "test": ["tiny"]}
    assert levels == [(level, fetched.get((arguments or [""])[0], [None]))]
    assert [[str(a) for a in argv[1:]] for argv in calls] == [command]


def test_lab_py_stops_where_setting_up_fails(
    lab: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lab, "set_up", lambda level, fetch: "pip could not.")
    monkeypatch.setattr(lab.subprocess, "call", lambda *a, **k: pytest.fail("nothing may be run"))
    assert lab.main([]) == 1
    assert capsys.readouterr().err == "pip could not.\n"


@pytest.fixture
def place(lab: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """A kit of its own for lab.py; what it would start, without starting it."""
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_text("one", encoding="utf-8")
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    monkeypatch.setattr(lab, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(lab, "PYTHON", tmp_path / ".venv" / "python")
    calls: list[list[str]] = []

    def call(argv: list[Any], **_: Any) -> int:
        calls.append([str(a) for a in argv])
        if "venv" in argv:
            lab.VENV.mkdir(exist_ok=True)
            lab.PYTHON.touch()
        return 0

    def run(argv: list[Any], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(argv, call(argv), "", "")

    monkeypatch.setattr(lab.subprocess, "call", call)
    monkeypatch.setattr(lab.subprocess, "run", run)
    return calls


def kinds(calls: list[list[str]]) -> list[str]:
    known = {"venv": "venv", "install": "install", "fetch": "fetch", "-c": "look"}
    return [next(kind for word, kind in known.items() if word in argv) for argv in calls]


def test_a_second_start_installs_nothing(lab: ModuleType, place: list[list[str]]) -> None:
    assert lab.set_up("lab", [None]) is None
    assert kinds(place) == ["venv", "install", "fetch"]
    [install] = [argv for argv in place if "install" in argv]
    assert install[-4:] == ["-c", "requirements.txt", "-e", "."], "everything is held to the list"
    place.clear()
    assert lab.set_up("lab", [None]) is None
    assert kinds(place) == ["look", "fetch"]
    assert "--if-missing" in place[-1]


def test_a_changed_list_is_installed_anew_and_so_are_the_tests(lab: ModuleType, place: list[list[str]]) -> None:
    lab.set_up("lab", [None])
    place.clear()
    (lab.ROOT / "requirements.txt").write_text("two", encoding="utf-8")
    lab.set_up("lab", [None])
    assert kinds(place) == ["look", "install", "fetch"]
    place.clear()
    lab.set_up("test", ["tiny"])
    assert kinds(place) == ["look", "install", "fetch"]
    assert place[1][-1] == ".[test]"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "WARNING: old\nERROR: Could not find a version that satisfies x==9\nERROR: No matching distribution found for x==9\n",
            "pip could not install the packages: No matching distribution found for x==9. When that is mended, start again.",
        ),
        ("", "pip could not install the packages: it ended with code 2. When that is mended, start again."),
    ],
)
def test_a_failed_install_says_what_pip_said_and_is_tried_again(
    said: str, sentence: str, lab: ModuleType, place: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    works = lab.subprocess.run
    monkeypatch.setattr(lab.subprocess, "run", lambda argv, **k: subprocess.CompletedProcess(argv, 2, "", said))
    assert lab.set_up("lab", [None]) == sentence
    monkeypatch.setattr(lab.subprocess, "run", works)
    place.clear()
    assert lab.set_up("lab", [None]) is None
    assert "install" in kinds(place)


def test_pip_is_not_told_what_was_set_for_other_installations(
    lab: ModuleType, place: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_USER", "PIP_REQUIRE_VIRTUALENV"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PIP_TARGET", "elsewhere")
    given: list[dict[str, str]] = []
    works = lab.subprocess.run
    monkeypatch.setattr(lab.subprocess, "run", lambda argv, **k: given.append(k["env"]) or works(argv))
    lab.set_up("lab", [])
    assert (given[0]["PIP_USER"], given[0]["PIP_REQUIRE_VIRTUALENV"], "PIP_TARGET" in given[0]) == ("0", "0", False)


@pytest.mark.parametrize(
    ("arguments", "size", "handed_on"),
    [(["--model", "small"], "small", []), (["--model", "tiny", "doctor"], "tiny", ["doctor"])],
)
def test_lab_py_hands_the_size_of_the_model_on(
    arguments: list[str], size: str, handed_on: list[str], lab: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setenv("LLMLAB_BOX", "")
    monkeypatch.setattr(lab, "set_up", lambda level, fetch: None)
    monkeypatch.setattr(lab.subprocess, "call", lambda argv, cwd: seen.append((os.environ["LLMLAB_BOX"], argv[3:])))
    lab.main(arguments)
    assert seen == [(size, handed_on or ["lab"])]


def test_lab_py_knows_the_sizes_of_the_catalogue(lab: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert tuple(weights.CATALOGUE) == lab.SIZES
    assert lab.main(["--model", "huge"]) == 1
    assert capsys.readouterr().err == "--model takes standard, small, tiny, but got huge; name one.\n"


def test_weights_that_cannot_be_fetched_do_not_keep_the_lab_shut(
    lab: ModuleType, place: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    works = lab.subprocess.call
    monkeypatch.setattr(lab.subprocess, "call", lambda argv, **k: works(argv) or int("fetch" in argv))
    assert lab.set_up("lab", [None]) is None
    assert "Going on without the model in the box." in capsys.readouterr().out


# The repository

REGISTRIES = r"https?://[^\s\"'<>)]*(?:/simple\b|pythonhosted\.|registry\.|/pypi/|conda\.anaconda\.)"
HOMES = r"(?<![\w.~])/(?:home|Users)/\w+|(?<![\w.~])/roo[t]\b|[A-Z]:\\+Users\\+\w+"


def found_in(files: list[Path], pattern: str) -> list[str]:
    found = []
    for file in files:
        text = file.read_bytes().decode("utf-8", "replace")
        found += [f"{file.relative_to(ROOT)}: {hit}" for hit in re.findall(pattern, text)]
    return found


def test_no_file_holds_the_address_of_a_registry(tracked: list[Path]) -> None:
    assert re.search(REGISTRIES, "htt" + "ps://mirror.example/index/+simple/simple/x")
    assert found_in(tracked, REGISTRIES) == []


def test_no_file_holds_the_path_of_a_home_folder(tracked: list[Path]) -> None:
    assert re.search(HOMES, "in /ho" + "me/ann/x")
    assert re.search(HOMES, "C:\\Us" + "ers\\ann")
    assert found_in(tracked, HOMES) == []
    assert found_in(tracked, re.escape(str(Path.home())) + r"\b") == []


def test_every_text_file_is_utf8(tracked: list[Path]) -> None:
    for file in tracked:
        if file.suffix in (".py", ".md", ".json", ".jsonl", ".ipynb", ".toml", ".txt", ".yml", ".cfg"):
            file.read_text(encoding="utf-8")


def code_lines(file: Path) -> int:
    """Lines that hold code: no blank lines, comments or docstrings."""
    source = file.read_text(encoding="utf-8")
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            docstrings |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    layout = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in layout:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - docstrings)


def test_each_module_can_be_read_in_a_sitting() -> None:
    lines = {str(file.relative_to(ROOT)): code_lines(file) for file in (ROOT / "lib" / "llmlab").rglob("*.py")}
    assert {name: count for name, count in lines.items() if count > 350} == {}
    agents = {name: count for name, count in lines.items() if Path(name).parent.name == "agents"}
    assert {name: count for name, count in agents.items() if count > 120} == {}, "an agent is about a screen"
