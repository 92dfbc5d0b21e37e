"""The model in the box: llama.cpp's real OpenAI-compatible server, inside this process, on loopback."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import secrets
import threading
from pathlib import Path
from typing import Any

from llmlab import merge, trace, weights
from llmlab.errors import WeightsError
from llmlab.settings import Settings

SLOTS = 4
SLOT_TOKENS = 4096
LOOP_SECONDS = 60
CAPABILITIES = frozenset({"tools", "json_schema", "logprobs"})

# The template inside the GGUF ignores `tools` and adds a system message of its own. This one adds nothing that the
# reader did not send, and asks for tool calls in the Hermes form, which llama.cpp parses into OpenAI `tool_calls`. It
# shows a tool as a signature, `get_order(order: integer): Look up an order.`, in less than half the tokens of its schema:
# it is read in less time, and more tools fit into the context. Limits of a value (from 1 to 60, a pattern) are not shown: the
# tool checks them and answers with a sentence.
TEMPLATE = """\
{%- macro kind(given, defs, depth) -%}
{%- set p = defs.get((given.get('$ref') or '').split('/')[-1]) or given -%}
{%- if p.enum -%}{% for value in p.enum %}{{ value | tojson }}{{ '' if loop.last else ' or ' }}{% endfor %}
{%- elif (p.type or '') in ['string', 'integer', 'number', 'boolean', 'null'] -%}{{ p.format or p.type }}
{%- elif p.get('items') -%}list of {{ kind(p.get('items'), defs, depth + 1) }}
{%- elif p.anyOf -%}{% for one in p.anyOf %}{{ kind(one, defs, depth + 1) }}{{ '' if loop.last else ' or ' }}{% endfor %}
{%- elif p.properties and depth < 3 -%}{ {%- for name in p.properties -%}
"{{ name }}": {{ kind(p.properties[name], defs, depth + 1) }}{{ '' if loop.last else ', ' }}{%- endfor -%} }
{%- elif (p.type or '') == 'object' -%}object
{%- else -%}{{ p | tojson }}{%- endif -%}
{%- endmacro -%}
{%- if tools -%}<|im_start|>system
You can call tools. Tools:
{% for t in tools -%}
{%- set schema = t.function.parameters or {} -%}
{%- set names = schema.properties or {} -%}
{%- set defs = schema.get('$defs') or {} -%}
{{ t.function.name }}(
{%- for name in names -%}
{{ name }}{{ '' if name in (schema.required or []) else '?' }}: {{ kind(names[name], defs, 0) }}{{ ' = ' ~ (names[name].default | tojson) if names[name].default else '' }}{{ '' if loop.last else ', ' }}
{%- endfor -%}
): {{ t.function.description }}
{% for name in names -%}
{%- if names[name].description -%}
{{ '  ' }}{{ name }}: {{ names[name].description }}
{% endif -%}
{%- endfor -%}
{%- endfor -%}
To call one, answer <tool_call>{"name": ..., "arguments": {...}}</tool_call>. If no tool fits, answer in words.<|im_end|>
{% endif -%}
{%- for m in messages -%}<|im_start|>{{ m.role }}
{% if m.content %}{{ m.content }}{% endif %}{% for c in m.tool_calls or [] %}<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}"""


class Embedded:
    """A running server: `base_url` and `api_key` for any OpenAI client, `provenance` for the trace.

    It listens on 127.0.0.1 only, wants a random key, lets no web page in, and ends with the process or `stop()`.
    """

    def __init__(
        self,
        gguf: Path,
        adapter: Path | None,
        threads: int,
        name: str,
        template: str | None = TEMPLATE,
        merged: Path | None = None,
    ):
        # Imported here: a kernel that replays a recording or talks to an endpoint needs no engine.
        # The engine's threads spin while they wait for each other. Two chapters that run at once on two cores then starve
        # each other (measured: under 5 tokens/s each); with short spins they share (40 each), and one alone loses little.
        os.environ.setdefault("GOMP_SPINCOUNT", "100")
        import xllamacpp

        for file in (gguf, adapter):
            if file is not None and not file.is_file():
                raise WeightsError(
                    f"LLMLAB_GGUF and LLMLAB_ADAPTER take a GGUF file, but there is no {file}; correct the path."
                )
            if file is not None and not _is_gguf(file):
                raise WeightsError(f"{file.name} has to be a GGUF file, but does not begin as one; fetch it again.")
        self.api_key = trace.hide(secrets.token_urlsafe(24))
        params = xllamacpp.CommonParams()
        params.model.path = str(merged or gguf)
        params.model_alias = {name}
        params.n_ctx, params.n_parallel = SLOTS * SLOT_TOKENS, SLOTS
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.cpuparams.poll = params.cpuparams_batch.poll = 0  # the same for its own thread pool
        params.hostnames, params.port = ["127.0.0.1"], 0
        params.api_keys = [self.api_key]
        params.cors_origins = "http://127.0.0.1"
        params.ui = False
        params.endpoint_slots = params.endpoint_metrics = True
        params.cache_ram_mib = 32  # llama.cpp would keep up to 8 GiB of old prompts
        params.verbosity = -1
        if template is not None:
            params.use_jinja, params.chat_template = True, template
        if adapter is not None and merged is None:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
        try:
            self._server: Any = xllamacpp.Server(params)
        except Exception as error:
            raise WeightsError(
                f"llama.cpp takes whole GGUF files of a kind it knows, but could not load {gguf.name}"
                f"{f' with the adapter {adapter.name}' if adapter else ''}; fetch it again, or name another file."
            ) from error
        self.base_url = f"{self._server.listening_address}/v1"
        self._await_its_loop()
        self.name = name
        self.provenance = {
            "llmlab.weights.file": gguf.name,
            "llmlab.weights.sha256": weights.sha256_of(gguf)[:16],
            "llmlab.adapter.sha256": weights.sha256_of(adapter)[:16] if adapter else "none",
            "llmlab.adapter.merged": merged is not None if adapter else None,
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


def start(settings: Settings) -> Embedded:
    """Start the model in the box, or return it if it runs: one server for each pair of weights and adapter.

    llama.cpp can also switch an adapter off for one request, but then takes prompts from its cache that the other had
    computed (seen with xllamacpp 2026.10.11549), and the answers of both get mixed.
    """
    gguf, adapter = settings.gguf or weights.find(weights.BOX, settings.cache), settings.adapter
    with _starting:
        if (gguf, adapter) not in _running:
            name = weights.BOX.name if settings.gguf is None else gguf.stem
            # Another model keeps the template that its maker put inside.
            template = TEMPLATE if settings.gguf is None else None
            # A larger model of the reader's is left as it is: its copy would fill the disk.
            merged = merge.merged(gguf, adapter, settings.cache) if adapter and settings.gguf is None else None
            try:
                made = Embedded(gguf, adapter, settings.threads, name, template, merged)
            except WeightsError:
                if merged is None:
                    raise
                with contextlib.suppress(OSError):  # damaged since it was made; it may be there to read only
                    merged.unlink()
                made = Embedded(gguf, adapter, settings.threads, name, template)
            _running[gguf, adapter] = made
        return _running[gguf, adapter]


def stop_all() -> None:
    """Stop every server that `start` started."""
    while _running:
        _running.popitem()[1].stop()
