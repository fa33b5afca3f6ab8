"""Which export to take on this machine, why, and the Pareto set that it came from."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from benchmark.advise.pairs import Quality, intervals_overlap, latency_ratio
from benchmark.judge.rows import Result

Objective = Literal["latency", "size", "accuracy"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
# What decides among rows that an objective can't tell apart.
ORDER: dict[Objective, tuple[Objective, ...]] = {
    "latency": ("latency", "size", "accuracy"),
    "size": ("size", "latency", "accuracy"),
    "accuracy": ("accuracy", "size", "latency"),
}
# Differences up to these do not count.
SAME_LATENCY = 0.03
SAME_SIZE = 0.01
BEST = {"latency": "the fastest", "size": "the smallest", "accuracy": "the most accurate"}
LEVEL = {"latency": "as fast as", "size": "as small as", "accuracy": "as accurate as"}
BETTER = {"latency": "faster", "size": "smaller", "accuracy": "more accurate"}


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The row to take.

    Attributes:
        name: the row's.
        format: the row's.
        objective: what it is the best by.
        reason: why it is, with figures.
        runner_up: what the next best would have bought, and for what; None if there is none.
        limits: those that were set, by name.
        pareto: the rows that no other is at least as good as in all three objectives.
    """

    name: str
    format: str
    objective: Objective
    reason: str
    runner_up: str | None = None
    limits: dict[str, float]
    pareto: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Returns a JSON object of the fields."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A row that keeps every limit, and its three objectives.

    Attributes:
        row: the row.
        latency: median of a single inference, microseconds.
        size: of the file, bytes.
        loss: what is to be small in the metric that judges it.
    """

    row: Result
    latency: float
    size: int
    loss: float

    @property
    def name(self) -> str:
        """The row's name."""
        return self.row.variant.name

    def cost(self, objective: Objective) -> float:
        """Returns what is to be small."""
        return {"latency": self.latency, "size": self.size, "accuracy": self.loss}[objective]


def recommend(
    results: Sequence[Result], quality: Quality, objective: Objective, limits: dict[str, float]
) -> Recommendation | None:
    """Returns the best export by an objective; None if none passes.

    Among the Pareto set, those that the objective can't tell from the best are decided by the
    next one, and so on.

    Args:
        results: all rows of a run.
        quality: how rows compare in the metric that judges them.
        objective: what the best is the best by.
        limits: those that were set, by name.
    """
    candidates = _candidates(results, quality)
    if not candidates:
        return None
    best = pareto(candidates)
    chosen, decided_by = choose(best, objective, quality)
    first = _best(best, objective)
    reason = _why(chosen, first, decided_by, len(candidates), objective, quality)
    others = [found for found in best if found is not chosen]
    runner_up = None
    if others:
        runner_up = _runner_up(chosen, choose(others, objective, quality)[0], quality)
    return Recommendation(
        name=chosen.name,
        format=chosen.row.variant.format,
        objective=objective,
        reason=reason,
        runner_up=runner_up,
        limits=limits,
        pareto=tuple(found.name for found in best),
    )


def _candidates(results: Sequence[Result], quality: Quality) -> list[Candidate]:
    return [
        Candidate(
            row=row,
            latency=row.latency.p50,
            size=row.size_bytes,
            loss=quality.loss(row),
        )
        for row in results
        if row.verdict == "pass"
        and row.variant.manifest is not None
        and row.size_bytes is not None
        and row.latency is not None
        and row.latency.p50 is not None
    ]


def pareto(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Returns those that no other is as good as in everything and better than in something.

    By the figures as measured; of equals in all, each stays.
    """

    def costs(found: Candidate) -> tuple[float, ...]:
        return tuple(map(found.cost, OBJECTIVES))

    def dominated(found: Candidate) -> bool:
        own = costs(found)
        return any(
            costs(other) != own and all(a <= b for a, b in zip(costs(other), own, strict=True))
            for other in candidates
        )

    return [found for found in candidates if not dominated(found)]


def choose(
    candidates: Sequence[Candidate], objective: Objective, quality: Quality
) -> tuple[Candidate, Objective | None]:
    """Returns the best, and what decided against the best by the objective alone, if not that.

    Args:
        candidates: at least one.
        objective: the first to decide.
        quality: how rows compare in the metric that judges them.
    """
    first = _best(candidates, objective)
    left, decided_by = list(candidates), None
    for deciding in ORDER[objective]:
        best = _best(left, deciding)
        left = [found for found in left if _same(deciding, found, best, quality)]
        if decided_by is None and first not in left:
            decided_by = deciding
    return _best(left, objective), decided_by


def _best(candidates: Sequence[Candidate], objective: Objective) -> Candidate:
    return min(candidates, key=lambda found: tuple(map(found.cost, ORDER[objective])))


def _same(objective: Objective, found: Candidate, best: Candidate, quality: Quality) -> bool:
    """Whether an objective can't tell a row from the best by it."""
    if found is best:
        return True
    if objective == "size":
        return found.size <= best.size * (1 + SAME_SIZE)
    if objective == "accuracy":
        return quality.same(best.row, found.row)
    ratio = latency_ratio(found.row, best.row)
    return (
        intervals_overlap(found.row, best.row) or ratio is None or ratio.value <= 1 + SAME_LATENCY
    )


def _why(
    chosen: Candidate,
    first: Candidate,
    decided_by: Objective | None,
    count: int,
    objective: Objective,
    quality: Quality,
) -> str:
    if count == 1:
        return f"the only one within the limits: {_figures(chosen, quality)}"
    if decided_by is None:
        return f"{BEST[objective]} of {count} within the limits: {_figures(chosen, quality)}"
    return (
        f"{LEVEL[objective]} {first.name} ({_figure(objective, chosen, quality)} and "
        f"{_figure(objective, first, quality)}, too close to tell) and "
        f"{BETTER[decided_by]}, {_figure(decided_by, chosen, quality)} instead of "
        f"{_figure(decided_by, first, quality)}; {count} are within the limits"
    )


def _runner_up(chosen: Candidate, second: Candidate, quality: Quality) -> str:
    """What the next best would have bought, and for what; both are of the Pareto set."""
    gaps = {objective: _gap(objective, chosen, second, quality) for objective in OBJECTIVES}
    bought = [gaps[o] for o in OBJECTIVES if second.cost(o) < chosen.cost(o)]
    paid = [gaps[o] for o in OBJECTIVES if second.cost(o) > chosen.cost(o)]
    said = f"The runner-up, {second.name}, would be "
    said += f"{' and '.join(bought)} but {' and '.join(paid)}" if bought else "the same"
    if second.loss < chosen.loss and _same("accuracy", chosen, second, quality):
        said += " (that accuracy may be chance)"
    return said


def _gap(objective: Objective, chosen: Candidate, second: Candidate, quality: Quality) -> str:
    better = second.cost(objective) < chosen.cost(objective)
    if objective == "latency":
        word = "faster" if better else "slower"
        return f"{abs(second.latency - chosen.latency):.2f} µs {word}"
    if objective == "size":
        word = "smaller" if better else "larger"
        return f"{abs(second.size - chosen.size) / 1000:,.1f} kB {word}"
    return quality.gap(chosen.row, second.row)


def _figure(objective: Objective, found: Candidate, quality: Quality) -> str:
    if objective == "latency":
        return f"{found.latency:.1f} µs"
    if objective == "size":
        return f"{found.size / 1000:,.1f} kB"
    return quality.figure(found.row)


def _figures(found: Candidate, quality: Quality) -> str:
    return ", ".join(_figure(objective, found, quality) for objective in OBJECTIVES)
