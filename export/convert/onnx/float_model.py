"""The float32 ONNX model, by tf2onnx."""

import gc
from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx
from tf2onnx import optimizer

# imported here, not when first used: a module of it takes a number of its counter of names
from tf2onnx.convert import from_function
from tf2onnx.graph import Node

from export.convert.onnx.graph.canonical import make_canonical
from export.convert.onnx.graph.fold import fold
from export.convert.onnx.graph.loops import read_constants_from_around
from export.convert.onnx.graph.pool import pool_globally
from export.convert.onnx.graph.reshape import store_shapes
from export.convert.onnx.handlers import HANDLERS
from export.convert.onnx.memory import release_memory
from export.convert.onnx.ordered import sets_in_order
from export.convert.onnx.recurrent.choice import Choice
from export.convert.onnx.recurrent.operators import RecurrentOperators, drop_unread_outputs
from export.convert.recurrent.masking import masks_alone
from export.convert.source import SourceModel
from export.formats.settings import Settings

EXAMPLES = 8  # on which the folded model is compared
ROUNDINGS = 1e-5  # of the largest output


def to_onnx(
    settings: Settings, source: SourceModel, choice: Choice, *, folded: bool = True
) -> onnx.ModelProto:
    """Returns the float32 model, with its recurrent layers as they were chosen.

    It is made once and kept in files, which each format changes in its own way.

    Args:
        settings: batch and opset.
        source: the model.
        choice: of what becomes of recurrent layers.
        folded: whether normalizations are part of the layers around them, where that computes the
            same but for rounding.
    """
    key = settings.batch, settings.opset, choice.text
    if (*key, True) not in source.onnx_files:
        for is_folded, model in zip((True, False), _to_onnx(settings, source, choice), strict=True):
            number = len(list(source.saved_in.glob("float32-*.onnx")))
            path = source.saved_in / f"float32-{number}.onnx"
            onnx.save(model, path)
            source.onnx_files[(*key, is_folded)] = path
    return onnx.load(source.onnx_files[(*key, folded)])


def _to_onnx(
    settings: Settings, source: SourceModel, choice: Choice
) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """Returns the float32 model, folded and as it was.

    `from_function`, because tf2onnx's `from_keras` fails on Keras 3 models with a KeyError.

    Raises:
        ValueError: the model has an operator that ONNX lacks; it is named.
    """
    signature = source.signature(settings.batch)
    serve = tf.function(source.serve, input_signature=signature)
    unrolled = source.model.recurrent if choice.unroll else ()
    operators = RecurrentOperators()
    with (
        source.model.unrolled(unrolled),
        operators.replacing(choice.fused),
        masks_alone(source.model.layers),
    ):
        # Functions in it become part of its graph: Keras compiles grouped convolutions by XLA.
        tf.config.run_functions_eagerly(True)
        try:
            function = serve.get_concrete_function(*signature)
        finally:
            tf.config.run_functions_eagerly(False)
        model = _from_function(serve, signature, settings.opset, operators.handlers())
        _store_captured(model, function)
    _check_operators(model)
    _order(model.graph.input, [spec.name for spec in source.inputs])
    _order(model.graph.output, [spec.name for spec in source.outputs])
    shapes = {spec.name: spec.shape for spec in (*source.inputs, *source.outputs)}
    for value in (*model.graph.input, *model.graph.output):
        _set_shape(value, shapes[value.name], settings.batch)
    store_shapes(model)
    read_constants_from_around(model.graph)
    drop_unread_outputs(model.graph)
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    pool_globally(folded)
    fold(folded)
    make_canonical(folded)
    make_canonical(model)
    examples = source.some_examples(settings.batch or EXAMPLES)
    is_exact = not examples or _compute_the_same(model, folded, examples)
    return folded if is_exact else model, model


