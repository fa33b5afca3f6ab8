"""How tf2onnx converts operators that it does not know, or knows to convert worse."""

from typing import Any

import numpy as np
import onnx
import tf2onnx
from tf2onnx.onnx_opset.controlflow import Select

from export.convert.onnx import fourier

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


HANDLERS: dict[str, tuple[Any, list[Any]]] = {
    "Erfc": (_without_erfc, []),
    "Expm1": (_without_expm1, []),
    "Log1p": (_without_log1p, []),
    "RFFT": (fourier.transform, []),
    "SelectV2": (_as_where, []),
    **dict.fromkeys((*fourier.PARTS, "ComplexAbs"), (fourier.read, [])),
}
