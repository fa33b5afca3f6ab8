"""The graph of a Keras 3 or tf-keras model as a flat list of layer calls.

Both libraries keep the nodes of a functional model by depth in `_nodes_by_depth`; there is no
public way to them, in Keras 3.15 as little as in tf-keras. They are read here rather than run
through (`_run_through_graph`), because what is folded depends on who else reads a tensor.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
import tf_keras
from keras.src.models.functional import Functional

from export.model.loaded import LoadedModel
from train.common.errors import ToolkitError

# Layers that do nothing at inference, and are left out of copies.
DROPPED = frozenset(
    {
        *("Identity", "ActivityRegularization", "GaussianDropout", "GaussianNoise"),
        *("AlphaDropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
    }
)
# Keras 3 records the masks that layers hand on as arguments; tf-keras finds them again by itself.
IGNORED_ARGUMENTS = ("training", "mask", "query_mask", "value_mask", "key_mask")


@dataclass(frozen=True, kw_only=True, eq=False)
class Tensor:
    """A value in the graph, known by its identity.

    `operation` is what makes it if that is no layer: harmless as long as no layer but a mask's
    receiver reads it.
    """

    operation: Any | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Call:
    """One use of a layer; of a shared layer there are several.

    Attributes:
        layer: the layer.
        args, kwargs: what it is given, nested, with tensors as leaves.
        outputs: what it returns, flattened.
        folded: a batch normalization of its result that is a part of it, if any.
        reads_folded: a batch normalization of what it reads that is a part of it, if any.
    """

    layer: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[Tensor, ...]
    folded: Any | None = None
    reads_folded: Any | None = None

    @property
    def reads(self) -> list[Tensor]:
        """The tensors it is given, each as often as it is."""
        leaves = tf.nest.flatten((self.args, dict(self.kwargs)))
        return [leaf for leaf in leaves if isinstance(leaf, Tensor)]

    @property
    def kind(self) -> str:
        """The name of the layer's class."""
        return type(self.layer).__name__


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Layer calls in an order in which they can be run, nested models resolved."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    calls: tuple[Call, ...]


def graph_of(model: LoadedModel) -> Graph:
    """Returns the graph of a model, inputs and outputs in the order of its specs.

    Raises:
        ToolkitError: its layers are not known, or it uses an operation that is no layer.
    """
    network = model.tf_keras_model if model.keras_model is None else model.keras_model
    if not _is_network(network):
        raise ToolkitError(
            f"{model.path} does not say how its layers are connected, which fine-tuning needs, as "
            "it is a SavedModel, is stateful or computes by code of its own; use tflite-int8, "
            "which needs no fine-tuning"
        )
    inputs = tuple(Tensor() for _ in model.inputs)
    calls: list[Call] = []
    outputs = _walk(network, inputs, calls)
    for tensor in (*(tensor for call in calls for tensor in call.reads), *outputs):
        if tensor.operation is not None:
            kind = type(tensor.operation).__name__
            raise ToolkitError(
                f"operation {tensor.operation.name!r} ({kind}) is no layer and cannot be rebuilt "
                "for fine-tuning; use a layer instead (keras.layers.Add for +), or tflite-int8, "
                "which needs no fine-tuning"
            )
    return Graph(inputs=inputs, outputs=tuple(outputs), calls=tuple(calls))


def fill_in(structure: Any, values: Mapping[Tensor, Any]) -> Any:
    """Returns nested arguments with values for the tensors."""
    return tf.nest.map_structure(
        lambda leaf: values[leaf] if isinstance(leaf, Tensor) else leaf, structure
    )


def _is_network(layer: Any) -> bool:
    """Returns whether it is a model whose graph is known."""
    if isinstance(layer, keras.Sequential | Functional | tf_keras.Sequential):
        return bool(layer.built)
    return isinstance(layer, tf_keras.Model) and bool(layer._is_graph_network)


def _walk(network: Any, inputs: Sequence[Any], calls: list[Call]) -> list[Any]:
    """Appends the calls that a model makes of these inputs; returns its outputs."""
    if isinstance(network, keras.Sequential | tf_keras.Sequential):
        values = list(inputs)
        for layer in network.layers:
            values = _call(layer, tuple(values), {}, 1, calls)
        return values
    known = {id(symbol): value for symbol, value in zip(network.inputs, inputs, strict=True)}

    def named(symbol: Any) -> Any:
        return known.get(id(symbol), symbol)

    for node in _nodes(network):
        args, kwargs = tf.nest.map_structure(named, _arguments(node))
        layer = node.operation if hasattr(node, "operation") else node.layer
        symbols = tf.nest.flatten(node.outputs)
        values = _call(layer, args, kwargs, len(symbols), calls)
        known.update((id(symbol), value) for symbol, value in zip(symbols, values, strict=True))
    return [known[id(symbol)] for symbol in network.outputs]


def _nodes(network: Any) -> Iterator[Any]:
    for depth in sorted(network._nodes_by_depth, reverse=True):
        for node in network._nodes_by_depth[depth]:
            if not node.is_input:
                yield node


def _arguments(node: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if hasattr(node, "arguments"):
        return tuple(node.arguments.args), dict(node.arguments.kwargs)
    return tuple(node.call_args), dict(node.call_kwargs)


def _call(
    layer: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    outputs: int,
    calls: list[Call],
) -> list[Any]:
    """Appends one call, or those of a nested model; returns what it returns, flattened."""
    if not isinstance(layer, keras.layers.Layer | tf_keras.layers.Layer):
        return [Tensor(operation=layer) for _ in range(outputs)]
    kept = {
        name: value
        for name, value in kwargs.items()
        if value is not None and name not in IGNORED_ARGUMENTS
    }
    if _is_network(layer):
        leaves = tf.nest.flatten((args, kept))
        return _walk(layer, [leaf for leaf in leaves if isinstance(leaf, Tensor)], calls)
    made = [Tensor() for _ in range(outputs)]
    calls.append(Call(layer=layer, args=args, kwargs=kept, outputs=tuple(made)))
    return made
