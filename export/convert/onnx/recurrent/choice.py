"""What becomes of recurrent layers in an `.onnx` file: operators, loops, or steps written out.

An operator computes all steps, and is best wherever there is one. What it lacks, such as a layer
with a cell of its own, is a loop, whose size does not grow with the steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from export.convert.onnx.recurrent.operators import OPERATORS
from export.convert.recurrent.description import RECURRENT_LAYERS, describe, refusal
from export.convert.refusal import NoFormatHelpsError
from export.convert.tflite.recurrent.choice import MOST_STEPS
from export.convert.tflite.recurrent.marks import Call
from export.formats.table import Format
from export.manifest import Observation

AUTO, FUSED, LOOP, UNROLLED = "auto", "fused", "loop", "unrolled"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What becomes of a model's recurrent layers.

    Attributes:
        fused: those that an operator computes.
        unroll: whether the steps of the others are written out.
        text: which layer is what, for people; empty if there are none.
    """

    fused: tuple[Any, ...] = ()
    unroll: bool = False
    text: str = ""


def choose(layers: Sequence[Any], entry: Format, wanted: str) -> Choice:
    """Returns what becomes of a model's recurrent layers.

    Args:
        layers: the layers.
        entry: the format, for messages.
        wanted: one of `settings.RECURRENT`, for all of them.

    Raises:
        NoFormatHelpsError: there are no such layers, or one has no operator and was to be one.
    """
    if wanted != AUTO and not layers:
        raise NoFormatHelpsError(
            f"{entry.name}: got --recurrent {wanted} for a model without recurrent layers of "
            "Keras; leave it out"
        )
    lacking = {id(layer): refusal(layer) for layer in layers}
    if wanted == FUSED:
        for reason in filter(None, lacking.values()):
            raise NoFormatHelpsError(
                f"{entry.name}: got --recurrent {FUSED}, but {reason}; use {AUTO} or {LOOP}"
            )
    fused = [each for each in layers if wanted in (AUTO, FUSED) and not lacking[id(each)]]
    rest = "unrolled" if wanted == UNROLLED else "a loop"
    parts = [f"{each.name} as {OPERATORS[describe(each).cells[0].kind]}" for each in fused]
    for layer in layers:
        if not any(layer is each for each in fused):
            why = lacking[id(layer)] if wanted == AUTO else None
            parts.append(f"{layer.name} as {rest}{f': {why}' if why else ''}")
    return Choice(fused=tuple(fused), unroll=wanted == UNROLLED, text=", ".join(parts))


def check_steps(calls: Sequence[Call], entry: Format) -> None:
    """Checks that all steps can be written out, in a minute and a file that is not too large.

    Args:
        calls: of the model's recurrent layers.
        entry: the format, for messages.

    Raises:
        NoFormatHelpsError: they are too many, or of an open number.
    """
    for call in calls:
        if call.steps is None:
            raise NoFormatHelpsError(
                f"{entry.name}: got --recurrent {UNROLLED}, but layer {call.name!r} takes "
                f"sequences of any length; fix it with --shape, or use {AUTO} or {LOOP}"
            )
    total = sum(call.steps or 0 for call in calls)
    if total > MOST_STEPS:
        raise NoFormatHelpsError(
            f"{entry.name}: got --recurrent {UNROLLED}, but all recurrent layers have {total} "
            f"steps, expected at most {MOST_STEPS} to be written out; use {AUTO} or {LOOP}"
        )


def told(choice: Choice, entry: Format) -> list[Observation]:
    """Returns what a file's recurrent layers are, if it has some."""
    if not choice.text:
        return []
    in_float = entry.weights == "int8" and not choice.unroll
    how = " (weights in 8 bits, computed in float)" if in_float else ""
    return [Observation(name=RECURRENT_LAYERS, value=f"{choice.text}{how}")]
