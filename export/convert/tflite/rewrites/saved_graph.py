"""Rewrites operators of a SavedModel that TFLite lacks, or that are inexact in integers.

Each is replaced by a call of a function that computes the same with others. The converter puts its
body in the place of the call.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import function_pb2, node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

SAVED_MODEL = "saved_model.pb"
SHAPES = "_output_shapes"
# Keras's and the paper's: https://arxiv.org/abs/1706.02515
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

Attributes = Mapping[str, Any]
Rewrite = Callable[..., tf.Tensor]


def _pool_3d(pool: Callable[..., tf.Tensor], x: tf.Tensor, attributes: Attributes) -> tf.Tensor:
    """Pools rows and columns, then what lies behind each other."""
    _, deep, *flat, _ = list(attributes["ksize"].list.i)
    _, step, *steps, _ = list(attributes["strides"].list.i)
    padding = attributes["padding"].s.decode()
    batch, depth, height, width, channels = _sizes(x)
    planes = tf.reshape(x, (batch * depth, height, width, channels))
    planes = pool(planes, flat, steps, padding)
    _, height, width, _ = _sizes(planes)
    columns = tf.reshape(planes, (batch, depth, height * width, channels))
    columns = pool(columns, (deep, 1), (step, 1), padding)
    return tf.reshape(columns, (batch, _sizes(columns)[1], height, width, channels))


def _conv_3d(x: tf.Tensor, kernel: tf.Tensor, attributes: Attributes) -> tf.Tensor:
    """Convolves planes, those that a kernel covers one behind the other beside each other."""
    strides = list(attributes["strides"].list.i)[1:4]
    dilations = (list(attributes["dilations"].list.i) or [1] * 5)[1:4]
    padding = attributes["padding"].s.decode()
    deep, high, wide, given, made = kernel.shape
    batch, depth, height, width, channels = _sizes(x)
    reach = (deep - 1) * dilations[0] + 1
    if padding == "SAME":
        count = math.ceil(depth / strides[0])
        missing = max(0, (count - 1) * strides[0] + reach - depth)
        before = missing // 2
        x = tf.pad(x, ((0, 0), (before, missing - before), (0, 0), (0, 0), (0, 0)))
    else:
        count = (depth - reach) // strides[0] + 1
    last = (count - 1) * strides[0] + 1
    taps = [x[:, i * dilations[0] : i * dilations[0] + last : strides[0]] for i in range(deep)]
    planes = tf.reshape(tf.concat(taps, -1), (batch * count, height, width, deep * channels))
    kernel = tf.reshape(tf.transpose(kernel, (1, 2, 0, 3, 4)), (high, wide, deep * given, made))
    planes = tf.nn.conv2d(planes, kernel, strides[1:], padding, dilations=dilations[1:])
    _, height, width, _ = _sizes(planes)
    return tf.reshape(planes, (batch, count, height, width, made))


def _softplus(x: tf.Tensor, _: Attributes) -> tf.Tensor:
    """log(1 + eˣ) = max(x, 0) - log σ(|x|), whose terms are no larger than the result."""
    return tf.nn.relu(x) - tf.math.log(tf.sigmoid(tf.abs(x)))


def _selu(x: tf.Tensor, _: Attributes) -> tf.Tensor:
    """λ (max(x, 0) + α min(eˣ - 1, 0)) by ELU, of which LiteRT has an integer kernel."""
    return SELU_SCALE * (SELU_ALPHA * tf.nn.elu(x) - (SELU_ALPHA - 1) * tf.nn.relu(x))


# What TFLite has no operator for.
LACKING: dict[str, Rewrite] = {
    "AvgPool3D": lambda x, a: _pool_3d(tf.nn.avg_pool2d, x, a),
    "MaxPool3D": lambda x, a: _pool_3d(tf.nn.max_pool2d, x, a),
    "Acos": lambda x, _: tf.atan2(tf.sqrt(1 - x * x), x),
    "Acosh": lambda x, _: tf.math.log(x + tf.sqrt(x * x - 1)),
    "Asin": lambda x, _: tf.atan2(x, tf.sqrt(1 - x * x)),
    "Asinh": lambda x, _: tf.sign(x) * tf.math.log(tf.abs(x) + tf.sqrt(x * x + 1)),
    "Atan": lambda x, _: tf.atan2(x, tf.ones_like(x)),
    "Atanh": lambda x, _: tf.math.log((1 + x) / (1 - x)) / 2,
    "Cosh": lambda x, _: (tf.exp(x) + tf.exp(-x)) / 2,
    "Sinh": lambda x, _: (tf.exp(x) - tf.exp(-x)) / 2,
    "Tan": lambda x, _: tf.sin(x) / tf.cos(x),
}
# What the converter takes apart so that 8 bits are too few, or what has no integer kernel.
INEXACT: dict[str, Rewrite] = {"Conv3D": _conv_3d, "Selu": _selu, "Softplus": _softplus}


def contains(folder: Path, table: Mapping[str, Rewrite]) -> bool:
    """Returns whether a SavedModel has operators of a table."""
    functions = _functions(_read(folder))
    return any(node.op in table for function in functions for node in function.node_def)


def rewrite(folder: Path, table: Mapping[str, Rewrite]) -> None:
    """Rewrites the operators of a table in the SavedModel in a folder, in place.

    Of floats; where the sizes of what they read are known but for the batch.
    """
    content = _read(folder)
    changed = False
    for graph in content.meta_graphs:
        library = graph.graph_def.library
        for function in list(library.function):
            shapes = _shapes(function)
            for node in function.node_def:
                if node.op in table and _type(node) == tf.float32.as_datatype_enum:
                    read = [shapes.get(name) for name in node.input if not name.startswith("^")]
                    changed |= _replace(function, node, table[node.op], read, library)
    if changed:
        (folder / SAVED_MODEL).write_bytes(content.SerializeToString(deterministic=True))


def _replace(
    function: function_pb2.FunctionDef,
    node: node_def_pb2.NodeDef,
    compute: Rewrite,
    shapes: list[tf.TensorShape | None],
    library: function_pb2.FunctionDefLibrary,
) -> bool:
    """Makes a node the call of a new function; returns whether that was possible."""
    known = [shape for shape in shapes if shape is not None and shape.rank is not None]
    if len(known) < len(shapes) or any(None in shape.as_list()[1:] for shape in known):
        return False
    attributes = node_def_pb2.NodeDef()
    attributes.CopyFrom(node)

    @tf.function(autograph=False)
    def equal(*tensors: tf.Tensor) -> tf.Tensor:
        return compute(*tensors, attributes.attr)

    traced = equal.get_concrete_function(*(tf.TensorSpec(shape) for shape in known))
    added = traced.graph.as_graph_def().library.function  # of what it calls, such as tf.nn.relu6
    definition = traced.function_def
    definition.signature.name = f"equal_{len(library.function)}_{node.op}"
    library.function.extend([*added, definition])
    (was,) = op_def_registry.get(node.op).output_arg
    node.op = "PartitionedCall"
    node.ClearField("attr")
    node.attr[SHAPES].CopyFrom(attributes.attr[SHAPES])
    node.attr["f"].func.name = definition.signature.name
    node.attr["Tin"].list.type.extend([tf.float32.as_datatype_enum] * len(known))
    node.attr["Tout"].list.type.append(tf.float32.as_datatype_enum)
    # a function's nodes refer to outputs by their names in the operator's definition
    before, after = f"{node.name}:{was.name}:0", f"{node.name}:output:0"
    for each in function.node_def:
        for index, name in enumerate(each.input):
            if name == before:
                each.input[index] = after
    for key, name in function.ret.items():
        if name == before:
            function.ret[key] = after
    return True


def _shapes(function: function_pb2.FunctionDef) -> dict[str, tf.TensorShape]:
    """Returns the shapes of a function's values by the names that its nodes know them by."""
    found = {}
    inputs = zip(function.signature.input_arg, function.arg_attr.items(), strict=False)
    for argument, (_, attributes) in inputs:
        shapes = _shape(attributes.attr)
        if shapes:
            found[argument.name] = tf.TensorShape(shapes[0])
    for node in function.node_def:
        definition = op_def_registry.get(node.op)
        if definition is not None and len(definition.output_arg) == 1:
            shapes = _shape(node.attr)
            if len(shapes) == 1:
                found[f"{node.name}:{definition.output_arg[0].name}:0"] = tf.TensorShape(shapes[0])
    return found


def _shape(attributes: Mapping[str, Any]) -> Sequence[Any]:
    """Returns the shapes that attributes tell; to ask for a missing one would make it."""
    return attributes[SHAPES].list.shape if SHAPES in attributes else ()


def _type(node: node_def_pb2.NodeDef) -> int | None:
    return int(node.attr["T"].type) if "T" in node.attr else None


def _sizes(x: tf.Tensor) -> list[Any]:
    """Returns the sizes of a tensor, an open batch's as a tensor."""
    batch = tf.shape(x)[0] if x.shape[0] is None else x.shape[0]
    return [batch, *x.shape[1:]]


def _functions(content: saved_model_pb2.SavedModel) -> list[function_pb2.FunctionDef]:
    return [each for graph in content.meta_graphs for each in graph.graph_def.library.function]


def _read(folder: Path) -> saved_model_pb2.SavedModel:
    content = saved_model_pb2.SavedModel()
    content.ParseFromString((folder / SAVED_MODEL).read_bytes())
    return content
