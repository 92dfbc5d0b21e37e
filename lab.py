"""Set everything up and open the lab: `python3 lab.py`. Set everything up and run all tests: `python3 lab.py test`.

Needs Python 3.11 to 3.13 and nothing else; everything goes into .venv beside this file. What follows `lab.py` is handed
to the `llmlab` command (`python3 lab.py doctor`). A second call finds all in place and starts at once. `--model small`
chooses another size of the model in the box (standard, small, tiny); `--from FOLDER` takes packages and weights from a
stick that `llmlab pack` has filled, without a network.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
SIZES = ("standard", "small", "tiny")
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main(arguments: list[str]) -> int:
    """Set up what is missing, then run the command; returns its exit code."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        return fail(
            f"LLM Lab runs on Python 3.11 to 3.13, but this is {sys.version.split()[0]}; start lab.py with one of them."
        )
    if arguments[:1] == ["--model"]:
        if arguments[1:2] not in [[size] for size in SIZES]:
            return fail(f"--model takes {', '.join(SIZES)}, but got {' '.join(arguments[1:2]) or 'nothing'}; name one.")
        os.environ["LLMLAB_BOX"] = arguments[1]
        arguments = arguments[2:]
    stick = None
    if arguments[:1] == ["--from"]:
        stick = Path(*arguments[1:2]).expanduser().absolute()
        if not (stick / "wheels").is_dir():
            return fail(
                f"--from takes a folder that `llmlab pack` has filled, but there is no {stick / 'wheels'}; name it."
            )
        arguments = arguments[2:]
    testing = arguments[:1] == ["test"]
    # The tests ask the smallest model, and fetch what else they need.
    fetch: list[str | None] = [] if arguments[:1] == ["fetch"] else ["tiny"] if testing else [None]
    if problem := set_up("test" if testing else "lab", fetch, stick):
        return fail(problem)
    command = ["-m", "pytest", *arguments[1:]] if testing else ["-m", "llmlab.cli", *(arguments or ["lab"])]
    try:
        return subprocess.call([PYTHON, *command], cwd=ROOT)
    except KeyboardInterrupt:
        return 130


def set_up(level: str, fetch: list[str | None], stick: Path | None = None) -> str | None:
    """Make .venv, install the pinned packages, fetch weights (None: the size that fits), from a stick if there is one;
    returns what went wrong, if something did."""
    if subprocess.call([PYTHON, "-c", ""], stderr=subprocess.DEVNULL) if PYTHON.exists() else True:
        print("Making .venv …", flush=True)
        if subprocess.call([sys.executable, "-m", "venv", "--clear", VENV]):
            return "Python could not make .venv; install its venv module (Debian, Ubuntu: apt install python3-venv) and try again."
    listed = b"".join((ROOT / name).read_bytes() for name in ("requirements.txt", "pyproject.toml"))
    stamp = VENV / f"set-up-for-{level}"
    found = hashlib.sha256(listed + str(ROOT).encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != found:
        print(f"Installing the packages of requirements.txt for {level!r}: a minute or two, once …", flush=True)
        wanted = ".[test]" if level == "test" else "."
        install = [
            str(PYTHON),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-c",
            "requirements.txt",
            "-e",
        ]
        # What the reader has set for other installations (PIP_USER, PIP_TARGET, PIP_PREFIX) does not hold for this one.
        own = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
        if stick:
            own |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(stick / "wheels")}
        env = {k: v for k, v in os.environ.items() if k not in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")} | own
        done = subprocess.run(
            [*install, wanted], cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or done.stderr.splitlines()
            print(done.stderr, file=sys.stderr)
            why = said[-1].removeprefix("ERROR: ") if said else f"it ended with code {done.returncode}"
            return f"pip could not install the packages: {why.rstrip('.')}. When that is mended, start again."
        stamp.write_text(found)
    for size in fetch:
        command = [str(PYTHON), "-m", "llmlab.cli", "fetch", "--if-missing", *([size] if size else [])]
        command += ["--from", str(stick / "weights")] if stick else []
        if subprocess.call(command, cwd=ROOT):
            print("Going on without the model in the box.", flush=True)
    return None


def fail(sentence: str) -> int:
    """Print one sentence; returns the exit code for failure."""
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    # What goes to a file or a pipe on Windows is not UTF-8: a sign that its code page lacks must not end the set-up.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    os.environ.setdefault("PYTHONIOENCODING", ":replace")
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(fail("Stopped. Start again, and it goes on from here."))
