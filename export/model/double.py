"""The model computed in float64, to see what its own float32 rounding does to its outputs.

The graph with its weights is rewritten: every float32 becomes a float64. It works for whatever
TensorFlow holds, Keras's layers and a SavedModel alike.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, function_pb2, graph_pb2, node_def_pb2
from tensorflow.core.framework import types_pb2 as types
from tensorflow.python.framework import op_def_registry
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from export.model.loaded import LoadedModel, traced
from train.common.command.native_output import captured_native_output

SUFFIX = "_float64"  # of functions, whose names TensorFlow has once in a process
SINGLE, DOUBLE = types.DT_FLOAT, types.DT_DOUBLE
# What a graph that cannot be computed in float64 raises: an operator without such a kernel, a
# Bitcast, a table that is not in the graph.
REFUSALS = (ValueError, TypeError, KeyError, NotImplementedError, RuntimeError, tf.errors.OpError)


def predict_double(
    model: LoadedModel, inputs: Mapping[str, np.ndarray], batch_size: int
) -> dict[str, np.ndarray] | None:
    """Returns the outputs of a model computed in float64, by name.

    An operator that has no kernel for float64, such as FusedBatchNormV3, computes in float32.

    Args:
        model: the model, weights as they are.
        inputs: (N, …) by name, as the model takes them.
        batch_size: how many examples are computed at a time.

    Returns:
        (N, …) float64 or integers; None where the graph cannot be rewritten.
    """
    size = model.fixed_batch or batch_size
    try:
        with captured_native_output():
            function = _in_double(model)
            found = []
            for start in range(0, len(next(iter(inputs.values()))), size):
                some = {name: values[start : start + size] for name, values in inputs.items()}
                found.append([value.numpy() for value in function(some)])
    except REFUSALS:
        return None
    joined = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return dict(zip((spec.name for spec in model.outputs), joined, strict=True))


def _in_double(model: LoadedModel) -> Callable[[Mapping[str, np.ndarray]], list[tf.Tensor]]:
    """Returns a function from arrays by name to the outputs in the model's order."""

    def call(tensors: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        outputs = model.call(tensors)
        return [tf.identity(outputs[spec.name]) for spec in model.outputs]

    frozen = convert_variables_to_constants_v2(
        traced(call, model.inputs, model.fixed_batch),
        lower_control_flow=False,
        aggressive_inlining=True,
    )
    graph = frozen.graph.as_graph_def()
    for body in graph.library.function:
        _rewrite_body(body)
    renamed = _rewrite(graph)
    given = {tensor.name.partition(":")[0]: tensor.name for tensor in frozen.inputs}
    imported = tf.compat.v1.wrap_function(
        lambda: tf.graph_util.import_graph_def(graph, name=""), []
    )

    def element(name: str) -> tf.Tensor:
        return imported.graph.as_graph_element(name)

    fed = {spec.name: element(given[spec.name]) for spec in model.inputs}
    wanted = [element(renamed.get(tensor.name, tensor.name)) for tensor in frozen.outputs]
    computed = imported.prune(list(fed.values()), wanted)

    def run(values: Mapping[str, np.ndarray]) -> list[tf.Tensor]:
        found = computed(*(tf.constant(values[name], fed[name].dtype) for name in fed))
        return [found] if len(wanted) == 1 and not isinstance(found, list) else list(found)

    return run


def _rewrite(graph: graph_pb2.GraphDef) -> dict[str, str]:
    """Turns every float32 of a graph into float64, with casts around what has no such kernel.

    Returns:
        What took the place of outputs of such operators, `name:index` by `name:index`.
    """
    renamed: dict[str, str] = {}
    casts: list[node_def_pb2.NodeDef] = []
    for node in graph.node:
        definition = op_def_registry.get(node.op)
        if not _stays_single(node, definition):
            for value in node.attr.values():
                _to_double(value)
            continue
        for index, dtype in enumerate(_types(node, definition.input_arg)):
            if dtype == SINGLE:
                name = f"{node.name}/single{index}"
                casts.append(_cast(name, node.input[index], DOUBLE, SINGLE))
                node.input[index] = name
        for index, dtype in enumerate(_types(node, definition.output_arg)):
            if dtype == SINGLE:
                name = f"{node.name}/double{index}"
                casts.append(_cast(name, f"{node.name}:{index}", SINGLE, DOUBLE))
                renamed[f"{node.name}:{index}"] = f"{name}:0"
    own = {cast.name for cast in casts if cast.attr["SrcT"].type == SINGLE}
    graph.node.extend(casts)
    for node in graph.node:
        for index, name in enumerate(node.input):
            full = name if ":" in name else f"{name}:0"
            if node.name not in own and not name.startswith("^") and full in renamed:
                node.input[index] = renamed[full]
    return renamed


def _rewrite_body(body: function_pb2.FunctionDef) -> None:
    """Turns every float32 of a loop's body or condition into float64.

    One with an operator that has no such kernel is left as it is: if it is called, TensorFlow
    refuses the graph.
    """
    body.signature.name += SUFFIX
    if any(_stays_single(node, op_def_registry.get(node.op)) for node in body.node_def):
        return
    for arg in (*body.signature.input_arg, *body.signature.output_arg):
        arg.type = DOUBLE if arg.type == SINGLE else arg.type
    for node in body.node_def:
        for value in node.attr.values():
            _to_double(value)


def _stays_single(node: node_def_pb2.NodeDef, definition: Any) -> bool:
    """Returns whether an operator has no kernel for float64, or gives float32 whatever it reads."""
    if definition is None:  # a function of this graph
        return False
    if any(arg.type == SINGLE for arg in (*definition.input_arg, *definition.output_arg)):
        return True
    return any(
        node.attr[attr.name].type == SINGLE
        and attr.HasField("allowed_values")
        and DOUBLE not in attr.allowed_values.list.type
        for attr in definition.attr
        if attr.type == "type"
    )


def _types(node: node_def_pb2.NodeDef, arguments: Iterable[Any]) -> Iterator[int]:
    """Yields the dtype of each tensor that an operator reads, or gives."""
    for arg in arguments:
        if arg.type_list_attr:
            yield from node.attr[arg.type_list_attr].list.type
            continue
        count = node.attr[arg.number_attr].i if arg.number_attr else 1
        yield from [arg.type or node.attr[arg.type_attr].type] * count


def _cast(name: str, read: str, source: int, target: int) -> node_def_pb2.NodeDef:
    node = node_def_pb2.NodeDef(name=name, op="Cast", input=[read])
    node.attr["SrcT"].type, node.attr["DstT"].type = source, target
    return node


def _to_double(value: attr_value_pb2.AttrValue) -> None:
    kind = value.WhichOneof("value")
    if kind == "func":
        value.func.name += SUFFIX
    elif kind == "type" and value.type == SINGLE:
        value.type = DOUBLE
    elif kind == "list":
        value.list.type[:] = [DOUBLE if dtype == SINGLE else dtype for dtype in value.list.type]
    elif kind == "tensor" and value.tensor.dtype == SINGLE:
        exact = tf.make_ndarray(value.tensor).astype(np.float64)
        value.tensor.CopyFrom(tf.make_tensor_proto(exact))
