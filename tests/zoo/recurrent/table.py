"""The tables of recurrent layers.

Light: standard library only.
"""

from collections.abc import Mapping, Sequence
from textwrap import wrap

from tests.zoo.recurrent.limits import SIZES, TIMES, Case, Measured, faults
from tests.zoo.table import WIDTH, column

LEGEND = (
    "dB: centred SNR on fresh examples, of the worst output; B: bytes a weight; ×: time of one "
    "example over that of the family's float32 file, of onnx-float32 over that of the operator by "
    "hand; s: of the processor, of converting to all formats; !: beyond a limit"
)
WORST_LEGEND = (
    "the worst of {steps} steps. dB: centred SNR on fresh examples, of the worst output; B: bytes "
    "a weight; ×: time of one example over that of float32, of onnx-float32 over that of the "
    "operator by hand; s: of the processor, of converting to all formats; –: refused, °: refused "
    "at some numbers of steps, see below; !: beyond a limit"
)

Results = Mapping[tuple[str, int], Case]


def recurrent_table(found: Results, formats: Sequence[str]) -> str:
    """Returns a row for each layer and number of steps, and why what is missing is."""
    head = (
        f"{'layer':<17}{'steps':>5} " + "".join(f"{column(name):>17}" for name in formats) + "    s"
    )
    lines = [head, "─" * len(head)]
    for (kind, steps), case in found.items():
        words = [_word(kind, name, case.cells[name]) for name in formats]
        lines.append(
            f"{kind:<17}{steps:>5} "
            + "".join(f"{word:>17}" for word in words)
            + f"{case.seconds:>5.0f}"
        )
    return "\n".join([*lines, *wrap(LEGEND, WIDTH), *_reasons(found)])


def worst_table(found: Results, formats: Sequence[str]) -> str:
    """Returns a row for each layer, of the worst over all numbers of steps."""
    widths = {name: max(6, len(column(name)) + 1) for name in formats}
    sized, timed = ([name for name in formats if name in each] for each in (SIZES, TIMES))
    head = (
        f"{'layer':<17}"
        + "".join(f"{column(name):>{width}}" for name, width in widths.items())
        + " "
        + "".join(f"{column(name) + ' B':>8}" for name in sized)
        + "".join(f"{column(name) + ' ×':>8}" for name in timed)
        + "    s"
    )
    lines = [head, "─" * len(head)]
    for kind in dict.fromkeys(kind for kind, _ in found):
        cases = [case for (each, _), case in found.items() if each == kind]
        cells = {name: [case.cells[name] for case in cases] for name in formats}
        bytes_each = [
            _worst([f"{c.size_bytes / c.weights:.1f}" for c in cells[name] if not c.reason])
            for name in sized
        ]
        times = [_worst([f"{c.times:.2f}" for c in cells[name] if c.times]) for name in timed]
        lines.append(
            f"{kind:<17}"
            + "".join(
                f"{_decibels(kind, name, cells[name]):>{width}}" for name, width in widths.items()
            )
            + " "
            + "".join(f"{word:>8}" for word in (*bytes_each, *times))
            + f"{max(case.seconds for case in cases):>5.0f}"
        )
    steps = ", ".join(str(number) for number in sorted({number for _, number in found}))
    return "\n".join([*lines, *wrap(WORST_LEGEND.format(steps=steps), WIDTH), *_reasons(found)])


def _worst(words: Sequence[str]) -> str:
    return max(words, key=float, default="–")


def _decibels(kind: str, name: str, cells: Sequence[Measured]) -> str:
    made = [cell for cell in cells if not cell.reason]
    if not made:
        return "–"
    partly = "°" if len(made) < len(cells) else ""
    mark = "!" if any(faults(kind, name, cell) for cell in made) else ""
    return f"{min(cell.decibels for cell in made):.0f}{partly}{mark}"


def _reasons(found: Results) -> list[str]:
    """Returns why files are missing, each reason once, with the steps of each layer and format."""
    reasons: dict[str, dict[tuple[str, str], list[str]]] = {}
    for (kind, steps), case in found.items():
        for name, cell in case.cells.items():
            if cell.reason:
                places = reasons.setdefault(cell.reason, {})
                places.setdefault((kind, column(name)), []).append(str(steps))
    lines = []
    for reason, places in reasons.items():
        where = ", ".join(f"{kind} {short} {'/'.join(n)}" for (kind, short), n in places.items())
        lines += wrap(f"{where}: {reason}", WIDTH, subsequent_indent="  ")
    return lines


def _word(kind: str, name: str, cell: Measured) -> str:
    if cell.reason:
        return "–"
    times = f" {cell.times:.1f}×" if cell.times else ""
    mark = "!" if faults(kind, name, cell) else ""
    return f"{cell.decibels:.0f}dB {cell.size_bytes / cell.weights:.1f}B{times}{mark}"
