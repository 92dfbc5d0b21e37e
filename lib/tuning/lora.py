"""LoRA (E. Hu and others, arXiv:2106.09685) as one matrix product: the adapter's share is added to the weight first.

`peft` adds it to the output, by two thin products more at each matrix. On a CPU these, the attention's backward pass and
the many small operations between them took longer than the products that matter; so the attention is written out here too.
Measured on two cores with AMX: 338 tokens/s with peft in float32, 483 with peft in bfloat16, 1,000 so.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AttentionInterface

MATRICES = {
    "self_attn": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "mlp": ["gate_proj", "up_proj", "down_proj"],
}
PREFIX = "base_model.model."  # the names are those of peft, so that it can load the adapter too


class _Sum(torch.autograd.Function):
    """x (W + BA)ᵀ. Its backward pass never forms the gradient of W, which would be a third product of full size."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, w: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        a, b = a.to(w.dtype), b.to(w.dtype)
        summed = torch.addmm(w, b, a)
        ctx.save_for_backward(x, summed, a, b)
        return nn.functional.linear(x, summed)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, torch.Tensor, torch.Tensor]:
        x, summed, a, b = ctx.saved_tensors
        rows, seen = gradient.flatten(0, -2), x.flatten(0, -2)
        return gradient @ summed, None, ((rows @ b).T @ seen).float(), (rows.T @ (seen @ a.T)).float()


class LoraLinear(nn.Module):
    """A frozen matrix with an adapter of the given rank, scaled by 2 (alpha = 2 rank); A and B are kept in float32."""

    def __init__(self, weight: torch.Tensor, rank: int):
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        rows, columns = weight.shape
        self.lora_A = nn.Parameter(torch.empty(rank, columns).uniform_(-(columns**-0.5), columns**-0.5))
        self.lora_B = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The adapted product."""
        return _Sum.apply(x, self.weight, self.lora_A, 2.0 * self.lora_B)


def attach(model: Any, layers: range, rank: int) -> dict[str, nn.Parameter]:
    """Freeze a Llama model, put adapters on the matrices of these layers, and return what is to be trained, by name."""
    model.requires_grad_(False)
    trained = {}
    for number in layers:
        for part, names in MATRICES.items():
            parent = getattr(model.model.layers[number], part)
            for name in names:
                adapted = LoraLinear(getattr(parent, name).weight.detach(), rank)
                setattr(parent, name, adapted)
                for half in ("lora_A", "lora_B"):
                    trained[f"{PREFIX}model.layers.{number}.{part}.{name}.{half}.weight"] = getattr(adapted, half)
    return trained


def save(trained: dict[str, nn.Parameter], rank: int, folder: Path) -> None:
    """Write the adapter as peft would."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: values.detach().cpu() for name, values in trained.items()}, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 2 * rank}
    config["target_modules"] = sorted(name for names in MATRICES.values() for name in names)
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


@torch.no_grad()
def restore(trained: dict[str, nn.Parameter], folder: Path) -> None:
    """Read a saved adapter into the parameters."""
    for name, values in load_file(folder / "adapter_model.safetensors").items():
        trained[name].copy_(values)


def faster_type() -> torch.dtype:
    """bfloat16 where the processor multiplies it faster than float32 (with AMX 15 times), else float32 (without such
    instructions bfloat16 was 30 times slower)."""

    def seconds(kind: torch.dtype) -> float:
        left, right = torch.ones(512, 576, dtype=kind), torch.ones(576, 576, dtype=kind)
        spent = []
        for _ in range(20):  # the best of many, for the machine may be busy with something else
            begun = time.perf_counter()
            left @ right
            spent.append(time.perf_counter() - begun)
        return min(spent)

    return min((torch.bfloat16, torch.float32), key=seconds)


def _plain_attention(
    module: Any, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: Any, scaling: float, **_: Any
) -> tuple[torch.Tensor, None]:
    """Causal attention as three products. Rows are padded on the right, which no earlier token sees: no mask is needed."""
    k, v = (x.repeat_interleave(module.num_key_value_groups, 1) for x in (k, v))
    later = torch.full((q.shape[2], q.shape[2]), float("-inf"), dtype=q.dtype, device=q.device).triu_(1)
    weights = (q @ k.transpose(-1, -2) * scaling + later).softmax(-1)
    return (weights @ v).transpose(1, 2).contiguous(), None


AttentionInterface.register("plain", _plain_attention)
