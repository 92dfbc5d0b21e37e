"""Write a trained adapter as GGUF, as llama.cpp loads it: `python lib/tuning/convert.py build/adapter data/adapter/lab.gguf`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
HEADS = {"self_attn.q_proj": 9, "self_attn.k_proj": 3}  # of SmolLM2-135M


def permuted(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows in the order that llama.cpp's own converter gives to q and k of this architecture (rotary halves interleaved)."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def main() -> None:
    """Convert one adapter, in float16."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trained", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    config = json.loads((args.trained / "adapter_config.json").read_text(encoding="utf-8"))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(str(args.out), "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(config["lora_alpha"]))
    for name, values in sorted(load_file(args.trained / "adapter_model.safetensors").items()):
        layer, rest = name.split(".layers.")[1].split(".", 1)
        module, half = rest.removesuffix(".weight").rsplit(".lora_", 1)
        values = values.astype(np.float32)
        if half == "B" and module in HEADS:
            values = permuted(values, HEADS[module])
        values = np.ascontiguousarray(values.astype(np.float16))
        writer.add_tensor(f"blk.{layer}.{NAMES[module]}.weight.lora_{half.lower()}", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{args.out}: {args.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
