"""What files of recurrent layers have to keep, and the table of what they do.

Light: standard library only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from export.formats import FORMATS
from tests.zoo.table import WIDTH, column

FLOAT_DB, INTEGER_DB = 100.0, 25.0
# Bytes for each weight, and besides.
SIZES = {"onnx-float32": (4.5, 2048), "onnx-dynamic": (2.8, 3072), "tflite-int8": (4.0, 4096)}
TIMES = {"onnx-float32": 1.2, "onnx-dynamic": 1.5}  # of the file by hand; of float32
LOOPED = (
    "own_cell",
    "conv_lstm",
)  # no operator computes them, so that sizes and times are a loop's
LEGEND = (
    "dB: centred SNR on fresh examples, of the worst output; B: bytes a weight; ×: time of one "
    "example over that of the family's float32 file, of onnx-float32 over that of the operator by "
    "hand; !: beyond a limit"
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A file, as it was measured, or why there is none."""

    decibels: float = 0.0
    size_bytes: int = 0
    weights: int = 1
    times: float | None = None
    p50_us: float | None = None
    reason: str = ""


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


Results = Mapping[tuple[str, int], Mapping[str, Measured]]


def recurrent_table(found: Results, formats: Sequence[str]) -> str:
    """Returns a row for each layer and number of steps, and why what is missing is."""
    head = f"{'layer':<17}{'steps':>5} " + "".join(f"{column(name):>17}" for name in formats)
    lines = [head, "─" * len(head)]
    for (kind, steps), cells in found.items():
        words = [_word(kind, name, cells[name]) for name in formats]
        lines.append(f"{kind:<17}{steps:>5} " + "".join(f"{word:>17}" for word in words))
    lines += wrap(LEGEND, WIDTH)
    reasons: dict[str, list[str]] = {}
    for (kind, steps), cells in found.items():
        for name, cell in cells.items():
            if cell.reason:
                where = f"{kind} {steps} {column(name)}"
                reasons.setdefault(cell.reason, []).append(where)
    for reason, places in reasons.items():
        lines += wrap(f"{', '.join(places)}: {reason}", WIDTH, subsequent_indent="  ")
    return "\n".join(lines)


def _word(kind: str, name: str, cell: Measured) -> str:
    if cell.reason:
        return "–"
    times = f" {cell.times:.1f}×" if cell.times else ""
    mark = "!" if faults(kind, name, cell) else ""
    return f"{cell.decibels:.0f}dB {cell.size_bytes / cell.weights:.1f}B{times}{mark}"
