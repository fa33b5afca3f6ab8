"""What two machines made of the same images: predictions and outputs that differ. Light."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.measure.variants import RESULTS_FILE
from benchmark.results.file import OUTPUTS_FILE
from benchmark.results.run import SCHEMA_VERSION
from export.formats.table import FORMATS, Format
from export.manifest import read_manifest
from train.common.errors import ArtifactError
from train.common.files.artifact import read_json
from train.common.tensors import TensorSpec

Json = Mapping[str, Any]
MIN_IMAGES = 1_000


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The most that a row may differ.

    Attributes:
        flips: share of the images whose prediction differs, 0…1.
        difference: between two outputs: steps of an integer output, else the number itself.
    """

    flips: float
    difference: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """A format on both machines.

    Attributes:
        name: the row's name in `benchmark.json`.
        images: how many both classified.
        flips: how many they put into different classes.
        difference: the largest between two outputs, in `unit`.
        unit: `LSB`, the step of an integer output, or empty for the number itself.
        limit: the most allowed.
    """

    name: str
    images: int
    flips: int
    difference: float
    unit: str
    limit: Limit

    @property
    def passed(self) -> bool:
        """Whether it keeps its limits; an output that is no number keeps none."""
        allowed = self.limit.flips * self.images
        return self.flips <= allowed and self.difference <= self.limit.difference


# Set after measuring, with room: they guard against kernels that are wrong. Kernels for ARM and x86
# sum in another order and round where a sum falls between two steps. On an MLP and a CNN, 1,000
# images each, no prediction flipped; outputs differed by 1 step of int8, none of int16, floats by
# 2e-6, and by 5e-5 where the network computes in integers. An image may flip where two classes are
# a step apart.
FLIPS = 0.005
STEPS = {"int8": 2, "uint8": 2, "int16": 8}
FLOAT = 1e-4
# Float outputs of a network that computes in integers: a step within it moves them by more.
FLOAT_OF_INTEGERS = 0.02
# On x86-64 without VNNI, ONNX Runtime adds two products of 8-bit numbers in 16 bits; large ones
# overflow. On MLPs of 352 and 32 units outputs differed by 0.036 and 0.11, and one and three
# predictions of 1,000 flipped.
ONNX_INTEGERS = Limit(flips=0.02, difference=0.3)


def limit_of(entry: Format, output: TensorSpec) -> Limit:
    """Returns the limits of a format with such an output."""
    if output.scale is not None:
        return Limit(flips=FLIPS, difference=STEPS[output.dtype])
    if entry.activations in ("float32", "float16"):
        return Limit(flips=FLIPS, difference=FLOAT)
    if entry.family == "onnx":
        return ONNX_INTEGERS
    return Limit(flips=FLIPS, difference=FLOAT_OF_INTEGERS)


def read_results(artifacts: Path) -> Json:
    """Returns the content of `benchmark.json`; raises ArtifactError without."""
    path = artifacts / RESULTS_FILE
    return read_json(path, schema_version=SCHEMA_VERSION, remedy="run `python -m benchmark`")


def compare_rows(here: Path, there: Path) -> Iterator[Row]:
    """Yields each row of a benchmark made here beside the same row of one made elsewhere.

    Args:
        here: artifacts folder with exports, results and outputs.
        there: folder with the other machine's results and outputs.

    Raises:
        ArtifactError: not the same data, rows that one of them lacks or could not measure, or
            fewer than `MIN_IMAGES` images.
    """
    results, others = read_results(here), read_results(there)
    if results["data"]["sha256"] != others["data"]["sha256"]:
        raise ArtifactError(
            f"got results on data {others['data']['sha256'][:12]}…, expected "
            f"{results['data']['sha256'][:12]}…; run `make arm` again"
        )
    ours, theirs = (dict(np.load(folder / OUTPUTS_FILE)) for folder in (here, there))
    reasons = {row["name"]: row["reasons"] for row in (*results["results"], *others["results"])}
    for row in results["results"]:
        name = row["name"]
        if name not in ours or name not in theirs:
            raise ArtifactError(
                f"{name} was not measured on both machines: {'; '.join(reasons[name])}; "
                "fix or delete that export"
            )
        (output,) = read_manifest(here / f"{row['format']}.json").outputs
        limit = limit_of(FORMATS[row["format"]], output)
        yield compare(name, ours[name], theirs[name], output, limit)


def compare(
    name: str, ours: np.ndarray, theirs: np.ndarray, output: TensorSpec, limit: Limit
) -> Row:
    """Returns how far two machines' outputs differ.

    Args:
        name: the row's.
        ours, theirs: (N, classes) float32, real values.
        output: the file's output, whose scale is a step of the stored integers.
        limit: the most that they may differ.

    Raises:
        ArtifactError: not as many images, or fewer than `MIN_IMAGES`.
    """
    if ours.shape != theirs.shape or len(ours) < MIN_IMAGES:
        raise ArtifactError(
            f"{name}: got outputs of shape {theirs.shape} and {ours.shape} here, expected the same "
            f"on at least {MIN_IMAGES:,} images"
        )
    difference = float(np.max(np.abs(ours.astype(np.float64) - theirs)))
    if output.scale is not None:
        difference = float(np.rint(difference / output.scale))
    return Row(
        name=name,
        images=len(ours),
        flips=int(np.count_nonzero(ours.argmax(axis=1) != theirs.argmax(axis=1))),
        difference=difference,
        unit="LSB" if output.scale is not None else "",
        limit=limit,
    )


def table(rows: Sequence[Row]) -> str:
    """Returns the rows as a table of at most 80 columns."""
    lines = [
        "format                       flips     of limit  difference    limit  verdict",
        "─" * 77,
    ]
    lines += [
        f"{row.name:28} {row.flips:5,} {row.images:6,} {row.limit.flips * row.images:5,.0f}  "
        f"{shown(row.difference, row.unit):>10} {shown(row.limit.difference, row.unit):>8}  "
        f"{'pass' if row.passed else 'fail'}"
        for row in rows
    ]
    return "\n".join(lines)


def shown(difference: float, unit: str) -> str:
    """Returns a difference with its unit."""
    return f"{difference:,.0f} {unit}" if unit else f"{difference:.1e}"
