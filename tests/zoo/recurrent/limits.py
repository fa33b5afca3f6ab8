"""What files of recurrent layers have to keep.

Light: standard library only.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from export.formats.table import FORMATS

FLOAT_DB, INTEGER_DB = 100.0, 25.0
# Bytes for each weight, and besides.
SIZES = {"onnx-float32": (4.5, 2048), "onnx-dynamic": (2.8, 3072), "tflite-int8": (4.0, 4096)}
TIMES = {"onnx-float32": 1.2, "onnx-dynamic": 1.5}  # of the file by hand; of float32
LOOPED = ("own_cell", "conv_lstm")  # no operator computes them: sizes and times are a loop's
MOST_SECONDS = 60.0  # of the processor, that all but the mixed formats take together to convert


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A file, as it was measured, or why there is none."""

    decibels: float = 0.0
    size_bytes: int = 0
    weights: int = 1
    times: float | None = None
    p50_us: float | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A layer at a number of steps: the result of each format, and the time that all took."""

    cells: Mapping[str, Measured]
    seconds: float = 0.0


def most_times(name: str) -> float | None:
    """Returns how often the time of what it is compared with a format may take, if that counts."""
    return TIMES.get(name)


def faults(kind: str, name: str, cell: Measured) -> list[str]:
    """Returns what a file is beyond, in words; a format that is refused is beyond nothing."""
    if cell.reason:
        return []
    found = []
    weights = FORMATS[name].weights
    least = FLOAT_DB if weights == "float32" else INTEGER_DB
    if cell.decibels < least:
        found.append(f"{cell.decibels:.1f} dB, expected {least:g}")
    if kind in LOOPED:
        return found
    if name in SIZES:
        each, besides = SIZES[name]
        most = each * cell.weights + besides
        if cell.size_bytes > most:
            found.append(f"{cell.size_bytes} bytes, expected at most {most:.0f}")
    limit = most_times(name)
    if limit and cell.times and cell.times > limit:
        found.append(f"{cell.times:.2f} times, expected {limit:g}")
    return found


def all_faults(kind: str, case: Case) -> list[str]:
    """Returns what a case is beyond, in words."""
    found = [
        f"{name}: {why}" for name, cell in case.cells.items() for why in faults(kind, name, cell)
    ]
    if case.seconds > MOST_SECONDS:
        found.append(f"{case.seconds:.0f} s to convert all, expected at most {MOST_SECONDS:g}")
    return found
