"""JupyterHub for a class: one environment and one model for all, a folder of their own for each. README.md says how.

    LLMLAB_HUB_PASSWORD=… .venv/bin/jupyterhub -f teach/hub/jupyterhub_config.py

What can be set from outside: LLMLAB_HUB_PASSWORD (without it, the machine's own accounts log in), LLMLAB_HUB_USERS (names,
separated by commas, else everybody who can log in), LLMLAB_HUB_STATE (a folder for what the hub keeps), LLMLAB_HUB_ADDRESS.
The model is the one that `llmlab serve` would connect to with the variables that are set where the hub is started.
"""

import os
import secrets
import sys
from pathlib import Path

from classroom import proxy
from classroom.keys import key_for
from llmlab import settings

c = get_config()  # noqa: F821 (JupyterHub gives it)

STATE = Path(os.environ.get("LLMLAB_HUB_STATE", settings.ROOT / "work" / ".hub")).absolute()
STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
PASSWORD = os.environ.get("LLMLAB_HUB_PASSWORD")
USERS = {name.strip() for name in os.environ.get("LLMLAB_HUB_USERS", "").split(",")} - {""}
MODEL = os.environ.get("LLMLAB_HUB_MODEL", "http://127.0.0.1:8765")  # where the class's model answers, for this machine only


def kept(name: str) -> str:
    """A secret that stays the same when the hub is started again."""
    file = STATE / name
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(16), encoding="utf-8")
    return file.read_text(encoding="utf-8")


# The hub itself: one door to the outside, its own files in STATE.
c.JupyterHub.bind_url = os.environ.get("LLMLAB_HUB_ADDRESS", "http://127.0.0.1:8000")
c.JupyterHub.db_url = f"sqlite:///{STATE}/hub.sqlite"
c.JupyterHub.cookie_secret_file = str(STATE / "cookie_secret")
c.ConfigurableHTTPProxy.command = proxy.command()
c.ConfigurableHTTPProxy.pid_file = str(STATE / "proxy.pid")
c.Authenticator.allowed_users = USERS
c.Authenticator.allow_all = not USERS

if PASSWORD:  # for an afternoon, and for trying it out: all work as the one account that the hub runs in
    c.JupyterHub.authenticator_class = "shared-password"
    c.SharedPasswordAuthenticator.user_password = PASSWORD
    c.JupyterHub.spawner_class = "simple"
    c.SimpleLocalProcessSpawner.home_dir_template = str(STATE / "homes" / "{username}")
else:  # for a course: the hub runs as root, everybody in an account of their own
    c.JupyterHub.authenticator_class = "pam"
    c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"

# The class's model: one process for all, which the hub starts, and starts again should it end.
address, _, port = MODEL.removeprefix("http://").rpartition(":")
given = {name: value for name, value in os.environ.items() if name.startswith(("OPENAI_", "LLMLAB_", "HF_", "PIP_", "XDG_"))}
c.JupyterHub.services = [
    {
        "name": "model",
        "url": MODEL,
        "command": [sys.executable, "-m", "llmlab.cli", "serve", "--host", address, "--port", port],
        "cwd": str(settings.ROOT),
        "environment": {
            **{name: value for name, value in given.items() if not name.startswith("LLMLAB_HUB_")},
            "PATH": os.environ["PATH"],
            "LLMLAB_CLASS_KEY": kept("class.key"),
            "LLMLAB_TEACHER_KEY": kept("teacher.key"),
        },
    }
]


# Each user's server, with a key of its own for the model: nobody can ask it under another's name.
def lend_the_model(spawner):
    """Tell a user's server where the class's model is."""
    mine = key_for(kept("class.key"), spawner.user.name)
    spawner.environment = {
        **spawner.environment,
        "OPENAI_BASE_URL": f"{MODEL}/v1",
        "OPENAI_API_KEY": mine,
        "LLMLAB_CLASSROOM": f"{MODEL}/?key={mine}",
    }


c.Spawner.pre_spawn_hook = lend_the_model
c.Spawner.cmd = [sys.executable, "-m", "classroom.hub"]
c.Spawner.environment = {"PATH": os.environ["PATH"]}
if rule := os.environ.get("LLMLAB_SOLUTIONS"):
    c.Spawner.environment["LLMLAB_SOLUTIONS"] = rule
c.Spawner.env_keep = ["LANG", "LC_ALL", "JUPYTERHUB_SINGLEUSER_APP"]
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 120
