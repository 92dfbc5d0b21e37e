"""What is in place and what is not, a line each, with what to do."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from importlib import metadata
from typing import Literal

import psutil
from jupyter_client.kernelspec import KernelSpecManager

from llmlab import connect, settings
from llmlab.errors import LabError
from llmlab.llm import weights

Finding = tuple[bool | None, str]  # whether all is well (None: not quite, and the lab can run), and a sentence


def packages() -> Finding:
    """The installed versions of what the lab imports against the pins."""
    listed = (settings.ROOT / "requirements.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", listed, re.M))
    there = {found.name.lower().replace("_", "-"): found.version for found in metadata.distributions()}
    lines = [line for line in metadata.requires("llmlab") or [] if "extra ==" not in line]
    needed = [re.split(r"[^\w-]", line)[0].replace("_", "-") for line in lines]
    odd = [f"{n} {there.get(n, 'missing')} instead of {pins[n]}" for n in needed if there.get(n) != pins[n]]
    if odd:
        return False, f"{'; '.join(odd[:4])}; run `python lab.py` again, or pip install -c requirements.txt -e ."
    return True, f"{len(needed)} as pinned, on Python {sys.version.split()[0]}"


def kernel() -> Finding:
    """Whether Jupyter finds a Python kernel that is this Python."""
    spec = KernelSpecManager().get_kernel_spec("python3")
    command = spec.argv[0]
    if command in ("python", "python3") or os.path.realpath(command) == os.path.realpath(sys.executable):
        return True, spec.display_name
    return False, "Jupyter's kernel python3 is another Python; run `python -m ipykernel install --sys-prefix`"


def machine() -> Finding:
    """Memory, cores and room, and the size of the model in the box that fits them."""
    config = settings.load()
    chosen, why = weights.choose(config.box, config.cache)
    memory, free = psutil.virtual_memory().total / 1e9, shutil.disk_usage(settings.ROOT).free / 1e9
    has = f"{memory:.0f} GB of memory, {psutil.cpu_count()} cores, {free:.1f} GB of disk free"
    return None if why else True, f"{has}; {why or f'the {chosen.key} model fits'}"


def box() -> Finding:
    """Whether the model in the box is whole, loads and answers."""
    return asyncio.run(_ask("embedded"))


def endpoint() -> Finding:
    """Whether the configured endpoint answers."""
    config = settings.load()
    if config.uses_endpoint:
        return asyncio.run(_ask("endpoint"))
    spare = " (OPENAI_API_KEY is set; name a model in LLMLAB_MODEL to use it)" if config.api_key else ""
    return True, f"none configured, the model in the box is used{spare}"


async def _ask(source: Literal["embedded", "endpoint"]) -> Finding:
    model = await connect(source)
    try:
        reply = await model.chat("What is the capital of France?", max_tokens=20)
    finally:
        await model.aclose()
    return bool(reply.text), f"{model.name} answered {reply.text!r} in {reply.seconds:.1f} s"


CHECKS = [packages, kernel, machine, box, endpoint]
SIGNS = {True: "ok  ", None: "note", False: "NOT "}


def run() -> int:
    """Print a line for each check; returns 0 only when the lab can run."""
    broken = 0
    for check in CHECKS:
        try:
            ok, text = check()
        except Exception as error:  # whatever is broken, the doctor says so, and goes on to the next check
            ok, text = False, str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
        broken += ok is False
        print(f"{SIGNS[ok]} {check.__name__}: {text}")
    print("The lab can run." if not broken else f"{broken} of these must be mended first.")
    return min(broken, 1)
