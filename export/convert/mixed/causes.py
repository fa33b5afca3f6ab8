"""Why an operator loses what it loses as an integer: one sentence, with its evidence."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from export.convert.mixed.probes.figures import Figures
from export.convert.mixed.probes.operators import Operator, Range
from export.layer_report import STEPS

LEVELS = 255
JOINING = ("CONCATENATION", "PACK", "ADD", "SUB", "Concat", "Add", "Sub")
SOFTMAX = ("SOFTMAX", "Softmax")
FEW_STEPS = 4.0  # that a whole tensor, or the median channel, spans
LARGE_STEP = 1.0  # of the input of a softmax, which multiplies its result by e
MANY_TIMES = 100.0  # larger than what it is added to, a constant only switches values off
MIN_CLIPPED, MIN_SATURATED = 0.001, 0.01
MOST_USED, HARDLY_USED = 0.5, 0.05  # of a range
COARSE = 8.0  # steps in a standard deviation, below which rounding alone is above -29 dB


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An operator and what is known of it and around it.

    Attributes:
        operator: the operator.
        figures: of its output.
        around: of all tensors, by name.
        ranges: of all quantized tensors, by name.
        layers: the Keras layer that makes a tensor, by its name.
    """

    operator: Operator
    figures: Figures
    around: Mapping[str, Figures]
    ranges: Mapping[str, Range]
    layers: Mapping[str, str]

    def name(self, tensor: str) -> str:
        """Returns what a tensor is called where a person reads it."""
        return repr(self.layers.get(tensor, tensor))


def cause_of(seen: Seen) -> str:
    """Returns the sentence; of several causes the one that explains most comes first in the table.

    Where no single fault stands out, how coarse its steps are against its values.
    """
    for cause in CAUSES:
        found = cause(seen)
        if found:
            return found
    return ""


def _island(seen: Seen) -> str:
    operator = seen.operator
    if not operator.in_float:
        return ""
    given = [name for name in operator.inputs if name in seen.ranges and name in seen.around]
    read = sum(seen.around[name].numbers for name in given)
    written = seen.figures.numbers if operator.output in seen.ranges else 0
    if not read and not written:
        return ""
    count = max(1, seen.figures.examples)
    return (
        f"a float island: {read // count:,} integers become floats before it and "
        f"{written // count:,} floats integers behind it, for each example"
    )


def _steps(seen: Seen) -> str:
    """A recurrent layer, whose states and gates are no tensors of the graph."""
    if seen.operator.kind not in STEPS:
        return ""
    given = [seen.around[name] for name in seen.operator.inputs if name in seen.around]
    ratios = [found.decibels(found.noise) for found in given]
    known = [ratio for ratio in ratios if ratio is not None]
    after = seen.figures.decibels(seen.figures.noise)
    if not known or after is None:
        return "its steps are not looked at one by one"
    return (
        f"its steps are not looked at one by one; what it reads has {min(known):.1f} dB, what it "
        f"returns {after:.1f} dB"
    )


def _mask(seen: Seen) -> str:
    """A large constant that is added or multiplied, as a mask is."""
    operator, given = seen.operator, seen.operator.inputs
    sizes = {n: _size(seen.around[n]) for n in given if n in seen.around}
    largest = max(operator.constants, default=0.0)
    others = max(sizes.values(), default=0.0)
    limits = operator.range
    if limits is None:
        return ""
    if others > 0 and largest > MANY_TIMES * others:
        return (
            f"a constant of {largest:.3g} beside values of at most {others:.3g}: a step of its "
            f"range is {limits.step:.3g}; a constant of {-2 * others - 10:.0f} would mask as well"
        )
    return ""


def _softmax_steps(seen: Seen) -> str:
    if seen.operator.kind not in SOFTMAX:
        return ""
    for name in seen.operator.inputs:
        limits = seen.ranges.get(name)
        if limits is not None and limits.step >= LARGE_STEP:
            return (
                f"reads {seen.name(name)} in steps of {limits.step:.3g}, as its range reaches "
                f"from {limits.low:.3g} to {limits.high:.3g}; a softmax multiplies by e for each 1"
            )
    return ""


def _scales(seen: Seen) -> str:
    """Tensors of different scale that are put together in one."""
    limits = seen.operator.range
    if limits is None or seen.operator.kind not in JOINING:
        return ""
    spans = {n: _span(seen.around[n]) for n in seen.operator.inputs if n in seen.around}
    spans = {name: span for name, span in spans.items() if span > 0}
    if len(spans) < 2:
        return ""
    small, large = min(spans, key=lambda n: spans[n]), max(spans, key=lambda n: spans[n])
    if spans[small] >= FEW_STEPS * limits.step or spans[small] == spans[large]:
        return ""
    return (
        f"puts {seen.name(large)}, which spans {spans[large]:.3g}, and {seen.name(small)}, which "
        f"spans {spans[small]:.3g}, into one scale with a step of {limits.step:.3g}"
    )


