"""GGUF files for tests, with the standard library only: the smallest model's weights in another quantization."""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path

F32, Q4_1, Q5_1, Q8_0 = 0, 3, 7, 8
BLOCK = {F32: (1, 4), Q4_1: (32, 20), Q5_1: (32, 24), Q8_0: (32, 34)}  # values in a block, bytes of a block
SCALAR = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes of a metadata value of this type
ALIGN = 32

Tensor = tuple[bytes, tuple[int, ...], int, bytes]  # name, dimensions, type, data


def read(file: Path) -> tuple[list[bytes], list[Tensor]]:
    """The metadata (each entry as it stands in the file) and the tensors."""
    data, at = file.read_bytes(), 4

    def take(form: str) -> int:
        nonlocal at
        at += struct.calcsize("<" + form)
        return struct.unpack_from("<" + form, data, at - struct.calcsize("<" + form))[0]

    def text() -> bytes:
        nonlocal at
        size = take("Q")
        at += size
        return data[at - size : at]

    def skip(kind: int) -> None:
        nonlocal at
        if kind == 8:
            text()
        elif kind == 9:
            inner, count = take("I"), take("Q")
            for _ in range(count):
                skip(inner)
        else:
            at += SCALAR[kind]

    _version, tensors, entries = take("I"), take("Q"), take("Q")
    metadata = []
    for _ in range(entries):
        start = at
        text()
        skip(take("I"))
        metadata.append(data[start:at])
    heads = [(text(), tuple(take("Q") for _ in range(take("I"))), take("I"), take("Q")) for _ in range(tensors)]
    base = at + -at % ALIGN
    found = []
    for name, shape, kind, offset in heads:
        values, size = BLOCK[kind]
        found.append((name, shape, kind, data[base + offset : base + offset + prod(shape) // values * size]))
    return metadata, found


def write(file: Path, metadata: list[bytes], tensors: list[Tensor]) -> Path:
    """A GGUF file of version 3."""
    head, offset = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)) + b"".join(metadata), 0
    for name, shape, kind, data in tensors:
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        offset += len(data) + -len(data) % ALIGN
    with file.open("wb") as out:
        for part in (head, *(data for *_, data in tensors)):
            out.write(part + bytes(-len(part) % ALIGN))
    return file


def as_q5_1(source: Path, target: Path) -> Path:
    """The same weights to the bit in blocks of Q5_1, whose fifth bits stay zero."""
    metadata, tensors = read(source)
    return write(target, metadata, [_widened(t) if t[2] == Q4_1 else t for t in tensors])


def _widened(tensor: Tensor) -> Tensor:
    name, shape, _, old = tensor
    new = bytearray(len(old) // 20 * 24)
    for i in range(4):  # scale and minimum
        new[i::24] = old[i::20]
    for i in range(16):  # four bits of each value; bytes 4 to 7, the fifth bits, stay zero
        new[8 + i :: 24] = old[4 + i :: 20]
    return name, shape, Q5_1, bytes(new)


def _text(said: bytes) -> bytes:
    return struct.pack("<Q", len(said)) + said
