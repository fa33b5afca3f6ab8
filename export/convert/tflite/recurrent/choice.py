"""What becomes of each recurrent layer in a `.tflite` file.

- `fused`: UNIDIRECTIONAL_SEQUENCE_LSTM, one operator.
- `loop`: WHILE; in integers with states of 16 bits.
- `unrolled`: its steps written out, which takes operators, and so bytes, for each of them.

Of few steps, operators written out are the fastest on a CPU: an LSTM of 16 units and 12 steps took
6 µs, fused 11, looped 16 (LiteRT 2.3, x86-64, one thread); but 26 kB more. From 64 units and 28
steps on they are the slowest, as each step's copy of the weights goes through the cache. 64 units
in float take 0.6 of the fused operator's time as a loop, 16 units the same. In integers the fused
operator takes 1.4 times a loop's time, and 2 kB less; accelerators know it. Outputs that are
multiplied by each other are of loops in 8-bit formats: they are rounded once, as a product.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from export.convert.recurrent.description import KERAS_2, Cell, Recurrent
from export.convert.refusal import NoFormatHelpsError
from export.convert.tflite.recurrent.equations import ACTIVATIONS
from export.convert.tflite.recurrent.marks import Call, later_states
from export.formats.packages import PACKAGED
from export.formats.table import Format
from train.common.errors import ToolkitError

AUTO, FUSED, LOOP, UNROLLED = "auto", "fused", "loop", "unrolled"
# Steps of all recurrent layers together. What they take of a file: about 3 kB a step in float32.
FEW_STEPS = {False: 8, True: 4}  # by whether a format is of integers
# Of each layer, in the format that microcontrollers take. Of one step an LSTM of 16 units had
# 4.8 kB written out and 6.0 fused, a GRU 5.4 and 7.1 as a loop, and both less arena; of two steps
# an LSTM 11.2 and 6.0 kB, a GRU 11.0 and 7.1, and more arena.
SMALL_STEPS = 1
FLOAT_BYTES = 4
MOST_STEPS = 128  # beyond, conversion takes a minute and more
MOST_CARRIED_STEPS = 32  # with a carry of 8 bits, rounded at each; a ConvLSTM of 50 had 20 dB
MOST_UNROLLED_BYTES = 1 << 20  # of weights in float32, times steps
FUSED_UNITS = 32  # wider ones are faster as a loop of dense layers, in float


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A marked call, and what becomes of it."""

    call: Call
    way: str

    @property
    def cell(self) -> Cell:
        """What computes one step."""
        return self._described.cells[0]

    @property
    def sequences(self) -> bool:
        """Whether outputs of all steps are returned."""
        return self._described.return_sequences

    @property
    def go_backwards(self) -> bool:
        """Whether the last step is the first."""
        return self._described.go_backwards

    @property
    def zeros(self) -> bool:
        """Whether the output of a masked step is zeros."""
        return self._described.zero_output_for_mask

    @property
    def given_states(self) -> int:
        """How many states are inputs."""
        return self.cell.states if self.call.given_states else 0

    @property
    def later_states(self) -> range:
        """Which states are outputs behind the first one."""
        return later_states(self._described, passed=self.call.passes_states)

    @property
    def _described(self) -> Recurrent:
        if self.call.recurrent is None:
            raise ValueError(f"layer {self.call.name!r} {self.call.why}")
        return self.call.recurrent


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What becomes of the recurrent layers of a model.

    Attributes:
        calls: their calls, in order.
        ways: what becomes of each.
    """

    calls: tuple[Call, ...] = ()
    ways: tuple[str, ...] = ()

    @property
    def put_in(self) -> list[Any]:
        """Layers that are put in after conversion: what is fused, and loops of this toolkit."""
        return [
            call.layer
            for call, way in zip(self.calls, self.ways, strict=True)
            if way == FUSED or (way == LOOP and not lacks_loop(call))
        ]

    @property
    def text(self) -> str:
        """Which layers are what, for people."""
        found = [
            f"{call.name} {way} ({call.steps or 'any number of'} steps)"
            for call, way in zip(self.calls, self.ways, strict=True)
        ]
        return ", ".join(dict.fromkeys(found))

    @property
    def unrolled(self) -> list[Any]:
        """Layers whose steps are written out."""
        pairs = zip(self.calls, self.ways, strict=True)
        return [call.layer for call, way in pairs if way == UNROLLED]

    def placed(self, calls: Sequence[Call]) -> tuple[Layer, ...]:
        """Returns calls as they were traced, each with what becomes of its layer."""
        ways = {id(call.layer): way for call, way in zip(self.calls, self.ways, strict=True)}
        return tuple(Layer(call=call, way=ways[id(call.layer)]) for call in calls)


def choose(calls: Sequence[Call], entry: Format, wanted: str) -> Choice:
    """Returns what becomes of the recurrent layers of a model in a format.

    Args:
        calls: their calls.
        entry: the format.
        wanted: for all of them; `auto` for what is best for each.

    Raises:
        ToolkitError: a layer, or the format, has no such way.
    """
    if wanted != AUTO and not calls:
        raise NoFormatHelpsError(
            f"{entry.name}: got --recurrent {wanted}, but Keras knows of no recurrent layer in the "
            "model; leave it out"
        )
    order = [wanted] if wanted != AUTO else [FUSED, LOOP, UNROLLED]
    if wanted == AUTO and _are_few(calls, entry):
        order = [UNROLLED, *order]
    # a product of outputs that have 8 bits is mostly noise; loops have 16
    if wanted == AUTO and entry.activations == "int8" and any(call.multiplied for call in calls):
        order = [LOOP, FUSED, UNROLLED]
    return Choice(calls=tuple(calls), ways=tuple(_way(c, order, entry, calls) for c in calls))


def alternatives(chosen: Choice, entry: Format) -> list[str]:
    """Returns which ways there are besides those chosen, for all layers, of a file as small."""
    return [
        way
        for way in (FUSED, LOOP)
        if chosen.calls
        and set(chosen.ways) != {way}
        and not any(_lacks(call, way, entry, chosen.calls) for call in chosen.calls)
    ]


def _are_few(calls: Sequence[Call], entry: Format) -> bool:
    """Returns whether all steps of a model can be written out, and do not take much.

    On a CPU that is fastest; for a microcontroller it must be smallest.
    """
    if entry.name == PACKAGED:
        return all(call.steps is not None and call.steps <= SMALL_STEPS for call in calls)
    total = sum(call.steps or 0 for call in calls)
    heaviest = max((_unrolled_bytes(call) for call in calls), default=0)
    return (
        all(call.steps is not None for call in calls)
        and total <= FEW_STEPS[entry.calibrated]
        and heaviest <= MOST_UNROLLED_BYTES
    )


def _way(call: Call, order: Sequence[str], entry: Format, calls: Sequence[Call]) -> str:
    same = [each for each in calls if each.layer is call.layer]  # a layer may be called twice
    reasons = {
        way: next(filter(None, (_lacks(each, way, entry, calls) for each in same)), "")
        for way in order
    }
    possible = [way for way, reason in reasons.items() if not reason]
    if not possible:
        way = order[-1]
        text = _refused(call, way, reasons[way], entry, calls)
        # what was asked for no other format has either; what else is best may have one
        raise NoFormatHelpsError(text) if len(order) == 1 else ToolkitError(text)
    if possible[0] == FUSED and LOOP in possible and _loop_is_faster(call, entry):
        return LOOP
    return possible[0]


def _refused(call: Call, way: str, reason: str, entry: Format, calls: Sequence[Call]) -> str:
    others = [w for w in (FUSED, LOOP, UNROLLED) if w != way and not _lacks(call, w, entry, calls)]
    instead = f"--recurrent {' or '.join(others)}" if others else "tflite-float32, which has loops"
    if not others and not entry.calibrated:
        instead = "fewer steps, or fix them with --shape"
    return f"{entry.name}: layer {call.name!r} cannot be {way}: {reason}; use {instead}"


def _lacks(call: Call, way: str, entry: Format, calls: Sequence[Call]) -> str:
    """Returns why a layer cannot be made in some way; empty if it can."""
    if way == UNROLLED:
        total = sum(each.steps or 0 for each in calls)
        if call.steps is None:
            return "it takes sequences of any length"
        if _convolves(call) and type(call.layer).__module__.startswith(KERAS_2):
            return "tf-keras has it as a loop only"
        if entry.weights == "int4":
            return "its weights would have 4 bits, and what it makes of its states be noise"
        if total > MOST_STEPS:
            return f"all recurrent layers have {total} steps, at most {MOST_STEPS} are written out"
        if entry.activations == "int8" and _carries(call) and call.steps > MOST_CARRIED_STEPS:
            return (
                f"it has {call.steps} steps, and what it carries is rounded to 8 bits at each; "
                f"at most {MOST_CARRIED_STEPS} are written out"
            )
        return ""
    if entry.recipes not in ((), ("qat",)):
        return "fine-tuning rebuilds it with its steps written out"
    if way == FUSED and entry.activations == "int16":
        return "TFLite has no LSTM operator of 16 bits"
    if way == LOOP:
        return lacks_loop(call) if entry.calibrated else ""
    return lacks_fused(call)


def _carries(call: Call) -> bool:
    """Returns whether a layer that has no loop of integers has a second state, as ConvLSTM."""
    sizes = getattr(getattr(call.layer, "cell", None), "state_size", None)
    several = isinstance(sizes, list | tuple) and len(sizes) > 1
    return call.recurrent is None and (several or _convolves(call))  # Keras 3 says of sizes: -1


def _convolves(call: Call) -> bool:
    return type(call.layer).__name__.startswith("ConvLSTM")


def lacks_loop(call: Call) -> str:
    """Returns why there is no loop of our own for a call; empty if there is."""
    if call.recurrent is None:
        return call.why
    cell = call.recurrent.cells[0]
    names = {each.name for each in (cell.activation, cell.recurrent_activation) if each}
    if names - set(ACTIVATIONS):
        return f"loops of integers have no activation {', '.join(sorted(names - set(ACTIVATIONS)))}"
    if call.masked and call.recurrent.zero_output_for_mask and not call.recurrent.return_sequences:
        return "its last output is zeros where the last step is masked"
    return _lacks_shape(call)


def lacks_fused(call: Call) -> str:
    """Returns why TFLite's LSTM does not compute what a call does; empty if it does."""
    if call.recurrent is None:
        return call.why
    cell = call.recurrent.cells[0]
    if cell.kind != "lstm":
        return "TFLite has a fused operator for LSTM only"
    names = cell.activation.name, cell.recurrent_activation and cell.recurrent_activation.name
    if names != ("tanh", "sigmoid"):
        return f"TFLite's LSTM has tanh and sigmoid, got {names[0]} and {names[1]}"
    if call.masked:
        return "TFLite's LSTM takes no mask"
    if call.given_states or call.passes_states:
        return "its states are inputs or outputs"
    return _lacks_shape(call)


def _lacks_shape(call: Call) -> str:
    if call.steps is None:
        return "it takes sequences of any length"
    if call.batch is None:
        return "the batch is open, and its states have a fixed one"
    return ""


def _loop_is_faster(call: Call, entry: Format) -> bool:
    wide = call.recurrent is not None and call.recurrent.cells[0].units > FUSED_UNITS
    return wide and not entry.calibrated


def _unrolled_bytes(call: Call) -> int:
    weights = sum(int(math.prod(weight.shape)) for weight in call.layer.weights)
    return FLOAT_BYTES * weights * (call.steps or 0)
