"""What a recurrent layer of Keras 3 or tf-keras computes, apart from how either library does it.

The gates of a cell are in Keras's order: i, f, c, o of an LSTM; z, r, h of a GRU. With x the step's
input, h and c the states, s the recurrent activation, g the activation:

    simple  h = g(x K + b + h R)
    lstm    c = s(f) c + s(i) g(c'), h = s(o) g(c), where i, f, c', o = x K + b + h R
    gru     h = z h + (1 - z) g(x K + b + (r h) R), where z and r are s(x K + b + h R); with
            `reset_after`, g(x K + b + r (h R + recurrent bias)), and all gates have both biases

Only Keras's own layers and cells are described: a subclass may compute anything.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from train.common.errors import ToolkitError

RECURRENT_LAYERS = "recurrent_layers"  # the observation of what a file has for them
STATES = "states"  # the observation of inputs that are zeros first, then what a call returned
Kind = Literal["simple", "lstm", "gru"]
CELLS: dict[str, Kind] = {"SimpleRNNCell": "simple", "LSTMCell": "lstm", "GRUCell": "gru"}
LAYERS = ("SimpleRNN", "LSTM", "GRU", "RNN")
GATES: dict[Kind, int] = {"simple": 1, "lstm": 4, "gru": 3}
BIDIRECTIONAL = "Bidirectional"
PACKAGES = ("keras.src.", "tf_keras.src.")
# Of the functions in `keras.activations`, by name: the parameters that they have by default.
ACTIVATIONS: dict[str, dict[str, float]] = {
    **{name: {} for name in ("linear", "tanh", "sigmoid", "relu", "softsign", "softplus")},
    "elu": {"alpha": 1.0},
    "leaky_relu": {"alpha": 0.2},
    "hard_sigmoid": {"alpha": 1 / 6, "beta": 0.5},  # alpha x + beta between 0 and 1
}
KERAS_2 = "tf_keras"
KERAS_2_ACTIVATIONS = {"hard_sigmoid": {"alpha": 0.2, "beta": 0.5}}


class IndescribableError(ToolkitError):
    """A recurrent layer that computes something of its own."""


@dataclass(frozen=True, kw_only=True)
class Activation:
    """An activation function of `ACTIVATIONS`; alpha and beta where it has such parameters."""

    name: str
    alpha: float | None = None
    beta: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """What computes one step.

    Attributes:
        kind: which of the equations above.
        units: how many numbers its output and each of its states hold.
        kernel: K, (features, gates * units) float32.
        recurrent_kernel: R, (units, gates * units) float32.
        bias: b, (gates * units,) float32, zeros where the cell has none.
        recurrent_bias: the same, added to h R; other than zero only with `reset_after`.
        activation: g.
        recurrent_activation: s; None of a simple cell.
        reset_after: whether a GRU's reset gate applies to the product with R.
    """

    kind: Kind
    units: int
    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray
    recurrent_bias: np.ndarray
    activation: Activation
    recurrent_activation: Activation | None
    reset_after: bool = False

    @property
    def states(self) -> int:
        """How many states there are: an LSTM's h and c, else h."""
        return 2 if self.kind == "lstm" else 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Recurrent:
    """A recurrent layer, or two in opposite directions; dropout does nothing in inference.

    Attributes:
        name: of the Keras layer.
        cells: the layer's; of a Bidirectional the forward and the backward layer's, of one kind.
        go_backwards: whether a single layer reads, and returns, its sequence from the end.
        merge_mode: what becomes of the two layers' outputs: concat, sum, mul or ave; None for both
            apart.
        return_sequences: whether outputs of all steps are returned, instead of the last.
        return_state: whether the states follow the outputs, the forward layer's first; of stateful
            layers they always do, see `export.model.keras.memory`.
        zero_output_for_mask: whether outputs of masked steps are zeros, instead of the step before.
        unroll: whether the Keras layer itself writes its steps out.
    """

    name: str
    cells: tuple[Cell, ...]
    go_backwards: bool
    merge_mode: str | None
    return_sequences: bool
    return_state: bool
    zero_output_for_mask: bool
    unroll: bool

    @property
    def bidirectional(self) -> bool:
        """Whether there are two directions."""
        return len(self.cells) == 2


