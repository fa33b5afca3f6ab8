"""The one reader of `benchmark.json`; what is garbled in it is refused."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark.results.run import SCHEMA_VERSION, Run
from train.common.command.terminal import printable
from train.common.errors import ArtifactError
from train.common.files.artifact import read_json
from train.common.files.decode import Decoder

REMEDY = "give a file that `python -m benchmark` wrote, or run `python -m benchmark` again"
DECODER = Decoder(remedy=REMEDY, clean=printable)
wrong = DECODER.wrong


def read_run(path: Path) -> Run:
    """Reads what `python -m benchmark` wrote.

    Raises:
        ArtifactError: it is not there, unreadable, of another schema version, holds no rows, or
            something in it is not what a run writes.
    """
    return run_of(read_json(path, schema_version=SCHEMA_VERSION, remedy=REMEDY), str(path))


def run_of(content: Mapping[str, Any], path: str) -> Run:
    """Returns the run that the content of a results file describes.

    Raises:
        ArtifactError: something in it is not what a run writes.
    """
    found: dict[str, Any] = {"measure": _earlier_measure(content), **content, "path": path}
    if isinstance(found["measure"], dict) and "task" in found["measure"]:
        found["measure"] = {**found["measure"], "kind": found["measure"]["task"]}
    if "floor_us" in found:  # what earlier versions call it
        found["call_overhead_us"] = found["floor_us"]
    run = DECODER.decode(Run, found, path)
    _check(run)
    if run.explanations:
        return run
    by_row = (f"{row.name}: {text}" for row in run.results for text in row.explanations)
    return replace(run, explanations=tuple(by_row))  # in earlier files, and where there are none


def _earlier_measure(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the measure of files that name none: the accuracy, or no labels."""
    source = content.get("source")
    accuracy = source.get("accuracy") if isinstance(source, dict) else None
    if accuracy is None:
        return {"output": "", "task": "outputs", "metric": "r2"}
    return {"output": "", "source_value": accuracy}


def _check(run: Run) -> None:
    """Refuses a run whose parts do not fit together."""
    path, images, settings = run.path, run.total, run.settings
    if not run.results:
        raise ArtifactError(f"{path} has no rows in it: nothing was measured; {REMEDY}")
    if run.measure.examples not in ("images", "examples"):
        raise wrong(f"{path}: measure", "examples", run.measure.examples, "images or examples")
    if run.measure.classes and (run.source.predicted is None or not run.source.predicted.size):
        raise wrong(f"{path}: source", "predicted", None, "the class of each test image")
    for name, value in (
        ("settings: got rounds", settings.rounds),
        ("settings: got launches", settings.launches),
        ("data: got total", images),
    ):
        if value < 1:
            raise ArtifactError(f"{path}: {name} {value}, expected 1 or more; {REMEDY}")
    for where, name, values in (
        ("source", "predicted of", run.source.predicted),
        ("data", "labels of", run.data.labels),
        *((f"results {n}", "predicted of", r.predicted) for n, r in enumerate(run.results, 1)),
    ):
        if values is not None and values.size != images:
            raise wrong(f"{path}: {where}", name, values.size, f"{images} images")
    for number, row in enumerate(run.results, start=1):
        where, latency = f"{path}: results {number}", row.latency_us
        if row is not run.rows[row.name]:
            raise wrong(where, "name", row.name, "every name once")
        if latency is not None:
            medians, rounds = latency.rounds_p50, len(latency.rounds_p50)
            if row.rounds_quiet.size != rounds:
                raise wrong(where, "rounds_quiet of", row.rounds_quiet.size, f"{rounds} rounds")
            if min(medians, default=1.0) <= 0:
                raise wrong(where, "rounds_p50 with", min(medians), "numbers above 0")
