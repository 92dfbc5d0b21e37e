"""An adapter summed into the weights it was made for, once, so that no token pays for it again."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

from llmlab import weights

KEPT_DAYS = 30  # how long an unused file stays in the cache; each is 136 MB


def merged(gguf: Path, adapter: Path, cache: Path) -> Path | None:
    """The weights with a LoRA adapter in them, as a GGUF file in the cache; made, in some four seconds, if it is not there.

    W + alpha / rank * B A (E. Hu and others, arXiv:2106.09685, section 4.1). Measured on two cores, llama.cpp writes with it
    as fast as without an adapter, and at 0.7 of that where it multiplies by B and A at every token. None where the file cannot
    be made; llama.cpp then does that, or says what is wrong with the adapter.
    """
    try:
        name = f"{gguf.stem}+{weights.sha256_of(adapter)[:12]}.gguf"
        folder = cache / "merged" / weights.sha256_of(gguf)[:12]
        target = folder / name
        if not target.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder) as part:
                made = _write(gguf, adapter, Path(part) / name)
                # Where another process was quicker and has its file open, Windows refuses; both files are the same.
                with contextlib.suppress(PermissionError):
                    made.replace(target)
    except Exception:  # no room, a cache that cannot be written; and for a damaged file `gguf` raises whatever comes
        return None
    with contextlib.suppress(OSError):  # a cache that a whole class shares may be there to read only
        os.utime(target)
        _tidy(folder)
    return target


def _tidy(folder: Path) -> None:
    for old in folder.rglob("*.gguf"):  # in the folders, too, that a killed process has left
        if time.time() - old.stat().st_mtime > KEPT_DAYS * 24 * 3600:
            old.unlink()


def _write(gguf: Path, adapter: Path, target: Path) -> Path:
    # Imported here: needed once for each adapter.
    from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, quants

    def values(tensor):  # type: ignore[no-untyped-def]  # gguf's tensors have no type of their own
        return quants.dequantize(tensor.data, tensor.tensor_type)

    base, lora = GGUFReader(gguf), GGUFReader(adapter)
    if lora.fields["adapter.type"].contents() != "lora":
        raise ValueError("an adapter of another kind")
    parts = {tensor.name: tensor for tensor in lora.tensors}
    writer = GGUFWriter(target, base.fields["general.architecture"].contents())
    for name, entry in base.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":  # the writer's own
            inner = entry.types[-1] if entry.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(name, entry.contents(), entry.types[0], inner)
    for tensor in base.tensors:
        down, up = (parts.pop(f"{tensor.name}.lora_{half}", None) for half in "ab")
        if down is None or up is None:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
            continue
        a, b = values(down), values(up)
        scale = lora.fields["adapter.lora.alpha"].contents() / len(a)
        # At 8 bits: at the 4 of the weights, rounding would take away a part of what the adapter learned.
        kind = GGMLQuantizationType.Q8_0
        writer.add_tensor(tensor.name, quants.quantize(values(tensor) + scale * (b @ a), kind), raw_dtype=kind)
    if parts:
        raise ValueError(f"made for other weights: {next(iter(parts))} has no place in these")
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    return target
