"""Renders the recommendation and what is not as expected, as lines. Light."""

from collections.abc import Iterator

from benchmark.advise.explain import grouped
from benchmark.report.text import EMULATED
from benchmark.results.file import Benchmark
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
    sentences = grouped(benchmark.explanations)
    if sentences:
        yield "Not as expected:"
    for sentence in sentences:
        yield f"  {sentence}"
