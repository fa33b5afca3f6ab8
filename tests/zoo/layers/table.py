"""The zoo's second table: each layer alone, in every format."""

from collections import Counter
from collections.abc import Mapping, Sequence
from textwrap import wrap

from tests.zoo.table import WIDTH, Cell, column

MADE = "yes"
NOTHING = "–"
NO_KERNELS = "it has no dense or convolution layer"
LEGEND = (
    "yes: made at both shapes; fails, lacks, refused: as above, at one shape or both; –: it has no",
    "weights to narrow to 4 bits",
)


def layers_table(found: Mapping[str, Mapping[str, Cell]], formats: Sequence[str]) -> str:
    """Returns the table of the layers that some format lacks, and which ones all formats have.

    Args:
        found: what came of each format, by `LAYER:SHAPE` and the format's name.
        formats: the columns.
    """
    rows: dict[str, list[str]] = {}
    for layer in dict.fromkeys(name.partition(":")[0] for name in found):
        cases = [cells for name, cells in found.items() if name.partition(":")[0] == layer]
        rows[layer] = [_word([cells[name] for cells in cases]) for name in formats]
    whole = [layer for layer, words in rows.items() if set(words) <= {MADE, NOTHING}]
    names = [column(name) for name in formats]
    widths = [max(7, len(name)) for name in names]
    head = _line("layer", names, widths)
    lines = [
        f"Of {len(rows)} layers of Keras, each alone at two shapes, {len(whole)} are made in every "
        "format:",
        *wrap(", ".join(whole), WIDTH, initial_indent="  ", subsequent_indent="  "),
        counts(found),
        head,
        "─" * len(head),
    ]
    for layer, words in rows.items():
        if layer not in whole:
            lines.append(_line(layer, words, widths))
    return "\n".join([*lines, *LEGEND, *_reasons(found)])


def _line(layer: str, words: Sequence[str], widths: Sequence[int]) -> str:
    cells = (f"{word:>{width}}" for word, width in zip(words, widths, strict=True))
    return f"{layer:<24.24} " + " ".join(cells)


def counts(found: Mapping[str, Mapping[str, Cell]]) -> str:
    """Returns how many files were made, of how many, and what came of the others, in a line."""
    every = [cell for cells in found.values() for cell in cells.values()]
    words = Counter(cell.word for cell in every if cell.reason)
    others = "".join(f", {count} {word}" for word, count in sorted(words.items()))
    return f"{sum(not cell.reason for cell in every)} of {len(every)} files made{others}"


def _word(cells: Sequence[Cell]) -> str:
    reasons = [cell for cell in cells if cell.reason]
    if not reasons:
        return MADE
    return next((cell.word for cell in reasons if NO_KERNELS not in cell.reason), NOTHING)


def _reasons(found: Mapping[str, Mapping[str, Cell]]) -> list[str]:
    """Returns each reason once, with where it is said."""
    where: dict[str, dict[str, list[str]]] = {}
    for name, cells in found.items():
        layer = name.partition(":")[0]
        for form, cell in cells.items():
            if cell.reason and NO_KERNELS not in cell.reason:
                formats = where.setdefault(cell.reason, {}).setdefault(layer, [])
                formats += [column(form)] * (column(form) not in formats)
    lines = []
    for reason, layers in where.items():
        said = "; ".join(f"{layer} {' '.join(formats)}" for layer, formats in layers.items())
        lines += wrap(f"{said}: {reason}", WIDTH, subsequent_indent="  ")
    return lines
