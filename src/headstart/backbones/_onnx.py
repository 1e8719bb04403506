"""The tensors and the nodes of an ONNX file: as much of its protocol buffer as weights need, and no runtime."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

# Field numbers of onnx.proto
GRAPH, NODE, INITIALIZER = 7, 1, 5
NODE_INPUT, NODE_NAME, NODE_TYPE = 1, 3, 4
DIMS, DATA_TYPE, FLOATS, NAME, RAW = 1, 2, 4, 8, 9
TYPES = {1: np.float32, 6: np.int32, 7: np.int64, 10: np.float16, 11: np.float64}


@dataclass
class Node:
    """One operation: its type, its name and the names of what it reads."""

    kind: str = ""
    name: str = ""
    inputs: list[str] = field(default_factory=list)


def read(path: Path) -> tuple[dict[str, np.ndarray], list[Node]]:
    """Initializers by name, and the nodes in their order."""
    tensors, nodes = {}, []
    graph = next(bytes_ for number, bytes_ in _fields(memoryview(path.read_bytes())) if number == GRAPH)
    assert isinstance(graph, memoryview)
    for number, value in _fields(graph):
        if number == INITIALIZER and isinstance(value, memoryview):
            name, tensor = _tensor(value)
            if tensor is not None:
                tensors[name] = tensor
        elif number == NODE and isinstance(value, memoryview):
            nodes.append(_node(value))
    return tensors, nodes


def _tensor(message: memoryview) -> tuple[str, np.ndarray | None]:
    name, kind, dims, raw = "", 0, [], b""
    for number, value in _fields(message):
        if number == DIMS:
            dims += [value] if isinstance(value, int) else list(_varints(value))
        elif number == DATA_TYPE and isinstance(value, int):
            kind = value
        elif number == NAME and isinstance(value, memoryview):
            name = str(value, "utf-8")
        elif number in (RAW, FLOATS) and isinstance(value, memoryview):
            raw = bytes(value)
    if kind not in TYPES:
        return name, None
    values = np.frombuffer(raw, dtype=TYPES[kind])
    return name, values.reshape(dims) if values.size == int(np.prod(dims)) else None


def _node(message: memoryview) -> Node:
    node = Node()
    for number, value in _fields(message):
        if number == NODE_INPUT and isinstance(value, memoryview):
            node.inputs.append(str(value, "utf-8"))
        elif number == NODE_NAME and isinstance(value, memoryview):
            node.name = str(value, "utf-8")
        elif number == NODE_TYPE and isinstance(value, memoryview):
            node.kind = str(value, "utf-8")
    return node


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and values of one protocol buffer message; numbers as int, everything else as bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            yield number, message[at : at + size]
            at += size
        elif wire == 2:
            size, at = _varint(message, at)
            yield number, message[at : at + size]
            at += size
        else:
            raise ValueError(f"wire type {wire}")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _varints(message: memoryview) -> Iterator[int]:
    at = 0
    while at < len(message):
        value, at = _varint(message, at)
        yield value
