"""Which operators a row's file has, and which of them its runtime runs."""

from collections import Counter
from dataclasses import dataclass

from benchmark.judge.rows import Result


@dataclass(frozen=True, kw_only=True)
class Operators:
    """Counts by the operator's name; empty where they are not known.

    Attributes:
        in_file: those in the file, by its manifest or by LiteRT.
        run: those that the runtime runs.
        undelegated: those of them that no delegate took; None where that is not known.
    """

    in_file: Counter[str]
    run: Counter[str]
    undelegated: Counter[str] | None


def operators_of(row: Result) -> Operators:
    """Returns the operators of a row."""
    manifest, kernels = row.variant.manifest, row.kernels or {}
    run = Counter(kernels.get("operators", ()))
    undelegated = kernels.get("undelegated")
    in_file = run if row.variant.runtime == "litert" else Counter[str]()
    if manifest is not None and manifest.operators:
        in_file = Counter(manifest.operators)
    return Operators(
        in_file=in_file,
        run=run,
        undelegated=None if undelegated is None else Counter(undelegated),
    )


def listed(counted: Counter[str]) -> str:
    """Returns counts as a text: `2 FULLY_CONNECTED, 1 SOFTMAX`."""
    return ", ".join(f"{count} {name}" for name, count in counted.items())
