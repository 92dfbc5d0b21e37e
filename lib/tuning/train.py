"""Train the adapter: `python lib/tuning/train.py --out build/adapter`; see README.md beside it.

LoRA (E. Hu and others, arXiv:2106.09685) on the weights as they are served, read from the kit's GGUF file. Stop it when
you like: started again with the same arguments, it goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import math
import os
import re
import time
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from packs import HERE, Packs, mask_of
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from llmlab import settings
from llmlab.llm import weights

LAYERS = range(12, 28)  # of 28: the lower ones are only read through, which saves much of the backward pass
RANK = 8  # 11 MB; alpha is twice the rank
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
CHECKPOINT_EVERY = 25  # steps
ANSWER_TOKENS = 160  # of the model's own answers to plain requests; longer ones are left out


class Lora(nn.Module):
    """A frozen matrix with a thin pair beside it: x Wᵀ + 2 x Aᵀ Bᵀ, the pair kept in float32."""

    def __init__(self, base: nn.Linear):
        super().__init__()
        self.base = base
        self.a = nn.Parameter(torch.empty(RANK, base.in_features).uniform_(-1, 1) / base.in_features**0.5)
        self.b = nn.Parameter(torch.zeros(base.out_features, RANK))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The adapted product."""
        thin = nn.functional.linear(nn.functional.linear(x, self.a.to(x.dtype)), 2.0 * self.b.to(x.dtype))
        return self.base(x) + thin  # type: ignore[no-any-return]


def attach(model: Any) -> dict[str, nn.Parameter]:
    """Freeze the model, put pairs beside the matrices of LAYERS, and return them by the names that llama.cpp reads."""
    model.requires_grad_(False)
    trained = {}
    for number in LAYERS:
        for place, name in NAMES.items():
            part, matrix = place.split(".")
            parent = getattr(model.model.layers[number], part)
            adapted = Lora(getattr(parent, matrix))
            setattr(parent, matrix, adapted)
            trained[f"blk.{number}.{name}.weight.lora_a"] = adapted.a
            trained[f"blk.{number}.{name}.weight.lora_b"] = adapted.b
    return trained


def export(trained: dict[str, nn.Parameter], out: Path) -> None:
    """Write the adapter as GGUF, in float16."""
    writer = gguf.GGUFWriter(str(out), "qwen2")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 2.0 * RANK)
    for name, values in trained.items():
        writer.add_tensor(name, np.ascontiguousarray(values.detach().numpy().astype(np.float16)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def loss_of(model: Any, pack: Any) -> torch.Tensor:
    """Mean over the conversations of a pack: a call counts as much as a long text."""
    labels, branch = torch.tensor(pack.labels[1:]), torch.tensor(pack.branch[1:])
    learned = labels != -100
    hidden = model.model(
        input_ids=torch.tensor([pack.ids]),
        position_ids=torch.tensor([pack.positions]),
        attention_mask=mask_of(pack.branch),
        use_cache=False,
    ).last_hidden_state[0, :-1]
    losses = nn.functional.cross_entropy(model.lm_head(hidden[learned]).float(), labels[learned], reduction="none")
    of = branch[learned]
    return torch.stack([losses[of == number].mean() for number in of.unique()]).mean()


def own_answers(file: Path) -> list[tuple[str, str]]:
    """The untouched model's own answers to plain.txt, asked without tools: what it can do already it is to keep."""
    if file.exists():
        return [tuple(pair) for pair in json.loads(file.read_text(encoding="utf-8"))]
    from openai import OpenAI

    from llmlab import connect

    model = connect("standard", adapter=None)
    client = OpenAI(base_url=model.base_url, api_key=model.api_key)

    def answer(ask: str) -> tuple[str, str] | None:
        reply = client.chat.completions.create(
            model=model.name, messages=[{"role": "user", "content": ask}], temperature=0, max_tokens=ANSWER_TOKENS
        )
        choice = reply.choices[0]
        return (ask, choice.message.content or "") if choice.finish_reason == "stop" else None

    asks = re.split(r"\s\|\s|\n", (HERE / "plain.txt").read_text(encoding="utf-8"))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        pairs = [pair for pair in pool.map(answer, filter(None, asks)) if pair]
    file.write_text(json.dumps(pairs, ensure_ascii=False, indent=0), encoding="utf-8")
    return pairs


def main() -> None:
    """Train, or go on training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/adapter"))
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    plain = own_answers(args.out / "plain.json")
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    file = weights.find(weights.CATALOGUE["standard"], settings.load().cache)
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    model = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    trained = attach(model)
    optimizer = torch.optim.AdamW(trained.values(), lr=args.rate, weight_decay=0.0)
    checkpoint, done = args.out / "checkpoint.pt", 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        optimizer.load_state_dict(saved["optimizer"])
        done = saved["step"]
        with torch.no_grad():
            for name, values in saved["trained"].items():
                trained[name].copy_(values)
    packs, begun, seen, smooth = Packs(tokenizer, plain), time.perf_counter(), 0, 0.0
    for step in range(done, args.steps):
        rising, falling = min(1.0, (step + 1) / 20), 0.5 * (1 + math.cos(math.pi * step / args.steps))
        for group in optimizer.param_groups:
            group["lr"] = args.rate * rising * (0.05 + 0.95 * falling)
        pack = packs.pack(args.seed * 1_000_000 + step)
        loss = loss_of(model, pack)
        loss.backward()
        nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seen, smooth = seen + len(pack.ids), loss.item() if step == done else 0.95 * smooth + 0.05 * loss.item()
        if step % 5 == 0:
            spent = time.perf_counter() - begun
            print(f"step {step} of {args.steps}, loss {smooth:.3f}, {seen / spent:.0f} tokens/s", flush=True)
        if step % CHECKPOINT_EVERY == CHECKPOINT_EVERY - 1 or step == args.steps - 1:
            state = {"optimizer": optimizer.state_dict(), "step": step + 1, "trained": trained}
            torch.save(state, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").replace(checkpoint)
            export(trained, args.out / "tools.gguf")


if __name__ == "__main__":
    main()
