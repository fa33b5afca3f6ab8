"""Fourier transforms of real numbers, as products with waves.

ONNX has no complex numbers, and the DFT of ONNX Runtime is slower, has no kernel of half precision
or integers, and is inexact where the length is no power of two.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import tf2onnx
from tf2onnx.graph_builder import GraphBuilder
from tf2onnx.onnx_opset.signal import ComplexAbsOp

LEAST_IN_STEPS = 128  # shorter transforms are one product
PARTS = ("Real", "Imag")
MADE_HERE = "parts_of_transform"  # begins the names of what readers take their parts from


@dataclass(frozen=True)
class _Graph:
    """Where nodes are put, and what they have in common."""

    context: Any
    name: str
    dtype: int
    lead: tuple[int, ...]  # the dimensions in front, -1 where one is open

    def node(self, kind: str, inputs: list[str], shape: tuple[int, ...], **attributes: Any) -> str:
        found = self.context.make_node(
            kind, inputs, attr=attributes, shapes=[[*self.lead, *shape]], dtypes=[self.dtype]
        )
        return str(found.output[0])

    def constant(self, values: np.ndarray) -> str:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(self.dtype)
        if values.dtype != np.int64:
            values = values.astype(dtype)
        return str(self.context.make_const(tf2onnx.utils.make_name(self.name), values).output[0])

    def product(self, x: str, waves: np.ndarray, rows: tuple[int, ...]) -> str:
        return self.node("MatMul", [x, self.constant(waves)], (*rows, waves.shape[1]))

    def reshape(self, x: str, *shape: int) -> str:
        kept = [0] * len(self.lead)
        return self.node("Reshape", [x, self.constant(np.array([*kept, *shape]))], shape)

    def slice(self, x: str, first: tuple[int, ...], sizes: tuple[int, ...]) -> str:
        axes = [len(self.lead) + axis for axis in range(len(sizes))]
        ends = [start + size for start, size in zip(first, sizes, strict=True)]
        arguments = {"data": x, "starts": [*first], "ends": ends, "axes": axes}
        return str(
            GraphBuilder(self.context).make_slice(
                arguments, shapes=[[*self.lead, *sizes]], dtypes=[self.dtype]
            )
        )


def transform(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Makes an RFFT a tensor (…, 2, length // 2 + 1) of real and imaginary parts.

    Raises:
        ValueError: its length is open, or something reads it that is no handler of this module.
    """
    readers = {reader.type for reader in context.find_output_consumers(node.output[0])}
    if not readers <= {*PARTS, "ComplexAbs"}:
        raise ValueError(f"RFFT is read by {', '.join(sorted(readers))}")
    (x, _), lengths = node.input, node.inputs[1].get_tensor_value()
    *lead, size = context.get_shape(x)
    if size < 0 or lengths is None:
        raise ValueError("RFFT of an open length")
    (length,) = lengths
    graph = _Graph(context, node.name, context.get_dtype(x), tuple(lead))
    rows = next(n for n in range(math.isqrt(length), 0, -1) if length % n == 0)
    if rows > 1 and length >= LEAST_IN_STEPS and size == length:
        parts = _in_steps(graph, x, rows, length // rows)
    else:
        parts = _at_once(graph, x, size, length)
    (output,) = node.output
    shape = [*lead, 2, length // 2 + 1]
    context.remove_node(node.name)
    context.make_node(
        "Identity",
        [parts],
        name=tf2onnx.utils.make_name(MADE_HERE),
        outputs=[output],
        shapes=[shape],
        dtypes=[graph.dtype],
    )


def read(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Makes Real, Imag or ComplexAbs of an RFFT a part of what `transform` made, or both.

    What reads something else, such as an RFFT2D, is left to tf2onnx.

    Raises:
        ValueError: tf2onnx knows nothing of it.
    """
    (parts,) = node.input
    if not node.inputs[0].name.startswith(MADE_HERE):
        if node.type in PARTS:
            raise ValueError(f"{node.type} reads {node.inputs[0].type}")
        ComplexAbsOp.any_version(context.opset, context, node)
        return
    *lead, _, count = context.get_shape(parts)
    graph = _Graph(context, node.name, context.get_dtype(parts), tuple(lead))
    numbers = [PARTS.index(node.type)] if node.type in PARTS else [0, 1]
    found = [graph.slice(parts, (number, 0), (1, count)) for number in numbers]
    found = [graph.reshape(part, count) for part in found]
    kind = "Identity"
    if len(found) > 1:
        squares = [graph.node("Mul", [part, part], (count,)) for part in found]
        kind, found = "Sqrt", [graph.node("Add", squares, (count,))]
    (output,) = node.output
    context.remove_node(node.name)
    context.make_node(kind, found, outputs=[output], shapes=[[*lead, count]], dtypes=[graph.dtype])


def _at_once(graph: _Graph, x: str, size: int, length: int) -> str:
    """Returns both parts as one product; what is beyond the length is not read."""
    waves = np.zeros((size, length // 2 + 1), complex)
    waves[:length] = _waves(length, min(size, length), length // 2 + 1)
    found = graph.product(x, np.concatenate([waves.real, waves.imag], 1), ())
    return graph.reshape(found, 2, waves.shape[1])


def _in_steps(graph: _Graph, x: str, rows: int, columns: int) -> str:
    """Returns both parts as transforms along rows and columns, with constants of kilobytes.

    The step of Cooley and Tukey (1965): x[columns · a + b] is first transformed along a.
    """
    length, bins = rows * columns, columns // 2 + 1
    x = graph.reshape(x, rows, columns)
    first = _waves(rows, rows, rows)
    real, imaginary = (
        graph.node("MatMul", [graph.constant(part), x], (rows, columns))
        for part in (first.real, first.imag)
    )
    turns = _waves(length, rows, columns)
    turned = _times(graph, real, imaginary, turns)
    both = graph.node("Concat", turned, (rows, 2 * columns), axis=len(graph.lead) + 1)
    second = _waves(columns, columns, bins)
    waves = np.block([[second.real, second.imag], [-second.imag, second.real]])
    found = graph.reshape(graph.product(both, waves, (rows,)), rows, 2, bins)
    kept = len(graph.lead)
    order = [*range(kept), kept + 1, kept + 2, kept]
    found = graph.node("Transpose", [found], (2, bins, rows), perm=order)
    found = graph.reshape(found, 2, bins * rows)
    return graph.slice(found, (0, 0), (2, length // 2 + 1))


def _times(graph: _Graph, real: str, imaginary: str, by: np.ndarray) -> list[str]:
    """Returns real and imaginary parts of products with constants."""
    constants = graph.constant(by.real), graph.constant(by.imag)

    def combined(kind: str, first: str, second: str) -> str:
        products = [
            graph.node("Mul", [part, constant], by.shape)
            for part, constant in zip((real, imaginary), (first, second), strict=True)
        ]
        return graph.node(kind, products, by.shape)

    return [combined("Sub", *constants), combined("Add", *reversed(constants))]


def _waves(length: int, rows: int, columns: int) -> np.ndarray:
    """Returns exp(-2πi · row · column / length), (rows, columns) complex."""
    turns = np.outer(np.arange(rows), np.arange(columns)) % length / length
    return np.asarray(np.exp(-2j * np.pi * turns))
