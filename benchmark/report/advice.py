"""Renders the recommendation and what is not as expected, as lines. Light."""

from collections.abc import Iterator

from benchmark.pipeline import Benchmark
from benchmark.report.text import EMULATED
from train.common.environment import Environment


def advice(benchmark: Benchmark, environment: Environment) -> Iterator[str]:
    """Yields the lines, each a paragraph."""
    found = benchmark.recommendation
    if environment.emulated:
        yield f"{EMULATED}. So there is no recommendation."
    elif found is None:
        yield "recommended for this machine: none, no export passes"
    else:
        yield f"* recommended for this machine, by {found.objective}: {found.name}, {found.reason}."
        yield (
            f"† Pareto set: {', '.join(found.pareto)}: no other export that passes is as fast, as "
            "small and as accurate"
        )
    explained = [row for row in benchmark.results if row.explanations]
    if explained:
        yield "Not as expected:"
    for row in explained:
        for sentence in row.explanations:
            yield f"  {row.variant.name}: {sentence}"
