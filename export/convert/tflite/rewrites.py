"""Rewrites a SavedModel's negations as products with -1.

TFLite has no integer NEG, and the quantizer puts a DEQUANTIZE before it and a QUANTIZE after it:
one in a layer normalization, as Keras writes it, and the network needs float arithmetic. The
product is exact in floats and there is an integer kernel for it. The negation in Keras's GELU
stays: by it the converter recognizes the whole as TFLite's GELU.
"""

from pathlib import Path

import tensorflow as tf
from tensorflow.core.framework import function_pb2
from tensorflow.core.protobuf import saved_model_pb2

SAVED_MODEL = "saved_model.pb"
FLOATS = (tf.float16.as_datatype_enum, tf.float32.as_datatype_enum, tf.float64.as_datatype_enum)
# Operators that run functions of their own.
BRANCHING = frozenset({"While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase"})


def may_have_loops(folder: Path) -> bool:
    """Returns whether a SavedModel has a loop or a condition."""
    return any(
        node.op in BRANCHING
        for graph in _read(folder).meta_graphs
        for function in graph.graph_def.library.function
        for node in function.node_def
    )


def without_negations(folder: Path) -> None:
    """Rewrites the SavedModel in a folder, in place."""
    content = _read(folder)
    changed = 0
    for graph in content.meta_graphs:
        for function in graph.graph_def.library.function:
            changed += _rewrite(function)
    if changed:
        (folder / SAVED_MODEL).write_bytes(content.SerializeToString(deterministic=True))


def _read(folder: Path) -> saved_model_pb2.SavedModel:
    content = saved_model_pb2.SavedModel()
    content.ParseFromString((folder / SAVED_MODEL).read_bytes())
    return content


def _rewrite(function: function_pb2.FunctionDef) -> int:
    """Returns how many negations there were."""
    of_gelu = _read_by(function, "Mul", _read_by(function, "Erfc"))
    found = [
        node
        for node in function.node_def
        if node.op == "Neg" and node.attr["T"].type in FLOATS and node.name not in of_gelu
    ]
    renamed = {}
    for node in found:
        dtype = node.attr["T"].type
        constant = function.node_def.add(name=f"{node.name}/minus_one", op="Const")
        constant.attr["dtype"].type = dtype
        constant.attr["value"].tensor.CopyFrom(
            tf.make_tensor_proto(-1.0, dtype=tf.as_dtype(dtype), shape=())
        )
        node.op = "Mul"
        # a function's nodes refer to outputs by their names in the operator's definition
        node.input.insert(1, f"{constant.name}:output:0")
        renamed[f"{node.name}:y:0"] = f"{node.name}:z:0"
    for node in function.node_def if renamed else ():
        for index, name in enumerate(node.input):
            node.input[index] = renamed.get(name, name)
    for key, name in function.ret.items() if renamed else ():
        function.ret[key] = renamed.get(name, name)
    return len(found)


def _read_by(
    function: function_pb2.FunctionDef, operator: str, among: set[str] | None = None
) -> set[str]:
    """Returns the names of the nodes that an operator's nodes read, of all or of some of these."""
    return {
        name.partition(":")[0]
        for node in function.node_def
        if node.op == operator and (among is None or node.name in among)
        for name in node.input
    }
