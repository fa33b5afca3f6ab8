"""How tf2onnx converts operators that it does not know, or knows to convert worse."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import tf2onnx
from tf2onnx.onnx_opset.controlflow import Select

# What ONNX Runtime has kernels for.
WHERE_DTYPES = tuple(
    getattr(onnx.TensorProto, name) for name in ("FLOAT", "DOUBLE", "INT32", "INT64", "UINT8")
)


def _without_erfc(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Makes Erfc, which ONNX lacks and Keras's GELU is written with, 1 - Erf."""
    (erf,) = _made(context, node, "Erf", node.input)
    _put(context, node, "Sub", [_one(context, node), erf])


def _without_expm1(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Makes Expm1, which ONNX lacks and Keras's CELU is written with, eˣ - 1."""
    (power,) = _made(context, node, "Exp", node.input)
    _put(context, node, "Sub", [power, _one(context, node)])


def _without_log1p(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Makes Log1p, which ONNX lacks, log(1 + x)."""
    more = _made(context, node, "Add", [_one(context, node), *node.input])
    _put(context, node, "Log", more)


def _one(context: Any, node: Any) -> str:
    one = np.ones((), onnx.helper.tensor_dtype_to_np_dtype(context.get_dtype(node.output[0])))
    return str(context.make_const(tf2onnx.utils.make_name(node.name), one).output[0])


def _made(context: Any, node: Any, kind: str, inputs: Any) -> list[str]:
    """Returns what an operator writes that has the output's shape and dtype."""
    shape, dtype = context.get_shape(node.output[0]), context.get_dtype(node.output[0])
    return list(context.make_node(kind, inputs, shapes=[shape], dtypes=[dtype]).output)


def _put(context: Any, node: Any, kind: str, inputs: Any) -> None:
    """Puts an operator in the place of another."""
    shape, dtype = context.get_shape(node.output[0]), context.get_dtype(node.output[0])
    context.remove_node(node.name)
    context.make_node(kind, inputs, outputs=node.output, shapes=[shape], dtypes=[dtype])


def _as_where(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Makes a choice ONNX's Where; tf2onnx's products with 0 and 1 make NaN of infinity."""
    if context.get_dtype(node.output[0]) in WHERE_DTYPES:
        node.type = "Where"
    else:
        Select.version_9(context, node)


def _keep_transform(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Leaves a Fourier transform of real numbers to those that read it, or refuses it."""
    readers = {reader.type for reader in context.find_output_consumers(node.output[0])}
    if node.inputs[1].get_tensor_value() is None or not readers <= {*PARTS}:
        raise ValueError(f"RFFT is read by {', '.join(sorted(readers))}")


def _transformed(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Makes a part of a Fourier transform products with cosines and sines.

    ONNX has no complex numbers, and the DFT of ONNX Runtime is slower, has no kernel of half
    precision or integers, and is inexact where the length is no power of two.
    """
    transform = node.inputs[0]
    if transform.type != "RFFT":
        raise ValueError(f"{node.type} reads {transform.type}")
    (x, _), (length,) = transform.input, transform.inputs[1].get_tensor_value()
    parts = [_product(context, node, x, length, part) for part in PARTS[node.type]]
    if len(parts) == 1:
        _put(context, node, "Identity", parts)
        return
    squares = [_made(context, node, "Mul", [part, part])[0] for part in parts]
    _put(context, node, "Sqrt", _made(context, node, "Add", squares))


def _product(
    context: Any, node: Any, x: str, length: int, part: Callable[[np.ndarray], np.ndarray]
) -> str:
    """Returns the product of the last dimension with the waves of a transform of some length."""
    given = min(length, context.get_shape(x)[-1])
    turns = np.outer(np.arange(given), np.arange(length // 2 + 1)) % length / length
    waves = np.zeros((context.get_shape(x)[-1], length // 2 + 1))
    waves[:given] = part(-2 * np.pi * turns)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(context.get_dtype(x))
    constant = context.make_const(tf2onnx.utils.make_name(node.name), waves.astype(dtype))
    return _made(context, node, "MatMul", [x, constant.output[0]])[0]


# What of exp(iφ) the parts of a transform are products with.
PARTS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], ...]] = {
    "ComplexAbs": (np.cos, np.sin),
    "Imag": (np.sin,),
    "Real": (np.cos,),
}
HANDLERS: dict[str, tuple[Any, list[Any]]] = {
    "Erfc": (_without_erfc, []),
    "Expm1": (_without_expm1, []),
    "Log1p": (_without_log1p, []),
    "RFFT": (_keep_transform, []),
    "SelectV2": (_as_where, []),
    **{kind: (_transformed, []) for kind in PARTS},
}
