"""A Keras 3 or tf-keras model as a function of named tensors.

Input dtypes are those that the model declares, with one exception. Keras declares every input as
float32 unless told otherwise, also one of token ids that goes into an Embedding, which casts
it to integers. Such an input is taken as int32: quantized as a float, only 256 of the ids
would be left. It is recognized in the graph, by being cast to integers and used for nothing else (a
mask's comparison aside), and the model's symbolic input is set to int32 as well, or Keras would
cast it to float32 and back.
"""

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2

from export.model.keras.inputs import Inputs, inputs_of, is_a
from export.model.keras.memory import Memory, memories_of, remembered
from export.model.keras.operators import plain_operators
from export.model.keras.precision import OTHERS, declare, in_float32
from export.model.keras.time_distributed import time_in_batch
from export.model.loaded import LoadedModel, Tensors, traced
from export.model.reason import attempt, reason_of
from export.model.request import ModelRequest
from export.model.signature import (
    ONE_OUTPUT,
    Path,
    fill,
    flatten,
    of_batch,
    open_dimensions,
    path_name,
    unique,
)
from train.common.errors import ToolkitError
from train.common.tensors import TensorSpec

# Operators by which a call changes variables.
CHANGES = re.compile(r"Assign(Add|Sub)?VariableOp|ResourceScatter\w*")
Check = Callable[[Iterable[str]], None]


@dataclass(frozen=True, kw_only=True)
class KerasCall:
    """Calls a model for inference with tensors by name; returns its outputs by name."""

    model: Any
    inputs: Inputs
    output_names: tuple[str, ...]
    memories: tuple[Memory, ...] = ()

    def __call__(self, tensors: Tensors) -> dict[str, tf.Tensor]:
        """Returns the outputs, of float32 where the model computes in another precision.

        The states of stateful layers are among the tensors, and behind the outputs.
        """
        structure = self.inputs.structure
        filled = fill(structure, [tensors[name] for _, name in flatten(structure)])
        flags = {"training": False} if _takes_training(self.model) else {}
        with (
            plain_operators(),
            time_in_batch(self.model),
            remembered(self.memories, tensors) as states,
        ):
            if self.inputs.by_keyword:
                raw = self.model(**filled, **flags)
            else:
                raw = self.model(filled, **flags)
        leaves = [(keys, leaf) for keys, leaf in flatten(raw) if leaf is not None]
        names = unique(
            self._names([keys for keys, _ in leaves]), (spec.name for spec in self.inputs.specs)
        )
        outputs = {name: leaf for name, (_, leaf) in zip(names, leaves, strict=True)}
        return {name: full_precision(leaf) for name, leaf in {**outputs, **states}.items()}

    def _names(self, paths: list[Path]) -> list[str]:
        """Returns names of outputs: keys of dicts, else of the layers, else numbers."""
        keyed = any(isinstance(key, str) for path in paths for key in path)
        if len(self.output_names) == len(paths) and not keyed:
            return list(self.output_names)
        return [path_name(path, ONE_OUTPUT) for path in paths]


def full_precision(value: Any) -> tf.Tensor:
    """Returns a tensor, in float32 if it was in half or double precision."""
    tensor = tf.convert_to_tensor(value)
    return tf.cast(tensor, tf.float32) if tensor.dtype.name in OTHERS else tensor


def open_keras(model: Any, request: ModelRequest, check: Check) -> LoadedModel:
    """Returns a Keras model as a function of named tensors.

    Args:
        model: the model.
        request: its path and the shapes given.
        check: is told the operators of the model's graph before any of it runs.

    Raises:
        ArtifactError: `check` refuses an operator.
        ToolkitError: the model's inputs are not known, or it fails on such inputs.
    """
    in_float32(model, request.path)
    inputs = inputs_of(model, request.path, request.shapes)
    layers = list(model._flatten_layers())
    memories = memories_of(layers, request.path)
    states = tuple(spec for memory in memories for spec in memory.specs)
    call = KerasCall(
        model=model,
        inputs=replace(inputs, specs=(*inputs.specs, *states)),
        output_names=_output_names(model),
        memories=memories,
    )
    batches = list(dict.fromkeys([None, inputs.declared_batch]))
    call, graph, batch = _traced(call, request.path, batches)
    check(operators_of(graph))
    check_repeatable(graph, request.path)
    call, graph = _with_integers(call, graph, batch)
    captured = {id(tensor) for tensor in graph.captured_inputs}
    is_keras = isinstance(model, keras.Model)
    own_batch = inputs.declared_batch
    if isinstance(model, keras.Sequential):  # built by its first call, it declares that one's batch
        own_batch = batch
    return LoadedModel(
        path=request.path,
        inputs=of_batch(call.inputs.specs, own_batch),
        outputs=of_batch(output_specs(graph, request.path, batch), own_batch),
        call=call,
        variables=tuple(
            (weight.path, weight.value) if is_keras else (weight.name.removesuffix(":0"), weight)
            for weight in model.weights
        ),
        resources=tuple(
            value
            for layer in layers
            for value in vars(layer).values()
            if isinstance(value, tf.saved_model.experimental.TrackableResource)
            and id(value.resource_handle) in captured
        ),
        fixed_batch=batch,
        layers=tuple(layers),
        recurrent=tuple(layer for layer in layers if hasattr(layer, "unroll")),
        # of what is stateful, the inputs and outputs are others
        keras_model=model if is_keras and not memories else None,
        tf_keras_model=None if is_keras or memories else model,
    )


