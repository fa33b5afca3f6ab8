"""What a Keras model takes: its inputs by name, and how they are passed to it.

Keras 3 and tf-keras models are told apart nowhere here: what is asked for, both have.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from export.model.keras.precision import OTHERS
from export.model.request import Shape
from export.model.signature import (
    fill,
    flatten,
    given_shapes,
    identifier,
    path_name,
    unique,
    with_shapes,
)
from train.common.errors import ToolkitError
from train.common.tensors import TensorSpec

NOT_INPUTS = {"training", "mask"}


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """A model's inputs.

    Attributes:
        specs: by name, the batch None.
        structure: the names, nested as the model takes them.
        by_keyword: whether the structure is a dict of the arguments of `call`, rather than the
            first of them.
        symbolic: the model's own symbolic tensors, in the order of `specs`; none if subclassed.
        declared_batch: the batch size that the model was built with, if any.
    """

    specs: tuple[TensorSpec, ...]
    structure: Any
    by_keyword: bool = False
    symbolic: tuple[Any, ...] = ()
    declared_batch: int | None = None


def inputs_of(model: Any, path: str, shapes: Mapping[str, Shape]) -> Inputs:
    """Returns the inputs of a model, with the shapes that `--shape` gives.

    Raises:
        ToolkitError: the shapes contradict the model, or are needed and were not given.
    """
    if _has_symbolic_inputs(model):
        return _symbolic_inputs(model, path, shapes)
    parameters = call_parameters(model)
    inputs = _recorded_inputs(model, parameters)
    if inputs is not None and set(given_shapes(shapes)) <= {spec.name for spec in inputs.specs}:
        return Inputs(
            specs=with_shapes(inputs.specs, shapes, binding=False),
            structure=inputs.structure,
            by_keyword=inputs.by_keyword,
        )
    if not shapes:
        example = " ".join(f"--shape {name}=1,…" for name in parameters[:1] or ["inputs"])
        raise ToolkitError(f"{path} does not say what shape its input has; give it with {example}")
    return _given_inputs(shapes, parameters)


def call_parameters(model: Any) -> list[str]:
    """Returns the names of the arguments of a model's `call` that can be inputs."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        name
        for name, parameter in inspect.signature(model.call).parameters.items()
        if parameter.kind not in kinds and name not in NOT_INPUTS
    ]


def is_a(model: Any, name: str) -> bool:
    """Returns whether a model is of a class of that name, of either library."""
    return any(base.__name__ == name for base in type(model).__mro__)


def _has_symbolic_inputs(model: Any) -> bool:
    if not is_a(model, "Functional") and not is_a(model, "Sequential"):
        return False
    try:
        return model.inputs is not None
    except AttributeError:  # Keras 3, of a Sequential model without its first shape
        return False


def _symbolic_inputs(model: Any, path: str, shapes: Mapping[str, Shape]) -> Inputs:
    structure = model.inputs[0] if is_a(model, "Sequential") else model.input
    leaves = flatten(structure)
    names = unique(
        path_name(keys, "") if any(isinstance(key, str) for key in keys) else leaf.name
        for keys, leaf in leaves
    )
    specs = []
    batches = set()
    for name, (_, leaf) in zip(names, leaves, strict=True):
        shape = tf.TensorShape(leaf.shape)
        if not shape.rank:
            raise ToolkitError(f"{path}: input {name!r} has no batch dimension, expected one")
        batches.add(shape[0])
        dtype = tf.as_dtype(leaf.dtype).name
        specs.append(TensorSpec(name=name, shape=(None, *shape.as_list()[1:]), dtype=dtype))
    return Inputs(
        specs=with_shapes(specs, shapes),
        structure=fill(structure, names),
        symbolic=tuple(leaf for _, leaf in leaves),
        declared_batch=max(batches - {None}, default=None),
    )


def _recorded_inputs(model: Any, parameters: list[str]) -> Inputs | None:
    """Returns the inputs that a subclassed model remembers being built or called with, if any."""
    arguments = _recorded_arguments(model, parameters)
    leaves = [
        (argument, keys, leaf)
        for argument, structure in arguments.items()
        for keys, leaf in flatten(structure, _is_shape)
    ]
    if not leaves or not all(_is_shape(leaf) or hasattr(leaf, "shape") for _, _, leaf in leaves):
        return None
    names = unique(path_name(keys, argument) for argument, keys, _ in leaves)
    specs = []
    for name, (_, _, leaf) in zip(names, leaves, strict=True):
        sizes = leaf if _is_shape(leaf) else tf.TensorShape(leaf.shape).as_list()
        dtype = "float32" if _is_shape(leaf) else tf.as_dtype(leaf.dtype).name
        dtype = "float32" if dtype in OTHERS else dtype
        specs.append(TensorSpec(name=name, shape=(None, *sizes[1:]), dtype=dtype))
    structure = fill(arguments, names, _is_shape)
    by_keyword = len(arguments) > 1
    return Inputs(
        specs=tuple(specs),
        structure=structure if by_keyword else next(iter(structure.values())),
        by_keyword=by_keyword,
    )


def _recorded_arguments(model: Any, parameters: list[str]) -> dict[str, Any]:
    """Returns by argument of `call` the shapes (or tf-keras's specs) of what was passed."""
    save_spec = getattr(model, "save_spec", None)  # tf-keras's, set by the first call
    specs = save_spec() if save_spec else None
    if specs is not None:
        positional, keywords = specs
        named = dict(zip(parameters, positional, strict=False))
        return named | {name: value for name, value in keywords.items() if name in parameters}
    built = (model.get_build_config() if hasattr(model, "get_build_config") else None) or {}
    if built.get("input_shape") is not None and parameters:
        return {parameters[0]: built["input_shape"]}
    named = {
        name.removesuffix("_shape"): shape for name, shape in built.get("shapes_dict", {}).items()
    }
    return named if set(named) <= set(parameters) else {}


def _given_inputs(shapes: Mapping[str, Shape], parameters: list[str]) -> Inputs:
    """Returns inputs of the given shapes: arguments of `call`, its first one, or a dict of it."""
    given = given_shapes(shapes)
    specs = tuple(
        TensorSpec(name=name, shape=(None, *shape[1:]), dtype="float32")
        for name, shape in given.items()
    )
    if len(given) == 1:
        return Inputs(specs=specs, structure=specs[0].name)
    if set(shapes) <= set(parameters):
        return Inputs(specs=specs, structure={n: identifier(n) for n in shapes}, by_keyword=True)
    return Inputs(specs=specs, structure={name: identifier(name) for name in shapes})


def _is_shape(value: Any) -> bool:
    if isinstance(value, tf.TensorShape):
        return True
    return isinstance(value, list | tuple) and all(
        size is None or isinstance(size, int | np.integer) for size in value
    )