def _clipped(seen: Seen) -> str:
    figures, limits = seen.figures, seen.operator.range
    if limits is None or figures.clipped < MIN_CLIPPED * max(1, figures.numbers):
        return ""
    return (
        f"{figures.clipped / figures.numbers:.2%} of its values, which reach from "
        f"{figures.low:.3g} to {figures.high:.3g}, lie outside its range of {limits.low:.3g} to "
        f"{limits.high:.3g}"
    )


def _outlier_output(seen: Seen) -> str:
    limits, spans = seen.operator.range, seen.figures.spans
    alive = spans[spans > 0]
    if limits is None or len(alive) < 2:
        return ""
    median = float(np.median(alive))
    if median >= FEW_STEPS * 4 * limits.step:
        return ""
    worst = int(spans.argmax())
    return (
        f"outlier channel {worst} of {len(spans)} spans {spans[worst]:.3g} and the median one "
        f"{median:.3g}: one scale leaves that {median / limits.step:.1f} of {LEVELS} steps"
    )


def _outlier_weights(seen: Seen) -> str:
    weights = seen.operator.weights
    if not seen.operator.per_tensor or weights is None:
        return ""
    highest = np.abs(weights).max(axis=1)
    median, worst = float(np.median(highest)), int(highest.argmax())
    step = float(highest.max()) / (LEVELS // 2)
    if step == 0 or median >= FEW_STEPS * 4 * step:
        return ""
    return (
        f"one scale for all weights, and those of outlier channel {worst} reach "
        f"{highest[worst]:.3g}, of the median one {median:.3g}: {median / step:.1f} of "
        f"{LEVELS // 2} steps"
    )


def _saturated(seen: Seen) -> str:
    figures, limits = seen.figures, seen.operator.range
    if limits is None or figures.saturated < MIN_SATURATED * max(1, figures.compared):
        return ""
    if seen.operator.kind in (*SOFTMAX, "LOGISTIC", "TANH"):  # which end by themselves
        return ""
    return (
        f"saturated: {figures.saturated / figures.compared:.1%} of its integers are at an end of "
        f"their range, {limits.low:.3g} to {limits.high:.3g}"
    )


def _unused(seen: Seen, most: float = MOST_USED) -> str:
    figures, limits = seen.figures, seen.operator.range
    if limits is None or figures.high <= figures.low:
        return ""
    low, high = min(figures.low, 0.0), max(figures.high, 0.0)
    used = (high - low) / (limits.high - limits.low)
    if used >= most:
        return ""
    return (
        f"a reduced range: its values, {figures.low:.3g} to {figures.high:.3g}, use {used:.0%} of "
        f"the {limits.low:.3g} to {limits.high:.3g} that its scale holds"
    )


def _hardly_used(seen: Seen) -> str:
    """A range that is another tensor's, such as of a mask, with which it has to share a scale."""
    return _unused(seen, HARDLY_USED)


def _coarse_input(seen: Seen) -> str:
    """An input whose channels one scale cannot hold."""
    for name in seen.operator.inputs:
        if name not in seen.around:
            continue
        limits, spans = seen.ranges.get(name), seen.around[name].spans
        alive = spans[spans > 0]
        if limits is not None and len(alive) > 1:
            median = float(np.median(alive))
            if median < FEW_STEPS * limits.step:
                return (
                    f"reads {seen.name(name)}, whose one scale leaves the median channel "
                    f"{median / limits.step:.1f} of {LEVELS} steps"
                )
    return ""


def _coarse(seen: Seen) -> str:
    limits, deviation = seen.operator.range, seen.figures.deviation
    if limits is None or deviation == 0:
        return ""
    steps = deviation / limits.step
    said = "coarse" if steps < COARSE else "no fault of its own"
    return f"{said}: the standard deviation of its values is {steps:.1f} steps of its range"


def _size(figures: Figures) -> float:
    return max(abs(figures.low), abs(figures.high)) if figures.numbers else 0.0


def _span(figures: Figures) -> float:
    return figures.high - figures.low if figures.numbers else 0.0


CAUSES: tuple[Callable[[Seen], str], ...] = (
    _island,
    _steps,
    _mask,
    _softmax_steps,
    _scales,
    _hardly_used,
    _outlier_weights,
    _outlier_output,
    _coarse_input,
    _clipped,
    _saturated,
    _unused,
    _coarse,
)
