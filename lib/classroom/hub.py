"""What a JupyterHub starts for each user (`python -m classroom.hub`): JupyterLab as `llmlab lab` sets it up, in a folder of
the user's own. The kit is shared and may be read-only; the model is the class's.

It runs as the user, so that laying out the chapters needs no rights over other people's folders, whatever the spawner.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir

from llmlab import cli, notebooks

LONGEST = 55  # letters of the folder of kernels' sockets: their paths have 50 more, and at most 107
START = "/lab/tree/work/00_start_here.ipynb"


def prepare(home: Path) -> list[str]:
    """Lay out llmlab/work in a user's home, set the environment of kernels and terminals; returns JupyterLab's options."""
    folder = home / "llmlab"
    folder.mkdir(exist_ok=True)
    notebooks.lay_out(folder / "work")
    own = {
        "LLMLAB_WORK": folder / "work",
        "LLMLAB_ENV_FILE": folder / ".env",
    }
    os.environ |= {name: str(path) for name, path in own.items()}
    for name, first in {"PATH": Path(sys.executable).parent, "JUPYTER_CONFIG_PATH": cli.JUPYTER}.items():
        os.environ[name] = os.pathsep.join(filter(None, [str(first), os.environ.get(name)]))
    os.environ.setdefault("JUPYTERHUB_DEFAULT_URL", START)
    if len(jupyter_runtime_dir()) > LONGEST:
        os.environ["JUPYTER_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="lab-")
    os.chdir(folder)
    style = f"--ServerApp.tornado_settings={{'static_custom_path': {[str(cli.JUPYTER / 'custom')]}}}"
    return ["--KernelManager.transport=ipc", style, *(["--allow-root"] if os.geteuid() == 0 else [])]


def main() -> None:
    """Become the user's server."""
    options = prepare(Path.home())
    os.execv(sys.executable, [sys.executable, "-m", "jupyterhub.singleuser", *options, *sys.argv[1:]])


if __name__ == "__main__":
    main()
