"""The model in the box: llama.cpp's real OpenAI-compatible server, on loopback.

It runs inside this process, or, where `llmlab lab` has started one for all open chapters (`llmlab.llm.shared`), there.
"""

import hashlib
import os
import secrets
import shutil
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import httpx2

from llmlab import redaction, settings
from llmlab.errors import LabError, WeightsError
from llmlab.llm import shared, weights

SLOTS = 4  # requests that are answered side by side
SLOT_TOKENS = 8192  # the context of each
BATCH_TOKENS = 512  # read in one go
CACHE_MIB = 128  # of prompts whose slot has gone to another conversation; llama.cpp would keep up to 8 GiB
ADAPTERS = {"standard": settings.DATA / "adapter" / "tools.gguf"}  # what it was taught: data/adapter/README.md
CAPABILITIES = frozenset({"tools", "json_schema", "logprobs"})

# The templates inside the catalogue's files do not lead to tool calls: the Qwen models write a call as a block of JSON,
# whatever their own template asks for, and the small one's knows no tools. Chapter 04 shows this one and says why it is so.
TEMPLATE = (settings.DATA / "chat_template.jinja").read_text(encoding="utf-8")


class Embedded(shared.Server):
    """A server in this process. It listens on 127.0.0.1 only, wants a random key, lets no web page in, and ends with the
    process or `stop()`."""

    def __init__(
        self,
        gguf: Path,
        threads: int,
        name: str,
        template: str | None = TEMPLATE,
        sha256: str | None = None,
        adapter: Path | None = None,
    ):
        # The engine's threads spin while they wait for each other. Two servers that run at once on two cores then starve
        # each other (measured: under 5 tokens/s each); with short spins they share, and one alone loses little.
        os.environ.setdefault("GOMP_SPINCOUNT", "100")
        import xllamacpp  # here: a kernel that replays a recording or talks to an endpoint needs no engine

        key = redaction.hide(secrets.token_urlsafe(24))
        params = xllamacpp.CommonParams()
        params.model.path, params.model_alias = str(gguf), {name}
        # Read into memory, not mapped: the engine keeps a repacked copy of most weights, and mapped pages would count twice.
        params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
        params.n_ctx, params.n_parallel = SLOTS * SLOT_TOKENS, SLOTS
        params.n_ubatch, params.cache_ram_mib = BATCH_TOKENS, CACHE_MIB
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.cpuparams.poll = params.cpuparams_batch.poll = 0  # short spins for its own thread pool, too
        params.hostnames, params.port = ["127.0.0.1"], 0
        params.api_keys, params.cors_origins = [key], "http://127.0.0.1"
        params.ui, params.verbosity = False, -1
        params.endpoint_slots = params.endpoint_metrics = True
        if template is not None:
            params.use_jinja, params.chat_template = True, template
        if adapter is not None:
            # Loaded, and not in use: a request that offers tools asks for it (`Model.chat`).
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 0.0)]
        try:
            self._server: Any = xllamacpp.Server(params)
            # Stopped before its main loop runs, the server would wait for that loop for ever (seen with xllamacpp
            # 2026.10.11549): ask for something that only the loop answers.
            slots, headers = f"{self._server.listening_address}/slots", {"authorization": f"Bearer {key}"}
            httpx2.get(slots, headers=headers, timeout=60, trust_env=False)
        except Exception as error:
            failed = f"{gguf.name} with {adapter.name}" if adapter else gguf.name
            failed = f"could not load {failed} ({error})"
            raise WeightsError(f"llama.cpp takes whole GGUF files it knows, but {failed}; fetch it again.") from error
        provenance = {
            "llmlab.weights.file": gguf.name,
            "llmlab.weights.sha256": (sha256 or weights.sha256_of(gguf))[:16],
            "llmlab.adapter.sha256": weights.sha256_of(adapter)[:16] if adapter else None,
            "llmlab.template.sha256": hashlib.sha256(template.encode()).hexdigest()[:16] if template else None,
            "llmlab.context_tokens": SLOT_TOKENS,
        }
        address = f"{self._server.listening_address}/v1"
        super().__init__(address, key, name, provenance)

    def stop(self) -> None:
        """Free the model's memory and close the port."""
        self._server = None


_running: dict[Path, Embedded] = {}
_starting = threading.Lock()  # `connect` starts it in a thread; two at once have to get the same


def start(config: settings.Settings) -> shared.Server:
    """The model in the box: the lab's shared server where it serves this model, else one in this process, which is started
    once for each file."""
    about: dict[str, Any]
    if config.gguf:  # another model keeps the template that its maker put inside
        file, about = config.gguf, {"name": config.gguf.stem, "template": None, "adapter": None}
    else:
        chosen = weights.choose(config.box, config.cache)[0]
        if found := shared.find(chosen.key):
            redaction.hide(found.api_key)
            return found
        file = weights.find(chosen, config.cache)
        about = {"name": chosen.name, "sha256": chosen.sha256, "adapter": ADAPTERS.get(chosen.key)}
    with _starting:
        if file not in _running:
            _running[file] = Embedded(file, config.threads, **about)
        return _running[file]


def stop_all() -> None:
    """Stop every server that `start` started in this process."""
    while _running:
        _running.popitem()[1].stop()


def serve(box: str, file: str) -> None:
    """The shared server's process: load the model, say where it answers, end when the parent's end of the pipe closes."""
    state = Path(file)

    def end(_: bytes = b"") -> None:
        shutil.rmtree(state.parent, ignore_errors=True)
        os._exit(0)  # at once: an answer that is being written has no reader any more

    shared.write(state, box=box)
    threading.Thread(target=lambda: end(sys.stdin.buffer.read()), daemon=True).start()
    os.environ.pop(shared.VARIABLE, None)  # of a lab in whose terminal this one was opened
    try:
        shared.write(state, box=box, served=asdict(start(replace(settings.load(), box=box, gguf=None))))
    except LabError:
        end()  # each kernel then starts its own, and its reader is told what is wrong
    threading.Event().wait()
