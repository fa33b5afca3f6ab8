"""The picture of what quantization costs from operator to operator. Coordinates only."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.report.figures import number
from benchmark.report.page.charts.axes import Axis
from benchmark.report.page.charts.labels import CHARACTER
from benchmark.results.run import Run
from export.layer_report import LayerReport, OperatorReport, Outcome

WIDTH, LEFT, RIGHT, TOP, BELOW = 960.0, 300.0, 940.0, 10.0, 44.0
MOST_DB = 60.0  # an error that is smaller draws no bar
TALL, LOW, MOST_HEIGHT = 18.0, 4.0, 1_200.0  # of an operator; of a network of many
NAMED_FROM = 11.0  # as high as a name
WORST = 5
MOST_CHARACTERS = int(0.9 * (LEFT - 16) / CHARACTER)  # wide letters are wider than the mean


@dataclass(frozen=True, kw_only=True)
class Bar:
    """An operator.

    Attributes:
        name: what stands left of it; empty where there is no room.
        title: its figures in words.
        kind: which colour it has: `worst`, `float` or `plain`.
        y, height: where it is.
        own: where its bar ends.
        mark: where the error accumulated so far lies; None where that is not known.
    """

    name: str
    title: str
    kind: str
    y: float
    height: float
    own: float
    mark: float | None


@dataclass(frozen=True, kw_only=True)
class Layers:
    """The picture of one export, its network from top to bottom."""

    name: str
    identity: str
    height: float
    bottom: float
    x: Axis
    bars: list[Bar]
    worst: list[str]
    not_listed: int

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Where round ratios lie, and their names: the axis is of the error, in decibels too."""
        return [
            (self.x.at(MOST_DB - ratio), f"{ratio}") for ratio in range(0, int(MOST_DB) + 1, 10)
        ]


def layer_pictures(run: Run) -> list[Layers]:
    """Returns a picture for each export whose operators were looked at."""
    found = {row.format: row.layers for row in reversed(run.results) if row.layers is not None}
    return [_picture(name, layers) for name, layers in reversed(found.items()) if layers.operators]


def _picture(name: str, layers: LayerReport) -> Layers:
    count = len(layers.operators)
    height = max(LOW, min(TALL, MOST_HEIGHT / count))
    # the error grows to the right, so that a long bar is a bad operator
    x = Axis(low=0.0, high=MOST_DB, start=LEFT, end=RIGHT, log=False)
    by_error = sorted(layers.operators, key=_snr_db)
    worst = [each for each in by_error if _snr_db(each) < MOST_DB][:WORST]
    named = _named_places(layers.operators, by_error, height)
    bars = [
        _bar(each, x, TOP + height * place, height, is_worst=each in worst, is_named=place in named)
        for place, each in enumerate(layers.operators)
    ]
    bottom = TOP + height * count
    return Layers(
        name=name,
        identity=f"layers-{name}",
        height=round(bottom + BELOW, 1),
        bottom=round(bottom, 1),
        x=x,
        bars=bars,
        worst=[
            *([f"integer inputs and outputs: {layers.io_cause}"] if layers.io_cause else []),
            *(f"{_named(each)}: {each.cause}" for each in worst if each.cause),
        ],
        not_listed=layers.not_listed,
    )


def _named_places(
    operators: Sequence[OperatorReport], by_error: Sequence[OperatorReport], height: float
) -> set[int]:
    """Returns which operators have room for their names: all, or of many the worst, well apart."""
    found: set[int] = set()
    for each in by_error if height >= NAMED_FROM else by_error[:WORST]:
        place = operators.index(each)
        if all(abs(place - other) * height >= NAMED_FROM for other in found):
            found.add(place)
    return found


def _snr_db(each: OperatorReport) -> float:
    return MOST_DB if each.own_snr_db is None else each.own_snr_db


def _bar(
    each: OperatorReport, x: Axis, y: float, height: float, *, is_worst: bool, is_named: bool
) -> Bar:
    name = _named(each) if is_named else ""
    return Bar(
        name=name if len(name) <= MOST_CHARACTERS else f"{name[: MOST_CHARACTERS - 1]}…",
        title="\n".join(_figures(each)),
        kind="float" if each.in_float else "worst" if is_worst else "plain",
        y=round(y, 1),
        height=round(max(height - 2, height * 0.7), 1),
        own=x.at(MOST_DB - _snr_db(each)),
        mark=None if each.snr_db is None else x.at(MOST_DB - each.snr_db),
    )


def _named(each: OperatorReport) -> str:
    return f"{each.layer} {each.operator}"


def _figures(each: OperatorReport) -> list[str]:
    """Returns what a person reads who points at an operator."""
    lines = [f"{_named(each)}{', in float' * each.in_float}"]
    if each.own_snr_db is not None:
        lines.append(f"adds by itself: {number(each.own_snr_db, 1)} dB")
    if each.snr_db is not None:
        lines.append(f"accumulated: {number(each.snr_db, 1)} dB")
    for what, outcome in (("quantized alone", each.alone), ("left out", each.left_out)):
        if outcome is not None:
            lines.append(f"{what}: {_outcome(outcome)}")
    lines.append(f"values {each.low:g}…{each.high:g}")
    if each.range_low is not None:
        lines[-1] += (
            f", range {each.range_low:g}…{each.range_high:g}, {each.clipped_share:.2%} clipped, "
            f"{each.saturated_share:.2%} saturated"
        )
    if each.weight_spread is not None:
        lines.append(f"largest channel's weights {each.weight_spread:.3g} × the smallest's")
    if each.channels is not None:
        lines.append(
            f"{each.channels} channels, {each.dead_channels} dead, {each.lost_channels} lost"
        )
    if each.multiplications:
        lines.append(f"{each.multiplications:,} multiplications")
    return [*lines, each.cause] if each.cause else lines


def _outcome(found: Outcome) -> str:
    ratio = f"{number(found.snr_db, 1)} dB"
    return ratio if found.accuracy is None else f"{number(found.accuracy, 2, 100)} %, {ratio}"
