"""The model in the box: llama.cpp's real OpenAI-compatible server, on loopback.

It runs inside this process, or, where `llmlab lab` has started one for all open chapters (`llmlab.llm.shared`), there.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import secrets
import threading
from pathlib import Path
from typing import Any

from llmlab import redaction
from llmlab.errors import WeightsError
from llmlab.llm import shared, weights
from llmlab.settings import DATA, Settings

SLOTS = 4  # requests that are answered side by side
SLOT_TOKENS = 8192  # the context of each
BATCH_TOKENS = 512  # read in one go
CACHE_MIB = 128  # of prompts whose slot has gone to another conversation; llama.cpp would keep up to 8 GiB
LOOP_SECONDS = 60
CAPABILITIES = frozenset({"tools", "json_schema", "logprobs"})

# The templates inside the catalogue's files do not lead to tool calls: the Qwen models write a call as a block of JSON,
# whatever their own template asks for, and the small one's knows no tools. Chapter 04 shows this one and says why it is so.
TEMPLATE = (DATA / "chat_template.jinja").read_text(encoding="utf-8")


class Embedded:
    """A running server: `base_url` and `api_key` for any OpenAI client, `provenance` for the trace.

    It listens on 127.0.0.1 only, wants a random key, lets no web page in, and ends with the process or `stop()`.
    """

    def __init__(
        self,
        gguf: Path,
        threads: int,
        name: str,
        template: str | None = TEMPLATE,
        sha256: str | None = None,
        adapter: Path | None = None,
    ):
        # Imported here: a kernel that replays a recording or talks to an endpoint needs no engine.
        # The engine's threads spin while they wait for each other. Two servers that run at once on two cores then starve
        # each other (measured: under 5 tokens/s each); with short spins they share, and one alone loses little.
        os.environ.setdefault("GOMP_SPINCOUNT", "100")
        import xllamacpp

        if not gguf.is_file():
            raise WeightsError(f"LLMLAB_GGUF takes a GGUF file, but there is no {gguf}; correct the path.")
        if not _is_gguf(gguf):
            raise WeightsError(f"{gguf.name} has to be a GGUF file, but does not begin as one; fetch it again.")
        self.name, self.api_key = name, redaction.hide(secrets.token_urlsafe(24))
        params = xllamacpp.CommonParams()
        params.model.path, params.model_alias = str(gguf), {name}
        # Read into memory, not mapped: the engine keeps a repacked copy of most weights, and mapped pages would count twice.
        params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
        params.n_ctx, params.n_parallel = SLOTS * SLOT_TOKENS, SLOTS
        params.n_ubatch, params.cache_ram_mib = BATCH_TOKENS, CACHE_MIB
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.cpuparams.poll = params.cpuparams_batch.poll = 0  # short spins for its own thread pool, too
        params.hostnames, params.port = ["127.0.0.1"], 0
        params.api_keys, params.cors_origins = [self.api_key], "http://127.0.0.1"
        params.ui, params.verbosity = False, -1
        params.endpoint_slots = params.endpoint_metrics = True
        if template is not None:
            params.use_jinja, params.chat_template = True, template
        if adapter is not None:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
        try:
            self._server: Any = xllamacpp.Server(params)
        except Exception as error:
            raise WeightsError(
                f"llama.cpp takes whole GGUF files of a kind it knows, but could not load {gguf.name}; fetch it again, "
                f"or name another file."
            ) from error
        self.base_url = f"{self._server.listening_address}/v1"
        self._await_its_loop()
        self.provenance = {
            "llmlab.weights.file": gguf.name,
            "llmlab.weights.sha256": (sha256 or weights.sha256_of(gguf))[:16],
            "llmlab.adapter.sha256": weights.sha256_of(adapter)[:16] if adapter else None,
            "llmlab.template.sha256": hashlib.sha256(template.encode()).hexdigest()[:16] if template else None,
            "llmlab.context_tokens": SLOT_TOKENS,
        }

    def _await_its_loop(self) -> None:
        """Ask something that llama.cpp's main loop answers. Stopped before that loop runs, the server would never end: it
        waits for the loop, which has missed the signal (seen with xllamacpp 2026.10.11549)."""
        connection = http.client.HTTPConnection(self.base_url.split("/")[2], timeout=LOOP_SECONDS)
        try:
            connection.request("GET", "/slots", headers={"Authorization": f"Bearer {self.api_key}"})
            connection.getresponse().read()
        except OSError as error:
            raise WeightsError(
                f"llama.cpp has {LOOP_SECONDS} seconds to begin its work, but did not ({error}); restart the kernel."
            ) from error
        finally:
            connection.close()

    def stop(self) -> None:
        """Free the model's memory and close the port."""
        self._server = None


def _is_gguf(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(4) == b"GGUF"


_running: dict[tuple[Path, Path | None], Embedded] = {}
_starting = threading.Lock()  # `connect` starts it in a thread; two at once have to get the same


def start(settings: Settings) -> Embedded | shared.Shared:
    """The model in the box: the lab's shared server where it serves this model, else one in this process, which is started
    once for each file, with and without an adapter."""
    chosen = None if settings.gguf else weights.choose(settings.box, settings.cache)[0]
    adapter = settings.adapter if chosen and chosen.key == "standard" else None
    if chosen and adapter is None and (found := shared.find(chosen.key)):  # the lab serves each size as it comes
        redaction.hide(found.api_key)
        return found
    gguf = settings.gguf or weights.find(chosen or weights.get("standard"), settings.cache)
    with _starting:
        if (gguf, adapter) not in _running:
            # Another model keeps the template that its maker put inside.
            if chosen:
                made = Embedded(gguf, settings.threads, chosen.name, TEMPLATE, chosen.sha256, adapter)
            else:
                made = Embedded(gguf, settings.threads, gguf.stem, template=None)
            _running[gguf, adapter] = made
        return _running[gguf, adapter]


def stop_all() -> None:
    """Stop every server that `start` started in this process."""
    while _running:
        _running.popitem()[1].stop()
