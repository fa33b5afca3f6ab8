"""The results of several machines, checked to be of the same exports on the same images."""

from collections.abc import Sequence
from pathlib import Path

from benchmark.results.read import read_run
from benchmark.results.run import Run
from train.common.errors import ArtifactError

MAX_MACHINES = 26  # named A to Z
ONE_BUNDLE = "merge runs of the same exports on the same images"


def read_machines(paths: Sequence[Path]) -> list[Run]:
    """Returns the results in some files.

    Raises:
        ArtifactError: a file is not a `benchmark.json`, or they are of different models, exports,
            images or metrics.
    """
    if not 2 <= len(paths) <= MAX_MACHINES:
        raise ArtifactError(
            f"--merge: got {len(paths)} file{'s' * (len(paths) != 1)}, expected 2 to "
            f"{MAX_MACHINES}; give one of each machine"
        )
    first, *others = (read_run(path) for path in paths)
    for other in others:
        _check_same(first, other)
    return [first, *others]


def _check_same(first: Run, other: Run) -> None:
    for what, found, expected in (
        ("another model", other.source.sha256, first.source.sha256),
        ("other test images", other.data.sha256, first.data.sha256),
    ):
        if found != expected:
            raise ArtifactError(
                f"{other.path} is of {what} than {first.path}: got {found[:12]}…, expected "
                f"{expected[:12]}…; {ONE_BUNDLE}"
            )
    judged_by = [(run.measure.metric, run.measure.output) for run in (first, other)]
    if judged_by[0] != judged_by[1]:
        metrics = " and ".join(f"{metric} of {output or 'it'}" for metric, output in judged_by)
        raise ArtifactError(
            f"{other.path} is judged by another metric than {first.path}: got {metrics}; run both "
            "with the same --metric"
        )
    expected_rows = first.rows
    for row in other.results:
        same = expected_rows.get(row.name, row)
        sizes, expected_sizes = ((r.size_bytes, r.gzip_bytes) for r in (row, same))
        if None not in sizes + expected_sizes and sizes != expected_sizes:
            raise ArtifactError(
                f"{row.name} is another file in {other.path} than in {first.path}: got {sizes[0]} "
                f"bytes, {sizes[1]} gzipped, expected {expected_sizes[0]} and {expected_sizes[1]}; "
                f"{ONE_BUNDLE}"
            )
