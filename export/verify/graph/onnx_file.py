"""Reads what an ONNX file holds, without the package `onnx`, which a device does not have.

Of the message types, only the fields that are used: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from train.common.errors import ArtifactError

DTYPES = {
    **dict(enumerate(("float32", "uint8", "int8", "uint16", "int16", "int32", "int64"), 1)),
    **dict(enumerate(("bool", "float16", "float64", "uint32", "uint64"), 9)),
    **dict(enumerate(("uint4", "int4"), 21)),
}
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_DEPTH = 20  # of graphs in graphs: bodies of loops and branches


@dataclass(kw_only=True)
class Tensor:
    """A stored tensor; `content` is empty where its numbers are stored in another way."""

    name: str = ""
    dtype: str = "other"
    shape: list[int] = field(default_factory=list)
    content: memoryview = field(default_factory=lambda: memoryview(b""))

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes they take; of a dtype that numpy lacks, at most one for each."""
        known = self.dtype not in ("other", "uint4", "int4")
        return len(self.content) or self.size * (np.dtype(self.dtype).itemsize if known else 1)

    def values(self) -> np.ndarray | None:
        """Returns the numbers; None where numpy has no such dtype, or they are stored otherwise."""
        if self.dtype in ("other", "uint4", "int4"):
            return None
        dtype = np.dtype(self.dtype)
        if len(self.content) != self.size * dtype.itemsize:
            return None
        return np.frombuffer(self.content, dtype).reshape(self.shape)


@dataclass(kw_only=True)
class Node:
    """An operator, the tensor it holds (of a Constant), and the graphs it runs."""

    operator: str = ""
    domain: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    tensor: Tensor | None = None
    bodies: list["OnnxGraph"] = field(default_factory=list)


@dataclass(kw_only=True)
class OnnxGraph:
    """The nodes in the order of execution, and the stored tensors by name."""

    nodes: list[Node] = field(default_factory=list)
    stored: dict[str, Tensor] = field(default_factory=dict)


def read_onnx_graph(path: Path) -> OnnxGraph:
    """Returns the graph in an `.onnx` file.

    Raises:
        ArtifactError: it is not one.
    """
    try:
        for number, value in _fields(memoryview(path.read_bytes())):
            if number == 7:
                return _graph(_bytes(value), 0)
    except (ValueError, TypeError, IndexError) as error:
        raise ArtifactError(f"{path} is not an ONNX file: {error}") from error
    raise ArtifactError(f"{path} is not an ONNX file: it holds no graph")


def _graph(data: memoryview, depth: int) -> OnnxGraph:
    if depth > MAX_DEPTH:
        raise ValueError(f"graphs in graphs, more than {MAX_DEPTH} deep")
    graph = OnnxGraph()
    for number, value in _fields(data):
        if number == 1:
            graph.nodes.append(_node(_bytes(value), depth))
        elif number == 5:
            tensor = _tensor(_bytes(value))
            graph.stored[tensor.name] = tensor
    return graph


def _node(data: memoryview, depth: int) -> Node:
    node = Node()
    for number, value in _fields(data):
        if number in (1, 2):
            (node.inputs if number == 1 else node.outputs).append(_text(value))
        elif number == 4:
            node.operator = _text(value)
        elif number == 7:
            node.domain = _text(value)
        elif number == 5:
            for of_attribute, content in _fields(_bytes(value)):
                if of_attribute == 5:
                    node.tensor = _tensor(_bytes(content))
                elif of_attribute in (6, 11):
                    node.bodies.append(_graph(_bytes(content), depth + 1))
    return node


def _tensor(data: memoryview) -> Tensor:
    tensor = Tensor()
    for number, value in _fields(data):
        if number == 1:
            packed = isinstance(value, memoryview)
            tensor.shape += list(_varints(_bytes(value))) if packed else [_number(value)]
        elif number == 2:
            tensor.dtype = DTYPES.get(_number(value), "other")
        elif number == 8:
            tensor.name = _text(value)
        elif number in (4, 9) and isinstance(value, memoryview):
            tensor.content = value
    return tensor


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yields the number and the value of each field of a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == BYTES:
            size, at = _varint(data, at)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"a field of kind {kind}")
        if at + size > len(data):
            raise ValueError("it is cut off")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    found = shift = 0
    while shift < 70:
        byte = data[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found, at
        shift += 7
    raise ValueError("a number of more than 64 bits")


def _varints(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        found, at = _varint(data, at)
        yield found


def _number(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise TypeError("bytes where a number is meant")
    return value


def _bytes(value: int | memoryview) -> memoryview:
    if not isinstance(value, memoryview):
        raise TypeError("a number where bytes are meant")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_bytes(value)).decode(errors="replace")
