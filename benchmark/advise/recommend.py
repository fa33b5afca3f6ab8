"""Which export to take on this machine, and why."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmark.advise.candidates import (
    OBJECTIVES,
    Candidate,
    Candidates,
    Objective,
    Quality,
    find_candidates,
)
from benchmark.judge.rows import Result

# What decides among rows that an objective can't tell apart.
ORDER: dict[Objective, tuple[Objective, ...]] = {
    "latency": ("latency", "size", "accuracy"),
    "size": ("size", "latency", "accuracy"),
    "accuracy": ("accuracy", "size", "latency"),
}
BEST = {"latency": "the fastest", "size": "the smallest", "accuracy": "the most accurate"}
LEVEL = {"latency": "as fast as", "size": "as small as", "accuracy": "as accurate as"}
BETTER = {"latency": "faster", "size": "smaller", "accuracy": "more accurate"}
WORSE = {"latency": "slower", "size": "larger", "accuracy": "less accurate"}


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
    found = find_candidates(results, quality)
    if not found.pareto:
        return None
    chosen, decided_by = _choose(found.pareto, objective, found)
    others = [other for other in found.pareto if other is not chosen]
    runner_up = None
    if others:
        runner_up = _runner_up(chosen, _choose(others, objective, found)[0], found)
    return Recommendation(
        name=chosen.name,
        format=chosen.format,
        objective=objective,
        reason=_why(chosen, decided_by, objective, found),
        runner_up=runner_up,
        limits=limits,
        pareto=tuple(one.name for one in found.pareto),
    )


def _choose(
    among: Sequence[Candidate], objective: Objective, candidates: Candidates
) -> tuple[Candidate, Objective | None]:
    """Returns the best, and what decided against the best by the objective alone, if not that."""
    first = _best(among, objective)
    left, decided_by = list(among), None
    for deciding in ORDER[objective]:
        best, alike = _best(left, deciding), candidates.alike[deciding]
        left = [found for found in left if found is best or (found.name, best.name) in alike]
        if decided_by is None and first not in left:
            decided_by = deciding
    return _best(left, objective), decided_by


def _best(candidates: Sequence[Candidate], objective: Objective) -> Candidate:
    return min(candidates, key=lambda found: [found.costs[by] for by in ORDER[objective]])


def _why(
    chosen: Candidate, decided_by: Objective | None, objective: Objective, candidates: Candidates
) -> str:
    count, own = candidates.count, chosen.figures
    if count == 1 or decided_by is None:
        what = "the only one" if count == 1 else f"{BEST[objective]} of {count}"
        return f"{what} within the limits: {', '.join(own[by] for by in OBJECTIVES)}"
    first = _best(candidates.pareto, objective)
    better = f"{BETTER[decided_by]}, {own[decided_by]} instead of {first.figures[decided_by]}"
    if own[decided_by] == first.figures[decided_by]:
        better = f"a little {BETTER[decided_by]}"
    return (
        f"{LEVEL[objective]} {first.name} ({own[objective]} and {first.figures[objective]}, too "
        f"close to tell) and {better}; {count} are within the limits"
    )


def _runner_up(chosen: Candidate, second: Candidate, candidates: Candidates) -> str:
    """What the next best would have bought, and for what; both are of the Pareto set."""
    bought, paid = [], []
    for objective in OBJECTIVES:
        by = second.costs[objective] - chosen.costs[objective]
        amount = {
            "latency": f"{abs(by):.2f} µs",
            "size": f"{abs(by) / 1000:,.1f} kB",
            "accuracy": f"{abs(by) * 100:.2f} {candidates.loss_unit}",
        }[objective]
        if by < 0:
            bought.append(f"{amount} {BETTER[objective]}")
        elif by > 0:
            paid.append(f"{amount} {WORSE[objective]}")
    said = f"The runner-up, {second.name}, would be "
    said += f"{' and '.join(bought)} but {' and '.join(paid)}" if bought else "the same"
    more_accurate = second.costs["accuracy"] < chosen.costs["accuracy"]
    if more_accurate and (chosen.name, second.name) in candidates.alike["accuracy"]:
        said += " (that accuracy may be chance)"
    return said
