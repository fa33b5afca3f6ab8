"""How tf2onnx converts operators that it does not know, or knows to convert worse."""

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
    _replace(context, node, [("Erf", None), ("Sub", "before")])


def _without_expm1(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Makes Expm1, which ONNX lacks and Keras's CELU is written with, eˣ - 1."""
    _replace(context, node, [("Exp", None), ("Sub", "behind")])


def _without_log1p(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Makes Log1p, which ONNX lacks, log(1 + x)."""
    _replace(context, node, [("Add", "before"), ("Log", None)])


def _replace(context: Any, node: Any, chain: list[tuple[str, str | None]]) -> None:
    """Replaces an operator by others, one behind the other, with a one on a side of some."""
    shape, dtype = context.get_shape(node.output[0]), context.get_dtype(node.output[0])
    made = list(node.input)
    ends = node.output
    context.remove_node(node.name)
    for place, (kind, side) in enumerate(chain):
        if side is not None:
            one = np.ones((), onnx.helper.tensor_dtype_to_np_dtype(dtype))
            constant = context.make_const(tf2onnx.utils.make_name(node.name), one).output[0]
            made = [constant, *made] if side == "before" else [*made, constant]
        names = ends if place == len(chain) - 1 else None
        made = context.make_node(kind, made, outputs=names, shapes=[shape], dtypes=[dtype]).output


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
    "SelectV2": (_as_where, []),
}
