"""The zoo's table: one row per model, one column per format, and why something does not work."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from export.manifest import Manifest

FLOAT_BYTES = 4
LARGE = 20_000_000  # parameters, from which on memory is judged
WIDTH = 100
GOOD, GOOD_DB = 95, 30
MAX_TIMES = 4.0  # the float weights, beside what TensorFlow itself takes
ADVICE = re.compile(r"; (?:no simpler format|[a-z0-9-]+ can be made).*$")
LEGEND = (
    "%: held-out examples in the class that the Keras model puts them in; dB: the outputs'",
    "variation over their noise, where they are no classes; fails: no file passed its checks;",
    "lacks: the format has not all operators; refused: see below;",
    f"·: not tried: of large models, mixtures are searched for where int8 is below {GOOD}%.",
    "min, GB: time and memory of all exports of a model; own: what TensorFlow itself takes to",
    f"load, save and convert it, of models from {LARGE // 10**6} M parameters; times:",
    "the difference over the float weights",
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What came of one model in one format: a word, and the reason if there is no file."""

    word: str
    reason: str = ""


def is_weak(cell: Cell) -> bool:
    """Returns whether a file was not made, or puts too many examples into another class."""
    if cell.word.endswith("dB"):
        return int(cell.word[:-2]) < GOOD_DB
    return not cell.word.endswith("%") or int(cell.word[:-1]) < GOOD


NOT_TRIED = Cell(word="·")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model.

    Attributes:
        name: its name.
        parameters: how many numbers it holds.
        seconds: how long exporting it took, loading TensorFlow included.
        peak_bytes: the most memory that took.
        own_bytes: the most that TensorFlow itself takes to convert a large model; else None.
        cells: by the format's name.
    """

    name: str
    parameters: int
    seconds: float
    peak_bytes: int
    own_bytes: int | None = None
    cells: Mapping[str, Cell]


def cell_of_manifest(manifest: Manifest) -> Cell:
    """Returns the share of examples that agree, or decibels where there are no classes.

    Of a mixture that puts more into other classes than it should, it is said that none does better.
    """
    agreement = manifest.recorded("agreement")
    if agreement is not None:
        word = f"{agreement * 100:.0f}%"
        return Cell(word=word, reason=manifest.mixture.disagreement if manifest.mixture else "")
    return Cell(word=f"{min(manifest.recorded('variation_db') or 0, 999):.0f}dB")


def cell_of_failure(text: str) -> Cell:
    """Returns a word for why a format was not made, and the reason without the advice."""
    reason = ADVICE.sub("", text).lstrip(": ")
    if reason.startswith(("was not written", "no mixture")):
        return Cell(word="fails", reason=reason)
    return Cell(word="lacks" if "operator" in reason else "refused", reason=reason)


def table(rows: Sequence[Row], formats: Sequence[str]) -> str:
    """Returns the table, with `formats` as columns, and the reasons under it."""
    names = [column(name) for name in formats]
    widths = [max(6, len(name)) for name in names]
    head = f"{'model':<18} {'M par.':>6} "
    head += " ".join(f"{name:>{width}}" for name, width in zip(names, widths, strict=True))
    head += f" {'min':>4} {'GB':>4} {'own':>4} {'times':>5}"
    lines = [head, "─" * len(head)]
    for row in rows:
        line = f"{row.name:<18} {row.parameters / 1e6:>6.2f} "
        line += " ".join(
            f"{row.cells.get(name, NOT_TRIED).word:>{width}}"
            for name, width in zip(formats, widths, strict=True)
        )
        line += f" {row.seconds / 60:>4.1f} {row.peak_bytes / 1e9:>4.1f} "
        if row.own_bytes is not None:
            line += f"{row.own_bytes / 1e9:>4.1f} {times(row, row.own_bytes):>5.1f}"
        lines.append(line.rstrip())
    return "\n".join([*lines, *LEGEND, *reasons(rows)])


def times(row: Row, own_bytes: int) -> float:
    """Returns how many times its float weights a model took beside TensorFlow itself."""
    return (row.peak_bytes - own_bytes) / (row.parameters * FLOAT_BYTES)


def too_large(rows: Sequence[Row]) -> list[str]:
    """Returns the names of the large models that took more memory than they may."""
    return [
        row.name
        for row in rows
        if row.own_bytes is not None and times(row, row.own_bytes) > MAX_TIMES
    ]


def reasons(rows: Sequence[Row]) -> list[str]:
    """Returns each reason with what it is the reason of, wrapped."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for name, cell in row.cells.items():
            if cell.reason:
                found.setdefault(cell.reason, []).append(f"{row.name} {column(name)}")
    lines = (f"{', '.join(where)}: {reason}" for reason, where in found.items())
    return [part for line in lines for part in wrap(line, WIDTH, subsequent_indent="  ")]


def column(name: str) -> str:
    """Returns a format's short name: T for TFLite, O for ONNX, and its scheme."""
    family, _, scheme = name.partition("-")
    return f"{family[0].upper()}{_SHORT.get(scheme, scheme)}"


_SHORT = {
    "float32": "f32",
    "float16": "f16",
    "dynamic": "dyn",
    "int16x8": "16x8",
    "int8-mixed": "mixed",
}
