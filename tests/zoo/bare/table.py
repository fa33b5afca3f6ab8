"""The zoo's second table: each export beside the file that the bare converter makes."""

import re
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from textwrap import wrap

from tests.zoo.bare.judge import (
    LESS_DB,
    MORE_BYTES,
    ROUNDING_DB,
    TIMES,
    Comparison,
    File,
    gap_db,
    times,
    verdict,
)

WIDTH = 100
FOLDER = re.compile(r"/\S+/(?=[\w.-]+\.onnx)")  # in a converter's reason
Compared = Mapping[str, Mapping[str, Comparison]]  # by model and format
LEGEND = (
    "ours / the bare converter's file, on examples that neither saw: dB, centred SNR against Keras",
    "of the output that does worst; kB; ×, our time for one example over the other's, in turns in",
    "one process. –: no file; *: a promise of ours costs what the bare file is ahead; !: a fault,",
    f"more than {LESS_DB:g} dB (below {ROUNDING_DB:g}), {MORE_BYTES / 1000:g} kB or "
    f"{TIMES - 1:.0%} behind.",
)


def comparison_table(compared: Compared, columns: Mapping[str, str]) -> str:
    """Returns three lines for each model, and the faults under them.

    Args:
        compared: what was found.
        columns: the short name of each format.
    """
    formats = [name for name in columns if any(name in found for found in compared.values())]
    body = [
        (name, what, [cell(found.get(form)) for form in formats])
        for name, found in compared.items()
        for what, cell in (("dB", _decibels), ("kB", _kilobytes), ("×", _times))
    ]
    heads = [columns[form] for form in formats]
    widths = [
        max(len(head), *(len(cells[number]) for _, _, cells in body))
        for number, head in enumerate(heads)
    ]
    lines = [_line("model", "", heads, widths)]
    lines.append("─" * len(lines[0]))
    lines += [
        _line(name if what == "dB" else "", what, cells, widths) for name, what, cells in body
    ]
    return "\n".join([*lines, *LEGEND, *_reasons(compared, columns)])


def gains_table(compared: Compared, columns: Mapping[str, str]) -> str:
    """Returns what the exports gain over the bare files, one line for each format."""
    lines = [
        f"{'format':<16} {'models':>6} {'dB more':>13} {'size':>13} {'time':>13} {'bare fails':>10}"
    ]
    lines.append("─" * len(lines[0]))
    for form in columns:
        found = [each[form] for each in compared.values() if form in each and each[form].ours]
        if not found:
            continue
        both = [(each.ours, each.bare) for each in found if each.ours and each.bare]
        gaps = [gap_db(*pair) for pair in both]
        sizes = [ours.size_bytes / bare.size_bytes for ours, bare in both]
        ratios = [ratio for pair in both if (ratio := times(*pair)) is not None]
        fails = sum(each.bare is None or bool(each.bare.failed) for each in found)
        lines.append(
            f"{form:<16} {len(found):>6} {_spread(gaps, max, '+.1f'):>13} "
            f"{_spread(sizes, min, '.2f'):>13} {_spread(ratios, min, '.2f'):>13} {fails:>10}"
        )
    return "\n".join(lines)


def faults(compared: Compared) -> list[str]:
    """Returns each export that is behind without a promise to blame: model, format, in what."""
    return [
        f"{name} {form}: {', '.join(found)}"
        for name, each in compared.items()
        for form, comparison in each.items()
        if (found := verdict(comparison)[0])
    ]


def _spread(values: Sequence[float], best: Callable[..., float], form: str) -> str:
    """Returns the median and the best of some values."""
    if not values:
        return "–"
    return f"{format(median(values), form)} ({format(best(values), form)})"


def _line(name: str, what: str, cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = " ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    return f"{name:<18} {what:<2} {parts}".rstrip()


def _decibels(found: Comparison | None) -> str:
    if found is None:
        return ""
    wrong, promise = verdict(found)
    mark = "!" if wrong else "*" if promise else ""
    return _both(found, lambda file: f"{min(file.decibels.values(), default=0.0):.0f}") + mark


def _kilobytes(found: Comparison | None) -> str:
    return "" if found is None else _both(found, lambda file: size(file.size_bytes))


def _times(found: Comparison | None) -> str:
    if found is None or found.ours is None or found.bare is None:
        return ""
    ratio = times(found.ours, found.bare)
    return "" if ratio is None else f"{ratio:.2f}"


def size(count: int) -> str:
    """Returns some bytes in kB, three digits at least."""
    return f"{count / 1000:.1f}" if count < 100_000 else f"{count / 1000:.0f}"


def _both(found: Comparison, text: Callable[[File], str]) -> str:
    ours, bare = ((file and text(file)) or "–" for file in (found.ours, found.bare))
    return f"{ours}/{bare}"


def _reasons(compared: Compared, columns: Mapping[str, str]) -> list[str]:
    found: dict[str, list[str]] = {}
    for name, each in compared.items():
        for form, comparison in each.items():
            wrong, promise = verdict(comparison)
            where = f"{name} {columns[form]}"
            if wrong:
                found.setdefault(f"FAULT, {', '.join(wrong)}", []).append(where)
            if promise:
                found.setdefault(f"costs something: {promise}", []).append(where)
            if comparison.reason:
                reason = FOLDER.sub("", comparison.reason)
                found.setdefault(f"no bare file: {reason}", []).append(where)
    lines = (f"{', '.join(where)}: {reason}" for reason, where in found.items())
    return [part for line in lines for part in wrap(line, WIDTH, subsequent_indent="  ")]