def recurrent_layers(layers: Iterable[Any]) -> list[Any]:
    """Returns the recurrent ones of a model's layers, each once.

    A Bidirectional that `describe` takes stands for the two layers in it.

    Args:
        layers: all of Keras 3 or tf-keras, those in others too.
    """
    found: list[Any] = []
    inside: set[int] = set()
    for layer in layers:
        if _is_keras(layer, BIDIRECTIONAL) and refusal(layer) is None:
            inside |= {id(layer.forward_layer), id(layer.backward_layer)}
            found.append(layer)
        elif hasattr(layer, "unroll"):
            found.append(layer)
    return [layer for layer in found if id(layer) not in inside]


def refusal(layer: Any) -> str | None:
    """Returns why a layer cannot be described; None if it can."""
    try:
        describe(layer)
    except IndescribableError as error:
        return str(error)
    return None


def describe(layer: Any) -> Recurrent:
    """Returns what a built layer computes: LSTM, GRU, SimpleRNN, RNN of their cells, Bidirectional.

    Raises:
        IndescribableError: it computes something else; layer and cause are named.
    """
    if not _is_keras(layer, BIDIRECTIONAL):
        return _single(layer)
    one, other = _single(layer.forward_layer), _single(layer.backward_layer)
    kinds = [(c.kind, c.units, c.reset_after) for found in (one, other) for c in found.cells]
    if one.go_backwards or len(set(kinds)) > 1:
        raise _refused(layer, "has layers of two kinds or sizes, or its forward one goes backwards")
    if {one.zero_output_for_mask, other.zero_output_for_mask} != {one.return_sequences}:
        raise _refused(layer, "has layers that treat masked steps in another way than Keras's")
    return Recurrent(
        name=layer.name,
        cells=(*one.cells, *other.cells),
        go_backwards=False,
        merge_mode=layer.merge_mode,
        return_sequences=one.return_sequences,
        return_state=one.return_state,
        zero_output_for_mask=one.zero_output_for_mask,
        unroll=one.unroll or other.unroll,
    )


def _single(layer: Any) -> Recurrent:
    if not _is_keras(layer, *LAYERS):
        raise _refused(layer, f"is none of Keras's {', '.join(LAYERS)}")
    if not layer.built:
        raise _refused(layer, "has no weights yet")
    if layer.compute_dtype != "float32":
        raise _refused(layer, f"computes in {layer.compute_dtype}, expected float32")
    if getattr(layer, "time_major", False):
        raise _refused(layer, "takes steps first, examples second")
    return Recurrent(
        name=layer.name,
        cells=(_cell(layer),),
        go_backwards=layer.go_backwards,
        merge_mode=None,
        return_sequences=layer.return_sequences,
        return_state=layer.return_state or layer.stateful,
        zero_output_for_mask=bool(getattr(layer, "zero_output_for_mask", False)),
        unroll=layer.unroll,
    )


def _cell(layer: Any) -> Cell:
    cell = layer.cell
    if not _is_keras(cell, *CELLS):
        raise _refused(layer, f"has a cell of its own, {type(cell).__name__}")
    kind = CELLS[type(cell).__name__]
    width = GATES[kind] * cell.units
    biases = np.zeros((2, width), np.float32)
    if cell.use_bias:
        stored = cell.bias.numpy()
        biases[: stored.size // width] = stored.reshape(-1, width)
    return Cell(
        kind=kind,
        units=cell.units,
        kernel=cell.kernel.numpy().astype(np.float32),
        recurrent_kernel=cell.recurrent_kernel.numpy().astype(np.float32),
        bias=biases[0],
        recurrent_bias=biases[1],
        activation=_activation(layer, cell.activation),
        recurrent_activation=(
            None if kind == "simple" else _activation(layer, cell.recurrent_activation)
        ),
        reset_after=kind == "gru" and bool(cell.reset_after),
    )


def _activation(layer: Any, function: Any) -> Activation:
    name = getattr(function, "__name__", type(function).__name__)
    module = getattr(function, "__module__", "")
    if name not in ACTIVATIONS or not module.startswith((*PACKAGES, "tensorflow.python.")):
        raise _refused(
            layer, f"has the activation {name}, expected one of {', '.join(ACTIVATIONS)}"
        )
    parameters = dict(ACTIVATIONS[name])
    if module.startswith(KERAS_2):
        parameters |= KERAS_2_ACTIVATIONS.get(name, {})
    return Activation(name=name, **parameters)


def _is_keras(thing: Any, *names: str) -> bool:
    """Returns whether something is of one of Keras's classes for recurrence, not of a subclass."""
    own = type(thing).__module__.startswith(tuple(f"{each}layers.rnn." for each in PACKAGES))
    return own and type(thing).__name__ in names


def _refused(layer: Any, why: str) -> IndescribableError:
    return IndescribableError(f"layer {layer.name!r} ({type(layer).__name__}) {why}")
