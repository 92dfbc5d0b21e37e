"""The doctor: a line for each thing, what to do where it is not right, and an exit code that can be relied on."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

from llmlab import doctor, settings
from llmlab.llm import weights

NAMES = ["Python", "packages", "Jupyter kernel", "machine", "model in the box", "endpoint", "Node", "disk", "ports"]


def lines(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What the doctor said of each thing; its last words under "end"."""
    *said, end = capsys.readouterr().out.splitlines()
    assert [line[5:].split(":")[0] for line in said] == NAMES, "one line for each thing"
    return {**dict(zip(NAMES, said, strict=True)), "end": end}


@pytest.fixture
def well(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """All is well, and costs no time; a test then breaks one thing."""
    for name in ("python", "packages", "kernel", "machine", "box", "endpoint", "node", "disk", "ports"):
        monkeypatch.setattr(doctor, name, lambda: (True, "well"))
    return monkeypatch


def test_when_all_is_well_the_lab_can_run(well: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.run() == 0
    said = lines(capsys)
    assert {said[name] for name in NAMES} == {f"ok   {name}: well" for name in NAMES}
    assert said["end"] == "The lab can run."


@pytest.mark.live
def test_this_machine_can_run_the_lab(box: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.run() == 0, "".join(capsys.readouterr())
    said = lines(capsys)
    assert weights.get("tiny").name in said["model in the box"]
    assert " answered '" in said["model in the box"]
    assert "none configured" in said["endpoint"]
    assert said["Python"].split()[-1] == sys.version.split()[0]


def test_without_weights_it_says_what_to_do_and_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLMLAB_CACHE", str(tmp_path))
    assert doctor.run() == 1
    said = lines(capsys)
    assert said["model in the box"].startswith("NOT  model in the box: ")
    assert "llmlab fetch" in said["model in the box"]
    assert said["end"] == "1 of these must be mended first."
    assert list(tmp_path.iterdir()) == [], "the doctor looks, and changes nothing"


def test_weights_cut_short_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLMLAB_CACHE", str(tmp_path))
    file = weights.path_of(weights.get("tiny"), tmp_path)
    file.parent.mkdir()
    file.write_bytes(b"GGUF")
    with pytest.raises(doctor.LabError, match="bytes"):
        doctor.box()


def test_a_bad_setting_is_a_line_and_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLMLAB_TIMEOUT", "long")
    assert doctor.run() == 1
    said = lines(capsys)
    for name in ("model in the box", "endpoint"):
        assert said[name].startswith(f"NOT  {name}: LLMLAB_TIMEOUT takes a number")


def test_whatever_breaks_in_one_check_the_others_are_made(
    well: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_engine() -> None:
        raise ImportError("DLL load failed")

    well.setattr(doctor, "box", no_engine)
    assert doctor.run() == 1
    said = lines(capsys)
    assert said["model in the box"] == "NOT  model in the box: ImportError: DLL load failed"
    assert said["ports"] == "ok   ports: well"


def test_what_the_lab_can_do_without_is_noted_and_does_not_fail(
    well: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    well.setattr(doctor, "node", lambda: (False, "not found; get it"))
    assert doctor.run() == 0
    assert lines(capsys)["Node"] == "note Node: not found; get it"


def test_several_faults_are_counted(well: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    well.setattr(doctor, "disk", lambda: (False, "full"))
    well.setattr(doctor, "ports", lambda: (False, "shut"))
    assert doctor.run() == 1
    assert lines(capsys)["end"] == "2 of these must be mended first."


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 14, 0), (2, 7, 18)])
def test_another_python_is_refused_with_what_to_do(version: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor, "sys", SimpleNamespace(version_info=version, version=".".join(map(str, version)) + " (x)")
    )
    ok, text = doctor.python()
    assert not ok
    assert text.startswith(".".join(map(str, version)) + ", but the lab takes 3.11 to 3.13; delete .venv")


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 9), (3, 13, 1)])
def test_the_pythons_of_the_lab_are_taken(version: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "sys", SimpleNamespace(version_info=version, version="v"))
    assert doctor.python() == (True, "v")


@pytest.fixture
def pins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """A list of pins, and what is installed beside it."""
    (tmp_path / "requirements.txt").write_text(
        "# a comment\n\nhttpx2==2.0\nopenai==3.0\nonly-for-tests==1.0\nnowhere==1.0 ; sys_platform == 'amiga'\n",
        encoding="utf-8",
    )
    installed = {"httpx2": "2.0", "openai": "3.0", "only-for-tests": "1.0"}

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setattr(doctor.metadata, "version", version)
    monkeypatch.setattr(
        doctor.metadata, "requires", lambda _: ["httpx2>=2", "openai>=3", 'only-for-tests>=1; extra == "test"']
    )
    return installed


def test_packages_as_pinned_are_counted(pins: dict[str, str]) -> None:
    assert doctor.packages() == (True, "3 as pinned")


def test_packages_of_the_tests_may_be_missing(pins: dict[str, str]) -> None:
    del pins["only-for-tests"]
    assert doctor.packages() == (True, "2 as pinned (1 only for the tests are not installed)")


def test_another_version_and_a_missing_package_are_named_with_what_to_do(pins: dict[str, str]) -> None:
    pins["openai"] = "2.9"
    del pins["httpx2"]
    ok, text = doctor.packages()
    assert not ok
    assert "openai 2.9 instead of ==3.0" in text
    assert "httpx2 is missing" in text
    assert "lab.py" in text


def test_a_jupyter_without_this_python_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: Any, name: str) -> Any:
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", none)
    ok, text = doctor.kernel()
    assert (ok, "ipykernel install" in text) == (False, True)
    spec = SimpleNamespace(argv=["/usr/bin/another-python", "-m"], display_name="Another")
    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", lambda self, name: spec)
    ok, text = doctor.kernel()
    assert (ok, "another Python" in text) == (False, True)
    spec.argv[0] = sys.executable
    assert doctor.kernel() == (True, "Another")


def test_a_key_alone_is_told_how_to_become_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-for-another-program")
    ok, text = doctor.endpoint()
    assert ok
    assert "LLMLAB_MODEL" in text
    assert "a-key-for-another-program" not in text


def test_an_endpoint_that_does_not_answer_is_a_sentence(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    real = doctor.endpoint
    patch: pytest.MonkeyPatch = request.getfixturevalue("well")
    patch.setattr(doctor, "endpoint", real)
    patch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    patch.setenv("OPENAI_API_KEY", "a-very-secret-key-012345")
    patch.setenv("LLMLAB_MODEL", "m")
    assert doctor.run() == 1
    said = lines(capsys)["endpoint"]
    assert said.startswith("NOT  endpoint: A server has to answer at http://127.0.0.1:9/v1")
    assert "a-very-secret-key-012345" not in said


def test_node_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    ok, text = doctor.node()
    assert (ok, "nodejs" in text) == (False, True)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/bin/node")
    monkeypatch.setattr(doctor.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 0, "v20.1.0\n", ""))
    assert doctor.node() == (True, "v20.1.0")


def test_a_full_disk_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=100_000_000))
    assert doctor.disk() == (False, "0.1 GB free, but 0.5 GB are needed; make room")


def test_a_port_can_be_opened_here() -> None:
    ok, text = doctor.ports()
    assert ok
    assert "loopback can be used" in text
