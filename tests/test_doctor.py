"""The doctor: a line for each thing, what to do where it is not right, and an exit code that can be relied on."""

import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

from llmlab import doctor, settings
from llmlab.llm import weights


def looked(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str]]:
    """The exit code, and what the doctor said of each thing; its last words under "end"."""
    code = doctor.run()
    *said, end = capsys.readouterr().out.splitlines()
    assert len(said) == len(doctor.CHECKS), "one line for each thing"
    return code, {**dict(zip(doctor.CHECKS, said, strict=True)), "end": end}


def breaks() -> doctor.Finding:
    raise ImportError("DLL load failed")


def test_each_check_is_a_line_and_what_is_needed_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = {"a": (lambda: (True, "well"), True), "b": (lambda: (False, "odd"), False)}
    monkeypatch.setattr(doctor, "CHECKS", checks)
    assert looked(capsys) == (0, {"a": "ok   a: well", "b": "note b: odd", "end": "The lab can run."})
    checks |= {"c": (lambda: (False, "full"), True), "d": (breaks, True), "e": (lambda: (True, "well"), True)}
    code, said = looked(capsys)
    assert (code, said["c"], said["d"], said["e"]) == (
        1,
        "NOT  c: full",
        "NOT  d: ImportError: DLL load failed",
        "ok   e: well",
    )
    assert said["end"].startswith("2 of these")


@pytest.mark.live
def test_this_machine_can_run_the_lab(box: object, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = looked(capsys)
    assert code == 0, said
    assert f"{weights.get('tiny').name} answered '" in said["model in the box"]
    assert "none configured" in said["endpoint"]
    assert said["packages"].endswith(sys.version.split()[0])


@pytest.mark.parametrize(
    ("variables", "lines"),
    [
        ({"LLMLAB_CACHE": "empty"}, {"model in the box": "llmlab fetch"}),
        ({"LLMLAB_TIMEOUT": "long"}, {"model in the box": "LLMLAB_TIMEOUT takes", "endpoint": "LLMLAB_TIMEOUT takes"}),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "LLMLAB_MODEL": "m"}, {"endpoint": "answer at http://127.0.0.1"}),
    ],
    ids=["no weights", "a bad setting", "nobody there"],
)
def test_what_is_broken_is_a_sentence_that_shows_no_key_and_nothing_is_changed(
    variables: dict[str, str],
    lines: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    checks = {name: check for name, check in doctor.CHECKS.items() if name in lines}
    monkeypatch.setattr(doctor, "CHECKS", checks)
    for name, value in {"OPENAI_API_KEY": "a-very-secret-key-012345", **variables}.items():
        monkeypatch.setenv(name, value)
    code, said = looked(capsys)
    assert code == 1
    for name, text in lines.items():
        assert said[name].startswith(f"NOT  {name}: ")
        assert text in said[name]
    assert "a-very-secret-key-012345" not in str(said)
    assert list(tmp_path.iterdir()) == []


def test_a_key_alone_is_told_how_to_become_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-for-another-program")
    ok, text = doctor.endpoint()
    assert (ok, "LLMLAB_MODEL" in text, "a-key-for-another-program" in text) == (True, True, False)


def test_another_version_and_a_missing_package_are_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pins = "# pins\nhttpx2==2.0 ; sys_platform != 'emscripten'\nopenai==3.0\nhugging-hub==1.2\nonly-for-tests==1.0\n"
    (tmp_path / "requirements.txt").write_text(pins, encoding="utf-8")
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    needs = ["httpx2>=2", "openai>=3,<4", "hugging_hub", 'only-for-tests>=1; extra == "test"']
    monkeypatch.setattr(metadata, "requires", lambda _: needs)
    installed = [SimpleNamespace(name=name, version=v) for name, v in (("httpx2", "2.0"), ("Hugging_Hub", "1.2"))]
    openai = SimpleNamespace(name="openai", version="3.0")
    monkeypatch.setattr(metadata, "distributions", lambda: [*installed, openai])
    assert doctor.packages()[0]
    openai.version = "2.9"
    del installed[0]
    ok, text = doctor.packages()
    assert (ok, "openai 2.9 instead of 3.0" in text, "httpx2 is missing" in text) == (False, True, True)
    assert "lab.py" in text


def test_a_jupyter_without_this_python_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    specs: list[Any] = []

    def find(self: Any, name: str) -> Any:
        if not specs:
            raise NoSuchKernel(name)
        return SimpleNamespace(argv=specs, display_name="Another")

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", find)
    for specs[:] in ([], ["/usr/bin/another-python", "-m"]):
        ok, text = doctor.kernel()
        assert (ok, "ipykernel install" in text) == (False, True)
    specs[:] = [sys.executable]
    assert doctor.kernel() == (True, "Another")
