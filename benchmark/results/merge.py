"""Several machines' results side by side. Light.

Latencies are shown, not tested: the runs of different machines share no conditions. Predictions
are compared image by image, because they must not depend on the machine.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from benchmark.judge.metrics import MISSING, Measure, measure_of
from benchmark.report.text import Json, is_emulated, microseconds, total_of, value_of
from benchmark.results.file import SCHEMA_VERSION
from train.common.artifact import read_json
from train.common.errors import ArtifactError

MACHINES_A_TABLE = 3  # what fits into 80 columns
MAX_MACHINES = len(string.ascii_uppercase)
REMEDY = "give what `python -m benchmark` wrote"
ONE_BUNDLE = "merge runs of the same exports on the same images"
LEFT_OUT = "emulated: its times are the emulator's and are left out"
OTHER_CLASS = "≠A: how many are in another class than on A; "
LEGEND = (
    "{column}: on A, over {total:,} test {examples}; {other}"
    "p50, p99: µs for one {example}, ~ where rounds differ. Times of different machines are shown, "
    "not tested: their runs had no conditions in common."
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is shown of a row; None where it was not measured.

    `value` is that of the metric that judges it; `size_bytes` are those of the file, plain and
    gzipped; `predicted` is (N,) int64.
    """

    size_bytes: tuple[int | None, int | None]
    value: float | None
    p50: float | None
    p99: float | None
    unstable: bool
    predicted: np.ndarray | None
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine's results; `letter` is its name in the table, `about` what it is."""

    letter: str
    path: Path
    about: str
    model_sha256: str
    data_sha256: str
    images: int
    measure: Measure
    rows: dict[str, Row]


def read_machines(paths: Sequence[Path]) -> list[Machine]:
    """Returns the results in some files, named A, B and so on.

    Raises:
        ArtifactError: a file is no `benchmark.json`, or they are of different models, exports or
            images.
    """
    if not 2 <= len(paths) <= MAX_MACHINES:
        raise ArtifactError(
            f"--merge: got {len(paths)} file{'s' * (len(paths) != 1)}, expected 2 to "
            f"{MAX_MACHINES}; give one of each machine"
        )
    machines = [_read(string.ascii_uppercase[index], path) for index, path in enumerate(paths)]
    for other in machines[1:]:
        _check_same(machines[0], other)
    return machines


def _read(letter: str, path: Path) -> Machine:
    content = read_json(path, schema_version=SCHEMA_VERSION, remedy=REMEDY)
    try:
        machine, source = content["environment"], content["source"]
        images, emulated = total_of(content), is_emulated(content)
        about = f"{machine['cpu']}, {machine['cores']} cores, {machine['architecture']}"
        return Machine(
            letter=letter,
            path=path,
            about=f"{about}, {LEFT_OUT}" if emulated else about,
            model_sha256=str(source["sha256"]),
            data_sha256=str(content["data"]["sha256"]),
            images=images,
            measure=measure_of(content),
            rows={
                str(row["name"]): _row(row, images, measure_of(content), timed=not emulated)
                for row in content["results"]
            },
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{path} lacks or garbles {error}; {REMEDY}") from error


def _row(row: Json, images: int, measure: Measure, *, timed: bool) -> Row:
    nothing = {"p50": None, "p99": None, "unstable": False}
    latency = row["latency_us"] if timed and row["latency_us"] else nothing
    predicted = None if row["predicted"] is None else np.array(row["predicted"], np.int64)
    if predicted is not None and predicted.shape != (images,):
        raise ValueError(f"'predicted' of {row['name']}: {predicted.shape}, not ({images},)")
    return Row(
        size_bytes=(row["size_bytes"], row["gzip_bytes"]),
        value=None if measure.agrees else _number(value_of(row)),
        p50=_number(latency["p50"]),
        p99=_number(latency["p99"]),
        unstable=bool(latency["unstable"]),
        predicted=predicted,
        verdict=str(row["verdict"]),
    )


def _number(value: object) -> float | None:
    if value is None or isinstance(value, int | float):
        return value
    raise TypeError(f"a number (got {value!r})")


def _check_same(first: Machine, other: Machine) -> None:
    for what, found, expected in (
        ("another model", other.model_sha256, first.model_sha256),
        ("other test images", other.data_sha256, first.data_sha256),
    ):
        if found != expected:
            raise ArtifactError(
                f"{other.path} is of {what} than {first.path}: got {found[:12]}…, expected "
                f"{expected[:12]}…; {ONE_BUNDLE}"
            )
    measures = first.measure, other.measure
    if len({(found.output, found.metric) for found in measures}) > 1:
        metrics = " and ".join(f"{found.metric} of {found.output or 'it'}" for found in measures)
        raise ArtifactError(
            f"{other.path} is judged by another metric than {first.path}: got {metrics}; run both "
            "with the same --metric"
        )
    for name in first.rows.keys() & other.rows.keys():
        sizes, expected_sizes = other.rows[name].size_bytes, first.rows[name].size_bytes
        if None not in sizes + expected_sizes and sizes != expected_sizes:
            raise ArtifactError(
                f"{name} is another file in {other.path} than in {first.path}: got {sizes[0]} "
                f"bytes, {sizes[1]} gzipped, expected {expected_sizes[0]} and {expected_sizes[1]}; "
                f"{ONE_BUNDLE}"
            )


def render_merged(machines: Sequence[Machine], console: Console) -> None:
    """Prints the machines' rows side by side, three machines a table, and what they are."""
    for start in range(0, len(machines), MACHINES_A_TABLE):
        console.print(merged_table(machines, machines[start : start + MACHINES_A_TABLE]))
    for machine in machines:
        _line(console, f"{machine.letter}: {machine.path}: {machine.about}")
    first = machines[0]
    legend = LEGEND.format(
        column=first.measure.notation.column,
        total=first.images,
        examples=first.measure.examples,
        example=first.measure.examples[:-1],
        other=OTHER_CLASS * first.measure.classes,
    )
    _line(console, legend)
    for machine in machines:
        others = [
            f"{name} {row.verdict}" for name, row in machine.rows.items() if row.verdict != "pass"
        ]
        if others:
            _line(console, f"On {machine.letter} these do not pass: {', '.join(others)}.")


def merged_table(machines: Sequence[Machine], shown: Sequence[Machine]) -> Table:
    """Returns a table of some of the machines, compared with the first of all."""
    first = machines[0]
    names = dict.fromkeys(name for machine in machines for name in machine.rows)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.add_column("format", overflow="fold")
    if first in shown:
        table.add_column(first.measure.notation.column, justify="right", no_wrap=True)
    for machine in shown:
        headings = [
            f"{machine.letter} p50",
            "p99",
            *["≠A"] * (machine is not first and first.measure.classes),
        ]
        for heading in headings:
            table.add_column(heading, justify="right", no_wrap=True)
    for name in names:
        cells = []
        for machine in shown:
            row, before = machine.rows.get(name), first.rows.get(name)
            if machine is first:
                cells.append(first.measure.notation.figure(row.value if row else None))
            cells += [
                microseconds(row.p50 if row else None, unstable=bool(row and row.unstable)),
                microseconds(row.p99 if row else None, unstable=False),
            ]
            if machine is not first and first.measure.classes:
                cells.append(_flips(before, row))
        table.add_row(name, *cells)
    return table


def _flips(before: Row | None, row: Row | None) -> str:
    if before is None or row is None or before.predicted is None or row.predicted is None:
        return MISSING
    return str(np.count_nonzero(before.predicted != row.predicted))


def _line(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=not console.is_terminal)
