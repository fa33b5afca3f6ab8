"""Finds the calls of recurrent layers in a model, and marks them for what replaces them later.

A marked call is traced as a function that implements something else, which TFLite's converter
leaves as one custom operator, whatever the function holds:
https://ai.google.dev/edge/litert/models/operation_fusion
"""

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from export.convert.recurrent.description import KERAS_2, Recurrent, describe, refusal
from export.model.loaded import LoadedModel, traced

NAME = "edge_export_recurrent_"  # of a custom operator; the number of the mark follows
STEPS_AXIS = 1
AS_IT_IS = ("Identity", "Reshape", "ReverseV2")  # its numbers, if not in their order


@dataclass(frozen=True, kw_only=True, eq=False)
class Call:
    """A use of a recurrent layer of one direction.

    Attributes:
        layer: the layer.
        name: what people call it.
        recurrent: what it computes; None where that cannot be described.
        why: why it cannot be; empty where it can.
        batch, steps: how many examples and steps it takes; None for any number.
        masked: whether it is told which steps count.
        given_states: whether it begins with states that are computed.
        passes_states: whether its states are among what it returns.
        multiplied: whether its output is multiplied by that of another.
    """

    layer: Any
    name: str
    recurrent: Recurrent | None
    why: str
    batch: int | None
    steps: int | None
    masked: bool
    given_states: bool
    passes_states: bool
    multiplied: bool = False


def calls_in(model: LoadedModel, batch: int | None) -> list[Call]:
    """Returns the calls of recurrent layers in a model, in its order.

    Args:
        model: the model.
        batch: the fixed batch size, or None for an open one.
    """
    found: list[Call] = []
    outputs: list[tf.Tensor] = []

    def seen(call: Call, original: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        found.append(call)
        given = original(**arguments)
        outputs.append(tf.nest.flatten(given)[0])
        return given

    with _watched(model.recurrent, seen):
        traced(model.call, model.inputs, batch)
    products = [_products_of(output) for output in outputs]
    return [
        replace(call, multiplied=any(each & other for other in products if other is not each))
        for call, each in zip(found, products, strict=True)
    ]


def _products_of(output: tf.Tensor) -> set[str]:
    """Returns which products read a layer's output as it is."""
    found: set[str] = set()
    for operator in output.consumers():
        if operator.type in AS_IT_IS:
            found |= _products_of(operator.outputs[0])
        elif operator.type == "Mul":
            found.add(operator.name)
    return found


@contextmanager
def marked(layers: Collection[Any]) -> Iterator[list[Call]]:
    """Has calls of some layers marked while they are traced.

    Yields:
        The calls, to which each that is traced is added; the number of a mark is its place.
    """
    found: list[Call] = []

    def mark(call: Call, _: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        found.append(call)
        x = arguments[next(iter(arguments))]
        given = [x, *([arguments["mask"]] if call.masked else [])]
        if call.given_states:
            given += tf.nest.flatten(arguments["initial_state"])
        return _marked(len(found) - 1, call, [tf.convert_to_tensor(each) for each in given])

    with _watched(layers, mark):
        yield found


Handler = Callable[[Call, Callable[..., Any], Mapping[str, Any]], Any]


@contextmanager
def _watched(layers: Collection[Any], handler: Handler) -> Iterator[None]:
    layers = list({id(layer): layer for layer in layers}.values())
    for layer in layers:
        vars(layer)["call"] = _replaced(layer, layer.call, handler)
    try:
        yield
    finally:
        for layer in layers:
            del vars(layer)["call"]


def _replaced(layer: Any, original: Callable[..., Any], handler: Handler) -> Callable[..., Any]:
    signature = inspect.signature(original)
    why = refusal(layer) or ""
    recurrent = None if why else describe(layer)  # here: while tracing, variables have no values

    def call(*values: Any, **named: Any) -> Any:
        arguments = signature.bind(*values, **named).arguments
        x = arguments[next(iter(arguments))]
        found = Call(
            layer=layer,
            name=layer.name,
            recurrent=recurrent,
            why=why,
            batch=x.shape[0],
            steps=x.shape[STEPS_AXIS],
            masked=arguments.get("mask") is not None,
            given_states=arguments.get("initial_state") is not None,
            passes_states=bool(getattr(layer, "return_state", False)),
        )
        return handler(found, original, arguments)

    return call


def _marked(number: int, call: Call, given: Sequence[tf.Tensor]) -> Any:
    """Returns something of the shapes of what the layer returns, by a function of its inputs.

    The last output is the first state: of the two, the mark has one.
    """
    layer = call.recurrent
    if layer is None:
        raise ValueError(f"layer {call.name!r} is not described")
    cell = layer.cells[0]
    state = [call.batch, cell.units]
    output = [call.batch, call.steps, cell.units] if layer.return_sequences else state
    shapes = [output, *[state] * len(later_states(layer, passed=call.passes_states))]
    attribute = f'name: "{NAME}{number}" attr {{ key: "tfl_fusable_op" value {{ b: true }} }}'

    def of(*tensors: tf.Tensor) -> tuple[tf.Tensor, ...]:
        sums = [tf.reduce_sum(tf.cast(tensor, tf.float32)) for tensor in tensors]
        total = tf.add_n(sums)  # nothing that it takes is to be left out
        return tuple(tf.zeros(shape) + total for shape in shapes)

    of.__name__ = f"{NAME}{number}"
    function = tf.function(of, autograph=False, experimental_implements=attribute)
    found = function(*given)
    if not call.passes_states:
        return found[0]
    returned = list(found) if layer.return_sequences else [found[0], *found]
    of_keras_2 = type(call.layer).__module__.startswith(KERAS_2)
    return returned if of_keras_2 else tuple(returned)  # Bidirectional joins what each returns


def later_states(layer: Recurrent, *, passed: bool) -> range:
    """Returns which states a marked operator has as outputs behind the first."""
    if not passed:
        return range(0)
    return range(0 if layer.return_sequences else 1, layer.cells[0].states)
