"""Train the adapter: `python lib/tuning/train.py --data build/train.jsonl --out build/adapter-0 --seed 0`.

LoRA (lora.py) on the weights of the model in the box, read from the GGUF file that the kit uses, so that the adapter fits
what is served. On two CPU cores with AMX it reads about 1,000 tokens a second, without such instructions a third of that,
on a GPU more. Stop it when you like: started again with the same arguments, it goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import math
import random
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import lora
import torch
from render import segments
from transformers import AutoModelForCausalLM, AutoTokenizer

from llmlab import settings, weights

# Each adapted matrix costs time at every token that the reader generates; the rank hardly matters. Measured against no
# adapter: all seven of 30 layers at rank 16 left 0.85 of the speed, of the upper 20 layers 0.90. Without q, k and v the
# training loss fell more slowly, and the first adapter (o, gate and down only) could not copy a list in two halves.
LAYERS = range(6, 30)
CHECKPOINT_EVERY = 50  # steps


def encode(tokenizer: Any, item: dict[str, Any], longest: int) -> tuple[list[int], list[int]]:
    """Token ids, and labels that leave out (-100) what the model only reads."""
    ids: list[int] = []
    labels: list[int] = []
    for text, learned in segments(item):
        part = tokenizer(text, add_special_tokens=False).input_ids
        ids += part
        labels += part if learned else [-100] * len(part)
    return ids[:longest], labels[:longest]


def batches(data: list[tuple[list[int], list[int]]], size: int, seed: int) -> list[list[tuple[list[int], list[int]]]]:
    """Batches of about `size` tokens of items of like length, so that little is padding, in a fixed random order."""
    rng = random.Random(seed)
    data = sorted(data, key=lambda item: (len(item[0]), rng.random()))
    made: list[list[tuple[list[int], list[int]]]] = [[]]
    for item in data:
        if made[-1] and len(item[0]) * (len(made[-1]) + 1) > size:
            made.append([])
        made[-1].append(item)
    rng.shuffle(made)
    return made


def collate(batch: list[tuple[list[int], list[int]]], pad: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch as tensors, padded on the right: token ids, and labels that are one token ahead."""
    longest = max(len(ids) for ids, _ in batch)
    ids = torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in batch], device=device)
    labels = torch.tensor([labels[1:] + [-100] * (longest - len(labels) + 1) for _, labels in batch], device=device)
    return ids, labels


def loss_of(model: Any, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean loss of the tokens to be learned; the others get no logits, which are a fifth of the work."""
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    learned = labels != -100
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[learned]).float(), labels[learned])


def rate(step: int, steps: int, peak: float) -> float:
    """Learning rate: up over the first steps, then down by a cosine to a twentieth."""
    return peak * min(1.0, (step + 1) / 20) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def main() -> None:
    """Train, or go on training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("build/train.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("build/adapter"))
    parser.add_argument("--start", type=Path, help="an adapter to go on from, with new data; without it, from nothing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--longest", type=int, default=800)
    parser.add_argument("--steps", type=int, help="end after so many steps; without it, when the data are used up")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = torch.bfloat16 if device == "cuda" else lora.faster_type()
    gguf = weights.find(weights.BOX, settings.load().cache)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=kind, attn_implementation="plain"
    )
    trained = lora.attach(model, LAYERS, args.rank)
    model.to(device)
    if shutil.which("g++") or shutil.which("cl"):  # what torch compiles with
        for layer in model.model.layers:
            layer.compile(dynamic=True)
    optimizer = torch.optim.AdamW(trained.values(), lr=args.rate, weight_decay=0.0)
    checkpoint = args.out / "checkpoint.pt"
    started_at = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        optimizer.load_state_dict(saved["optimizer"])
        started_at = saved["step"]
    if checkpoint.exists() or args.start:
        lora.restore(trained, args.out if checkpoint.exists() else args.start)

    lines = args.data.read_text(encoding="utf-8").splitlines()
    data = [encode(tokenizer, json.loads(line), args.longest) for line in lines]
    order = batches(data, args.batch_tokens, args.seed)[: args.steps]
    print(
        f"{len(data)} items, {sum(len(ids) for ids, _ in data):,} tokens, {len(order)} steps, {kind} on {device}",
        flush=True,
    )
    begun, seen = time.perf_counter(), 0
    for step in range(started_at, len(order)):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, len(order), args.rate)
        loss = loss_of(model, *collate(order[step], tokenizer.eos_token_id, device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seen += sum(len(ids) for ids, _ in order[step])
        if step % 10 == 0:
            spent = time.perf_counter() - begun
            print(
                f"step {step} of {len(order)}, loss {loss.item():.3f}, {seen / spent:.0f} tokens/s, {spent:.0f} s",
                flush=True,
            )
        if step % CHECKPOINT_EVERY == CHECKPOINT_EVERY - 1 or step == len(order) - 1:
            lora.save(trained, args.rank, args.out)
            part = checkpoint.with_suffix(".part")
            torch.save({"optimizer": optimizer.state_dict(), "step": step + 1}, part)
            part.replace(checkpoint)
            if sys.platform == "linux":  # tensors of ever new sizes leave holes, by which the process grows without end
                ctypes.CDLL(None).malloc_trim(0)


if __name__ == "__main__":
    main()
