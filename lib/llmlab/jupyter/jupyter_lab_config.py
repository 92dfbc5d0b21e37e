"""JupyterLab as the lab opens it. Found through JUPYTER_CONFIG_PATH, which `llmlab lab` sets."""

import os
from pathlib import Path

c = get_config()  # type: ignore[name-defined]  # noqa: F821
c.LabApp.default_url = "/lab/tree/work/00_start_here.ipynb"
c.LabApp.extension_manager = "readonly"
c.LabApp.custom_css = True  # custom/custom.css beside this file
c.ServerApp.tornado_settings = {"static_custom_path": [str(Path(__file__).parent / "custom")]}
c.LanguageServerManager.autodetect = False  # or the terminal lists two dozen language servers that are not there
if os.name != "nt":
    # ipykernel warns about unencrypted TCP between server and kernel; files of this user need none.
    c.KernelManager.transport = "ipc"
if hasattr(os, "geteuid") and os.geteuid() == 0:
    c.ServerApp.allow_root = True