def operators_of(graph: tf.types.experimental.ConcreteFunction) -> set[str]:
    """Returns the names of the operators in a graph and in the functions that it calls."""
    definition = graph.graph.as_graph_def()
    functions = {function.signature.name for function in definition.library.function}
    return {node.op for node in _nodes(definition)} - functions


def _nodes(definition: graph_pb2.GraphDef) -> list[node_def_pb2.NodeDef]:
    inner = (node for function in definition.library.function for node in function.node_def)
    return [*definition.node, *inner]


def check_repeatable(graph: tf.types.experimental.ConcreteFunction, path: str) -> None:
    """Checks that a traced call changes no variables of real numbers.

    Integers may be the seeds of dropout, which recurrent layers draw even where they don't use it.

    Raises:
        ToolkitError: it does, so that its outputs may depend on earlier calls.
    """
    changing = {
        node.op
        for node in _nodes(graph.graph.as_graph_def())
        if CHANGES.fullmatch(node.op) and tf.as_dtype(node.attr["dtype"].type).is_floating
    }
    if changing:
        raise ToolkitError(
            f"{path} changes its own variables when it is called ({', '.join(sorted(changing))}), "
            "as stateful layers do, so that outputs depend on earlier calls; build it so that "
            "inference changes nothing"
        )


def output_specs(
    graph: tf.types.experimental.ConcreteFunction, path: str, batch: int | None
) -> tuple[TensorSpec, ...]:
    """Returns the outputs of a traced call.

    Raises:
        ToolkitError: an output does not hold one value an example, examples first.
    """
    specs = []
    for name, tensor in graph.structured_outputs.items():
        shape = tensor.shape
        if not shape.rank or shape[0] not in (None, batch):
            raise ToolkitError(
                f"{path}: output {name!r} has shape {shape}, expected the examples of the batch "
                "as its first dimension"
            )
        dtype = tensor.dtype.name
        specs.append(TensorSpec(name=name, shape=(None, *shape.as_list()[1:]), dtype=dtype))
    return tuple(specs)


def _traced(
    call: KerasCall, path: str, batches: list[int | None]
) -> tuple[KerasCall, tf.types.experimental.ConcreteFunction, int | None]:
    """Returns the call's graph for the first of some batch sizes that works.

    A subclassed model does not say what dtype it takes: where float32 fails, int32 is tried, for
    a model that looks things up by its input.
    """
    calls = [call] if call.inputs.symbolic else [call, _of_dtype(call, "int32")]
    errors = []
    for candidate in calls:
        for batch in batches:
            graph = attempt(partial(_traced_once, candidate, path, batch))
            if not isinstance(graph, Exception):
                return candidate, graph, batch
            errors.append(graph)
    if isinstance(errors[0], ToolkitError):
        raise errors[0]
    given = "; ".join(map(str, call.inputs.specs))
    message = f"{path} fails on inputs {given}: {reason_of(errors[0])}"
    if not call.inputs.symbolic or open_dimensions(call.inputs.specs):
        message += "; give the inputs it takes with --shape name=1,…"
    raise ToolkitError(message) from errors[0]


def _traced_once(
    call: KerasCall, path: str, batch: int | None
) -> tf.types.experimental.ConcreteFunction:
    graph = traced(call, call.inputs.specs, batch)
    output_specs(graph, path, batch)
    return graph


def _of_dtype(call: KerasCall, dtype: str) -> KerasCall:
    specs = tuple(replace(spec, dtype=dtype) for spec in call.inputs.specs)
    return replace(call, inputs=replace(call.inputs, specs=specs))


def _with_integers(
    call: KerasCall, graph: tf.types.experimental.ConcreteFunction, batch: int | None
) -> tuple[KerasCall, tf.types.experimental.ConcreteFunction]:
    """Returns the call and its graph with int32 for inputs that are only used as integers."""
    placeholders = {tensor.op.name: tensor for tensor in graph.inputs}
    integers = [
        spec.dtype == "float32" and _is_cast_to_integers(placeholders[spec.name])
        for spec in call.inputs.specs
    ]
    if not any(integers):
        return call, graph
    for is_integer, tensor in zip(integers, call.inputs.symbolic, strict=False):
        if is_integer:
            declare(tensor, "int32")
    specs = tuple(
        replace(spec, dtype="int32") if is_integer else spec
        for is_integer, spec in zip(integers, call.inputs.specs, strict=True)
    )
    call = replace(call, inputs=replace(call.inputs, specs=specs))
    return call, traced(call, specs, batch)


def _is_cast_to_integers(placeholder: tf.Tensor) -> bool:
    consumers = placeholder.consumers()
    casts = [op for op in consumers if op.type == "Cast" and op.outputs[0].dtype.is_integer]
    others = [op for op in consumers if op not in casts and op.type not in ("NotEqual", "Equal")]
    return bool(casts) and not others


def _takes_training(model: Any) -> bool:
    parameters = inspect.signature(model.call).parameters.values()
    return any(p.name == "training" or p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)


def _output_names(model: Any) -> tuple[str, ...]:
    if is_a(model, "Sequential"):
        return (model.layers[-1].name,)
    return tuple(getattr(model, "output_names", None) or ())