def _compute_the_same(
    model: onnx.ModelProto, other: onnx.ModelProto, examples: Mapping[str, np.ndarray]
) -> bool:
    """Returns whether outputs differ by roundings alone, which a difference of two can enlarge."""
    before, after = (
        onnxruntime.InferenceSession(
            found.SerializeToString(), providers=["CPUExecutionProvider"]
        ).run(None, dict(examples))
        for found in (model, other)
    )
    return all(
        np.allclose(new, old, rtol=0, atol=ROUNDINGS * _largest(old), equal_nan=True)
        for old, new in zip(before, after, strict=True)
    )


def _largest(values: np.ndarray) -> float:
    return float(np.abs(values[np.isfinite(values)]).max(initial=0))


def _from_function(
    serve: Any, signature: list[tf.TensorSpec], opset: int | None, handlers: Mapping[str, Any]
) -> onnx.ModelProto:
    """Calls tf2onnx, and keeps it from keeping dozens of copies of the weights.

    Each of its optimizers, a dozen and twice over, writes the weights into the same protobuf
    messages anew, which give nothing back before they are deleted. And each gets a copy of the
    graph, to go on without one that fails, whose cycles Python frees late. 100 MB made 9 GB.

    Args:
        serve: the model as a `tf.function`.
        signature: its inputs.
        opset: of the ONNX model.
        handlers: what converts operators that tf2onnx does not know.
    """
    update, optimizers = Node.update_proto, optimizer._optimizers

    def update_anew(node: Any, *arguments: Any) -> None:
        before = node._op
        node._op = onnx.NodeProto(name=before.name, op_type=before.op_type, domain=before.domain)
        update(node, *arguments)

    def after_release(made: Callable[[], Any]) -> Callable[[], Any]:
        def make() -> Any:
            release_memory()
            return made()

        return make

    tf2onnx.utils.INTERNAL_NAME = 1  # a counter of this process, part of the nodes' names
    gc.freeze()  # else each release looks through all of TensorFlow, for a quarter of a second
    try:
        with (
            sets_in_order(),
            mock.patch.object(Node, "update_proto", update_anew),
            mock.patch.dict(optimizers, {n: after_release(made) for n, made in optimizers.items()}),
        ):
            model: onnx.ModelProto
            model, _ = from_function(
                serve,
                input_signature=signature,
                opset=opset,
                custom_op_handlers={**HANDLERS, **handlers},
            )
    finally:
        gc.unfreeze()
    return model


def _order(values: Any, names: list[str]) -> None:
    """Brings a graph's inputs or outputs, which tf2onnx sorts by name, into an order."""
    ordered = sorted(values, key=lambda value: names.index(value.name))
    del values[:]
    values.extend(ordered)


def _store_captured(model: onnx.ModelProto, function: Any) -> None:
    """Stores constants that the model's function captured, such as the means of a Normalization.

    tf2onnx takes them for inputs.
    """
    captured = {inner.name: outer for outer, inner in function.graph.captures}
    for value in list(model.graph.input):
        if value.name in captured:
            model.graph.input.remove(value)
            stored = onnx.numpy_helper.from_array(captured[value.name].numpy(), value.name)
            model.graph.initializer.append(stored)


def _set_shape(
    value: onnx.ValueInfoProto, shape: tuple[int | None, ...], batch: int | None
) -> None:
    """Writes what is known of a shape, which tf2onnx's inference may have missed."""
    dimensions = value.type.tensor_type.shape.dim
    del dimensions[:]
    for axis, size in enumerate((batch, *shape[1:])):
        dimension = dimensions.add()
        if size is not None:
            dimension.dim_value = size
        else:
            dimension.dim_param = "batch" if axis == 0 else f"{value.name}_{axis}"


def _check_operators(model: onnx.ModelProto) -> None:
    """tf2onnx passes operators that it does not know on as they are, such as Erfinv."""
    for node in model.graph.node:
        if not node.domain and not onnx.defs.has(node.op_type):
            raise ValueError(f"op {node.op_type} is not supported by ONNX")
