"""The doctor: a line for each thing, what to do where it is not right, and an exit code that can be relied on."""

import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager

from llmlab import doctor, settings
from llmlab.llm import weights


def well() -> doctor.Finding:
    return True, "well"


def odd() -> doctor.Finding:
    return None, "odd"


def broken() -> doctor.Finding:
    raise ImportError("DLL load failed")


def test_each_check_is_a_line_and_what_is_needed_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", [well, odd])
    assert doctor.run() == 0
    assert capsys.readouterr().out.splitlines() == ["ok   well: well", "note odd: odd", "The lab can run."]
    monkeypatch.setattr(doctor, "CHECKS", [broken, well])
    assert doctor.run() == 1
    first, second, end = capsys.readouterr().out.splitlines()
    assert (first, second) == ("NOT  broken: ImportError: DLL load failed", "ok   well: well")
    assert end.startswith("1 of these")


@pytest.mark.live
def test_this_machine_can_run_the_lab(box: object, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = doctor.run(), capsys.readouterr().out
    assert code == 0, said
    assert len(said.splitlines()) == len(doctor.CHECKS) + 1, "one line for each thing"
    for text in (f"{weights.get('tiny').name} answered '", "none configured", sys.version.split()[0]):
        assert text in said


@pytest.mark.parametrize(
    ("variables", "check", "sentence"),
    [
        ({"LLMLAB_CACHE": "empty"}, doctor.box, "llmlab fetch"),
        ({"LLMLAB_TIMEOUT": "long"}, doctor.box, "LLMLAB_TIMEOUT takes"),
        ({"LLMLAB_TIMEOUT": "long"}, doctor.endpoint, "LLMLAB_TIMEOUT takes"),
        (
            {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "LLMLAB_MODEL": "m"},
            doctor.endpoint,
            "at http://127.0.0.1:9/v1",
        ),
        ({}, doctor.endpoint, "name a model in LLMLAB_MODEL"),
    ],
)
def test_a_finding_is_a_sentence_that_shows_no_key_and_nothing_is_changed(
    variables: dict[str, str],
    check: Any,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "CHECKS", [check])
    for name, value in {"OPENAI_API_KEY": "a-very-secret-key-012345", **variables}.items():
        monkeypatch.setenv(name, value)
    assert doctor.run() == (1 if variables else 0)
    said = capsys.readouterr().out
    assert (sentence in said, "a-very-secret-key-012345" in said) == (True, False)
    assert list(tmp_path.iterdir()) == []


def test_another_version_a_missing_package_and_another_python_are_found_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pins = "# pins\nhttpx2==2.0 ; sys_platform != 'emscripten'\nopenai==3.0\nhugging-hub==1.2\nonly-for-tests==1.0\n"
    (tmp_path / "requirements.txt").write_text(pins, encoding="utf-8")
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    needs = ["httpx2>=2", "openai>=3,<4", "hugging_hub", 'only-for-tests>=1; extra == "test"']
    monkeypatch.setattr(metadata, "requires", lambda _: needs)
    versions = {"httpx2": "2.0", "Hugging_Hub": "1.2", "openai": "3.0"}
    there = [SimpleNamespace(name=name, version=version) for name, version in versions.items()]
    monkeypatch.setattr(metadata, "distributions", lambda: there)
    assert doctor.packages()[0]
    there[:] = [there[1], SimpleNamespace(name="openai", version="2.9")]
    ok, text = doctor.packages()
    assert (ok, "openai 2.9 instead of 3.0" in text, "httpx2 missing" in text) == (False, True, True)
    assert "lab.py" in text
    spec = SimpleNamespace(argv=["/usr/bin/another-python", "-m"], display_name="Another")
    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", lambda self, name: spec)
    ok, text = doctor.kernel()
    assert (ok, "ipykernel install" in text) == (False, True)
    spec.argv[0] = sys.executable
    assert doctor.kernel() == (True, "Another")
