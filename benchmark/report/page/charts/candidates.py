"""The picture of a search for limits: every network's accuracy against what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.report.page.charts.axes import Axis, linear_axis, log_axis
from benchmark.report.page.charts.labels import Box
from train.common.candidates import Candidate, Candidates

FRAME = Box(left=64, top=16, right=944, bottom=360)
TITLES = {
    "flash": "flash, bytes",
    "ram": "RAM, bytes",
    "latency": "time of one inference, µs",
    "multiplications": "multiplications of one inference",
}
LEAST_SPAN = 1.0  # points of accuracy
MARGIN = 0.08
BEYOND = 3  # times the limit, what costs more is not shown


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A network; `kind` is `answer`, `full` or `short`, by its fit, and `title` its figures."""

    x: float
    y: float
    kind: str
    title: str


@dataclass(frozen=True, kw_only=True)
class CandidatesPicture:
    """The whole picture; `limit` and `least` are where the limits lie, None for none."""

    frame: Box
    x: Axis
    y: Axis
    x_title: str
    dots: list[Dot]
    front: str
    untrained: list[float]
    limit: float | None
    least: float | None


def candidates_picture(found: Candidates | None) -> CandidatesPicture | None:
    """Returns the picture; None where no search was made or nothing was fitted in it."""
    if found is None or not found.trials:
        return None
    fitted = [*found.trials, *found.in_full]
    costs = [each.costs[found.axis] for each in fitted if found.axis in each.costs]
    if len(costs) < len(fitted) or min(costs) <= 0:
        return None
    known = [*costs, *([found.most] if found.most else [])]
    shown = [cost for cost in found.not_trained if 0 < cost <= BEYOND * max(known)]
    x = log_axis([*known, *shown], FRAME.left, FRAME.right)
    accuracies = [100 * each.validation_accuracy for each in fitted]
    if found.least is not None:
        accuracies.append(100 * found.least)
    margin = MARGIN * max(max(accuracies) - min(accuracies), LEAST_SPAN)
    low, high = min(accuracies) - margin, max(accuracies) + margin
    y = linear_axis(low, high, FRAME.bottom, FRAME.top, LEAST_SPAN)
    return CandidatesPicture(
        frame=FRAME,
        x=x,
        y=y,
        x_title=TITLES.get(found.axis, found.axis),
        dots=[
            *(_dot(each, "short", found.axis, x, y) for each in found.trials),
            *(_dot(each, "full", found.axis, x, y) for each in found.in_full[1:]),
            *(_dot(each, "answer", found.axis, x, y) for each in found.in_full[:1]),
        ],
        front=_front(fitted, found.axis, x, y),
        untrained=[x.at(cost) for cost in shown],
        limit=None if found.most is None else x.at(found.most),
        least=None if found.least is None else y.at(100 * found.least),
    )


def _dot(each: Candidate, kind: str, axis: str, x: Axis, y: Axis) -> Dot:
    cost, accuracy = each.costs[axis], 100 * each.validation_accuracy
    said = {"answer": "the answer, ", "full": "in full, ", "short": ""}[kind]
    return Dot(
        x=x.at(cost),
        y=y.at(accuracy),
        kind=kind,
        title=f"{said}{each.epochs} epochs\n{accuracy:.2f} % of held-out images\n{cost:,.0f} "
        f"{TITLES.get(axis, axis)}",
    )


def _front(fitted: Sequence[Candidate], axis: str, x: Axis, y: Axis) -> str:
    """Returns a polyline: the best accuracy up to each cost."""
    points: list[tuple[float, float]] = []
    for each in sorted(fitted, key=lambda each: (each.costs[axis], -each.validation_accuracy)):
        here = x.at(each.costs[axis]), y.at(100 * each.validation_accuracy)
        if not points:
            points = [(here[0], FRAME.bottom), here]
        elif here[1] < points[-1][1]:
            points += [(here[0], points[-1][1]), here]
    points.append((FRAME.right, points[-1][1]))
    return " ".join(f"{left},{top}" for left, top in points)
