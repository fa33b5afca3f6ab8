"""Parts of sentences that can be said of one row, or once of several."""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_LISTED = 3  # numbers


@dataclass(frozen=True)
class Clause:
    """A part of a sentence.

    Attributes:
        text: with a `{}` for each figure.
        figures: of one row.
    """

    text: str
    figures: tuple[object, ...] = ()

    def __str__(self) -> str:
        return self.text.format(*self.figures)


Finding = tuple[Clause, Sequence[Clause]]  # what is not as expected, and its causes


def merged(clauses: Sequence[Clause]) -> str:
    """Returns clauses of the same text as one, which lists the figures that differ.

    Of more than three numbers it gives the smallest and the largest.
    """
    figures = zip(*(clause.figures for clause in clauses), strict=True)
    return clauses[0].text.format(*(_merged(list(map(str, slot))) for slot in figures))


def _merged(figures: Sequence[str]) -> str:
    numbers = {figure: _number(figure) for figure in figures}
    if len(figures) <= MAX_LISTED or len(numbers) == 1 or None in numbers.values():
        return joined(figures)
    ordered = sorted(numbers, key=lambda figure: numbers[figure] or 0.0)
    return f"{ordered[0]} to {ordered[-1]}"


def _number(figure: str) -> float | None:
    try:
        return float(figure.replace(",", "").removesuffix("%"))
    except ValueError:
        return None


def joined(names: Sequence[str]) -> str:
    """Returns names as a list that repeats no beginning: `tflite-int8, -float16`; equals once."""
    if len(set(names)) == 1:
        return names[0]
    parts = [name.split("-") for name in names]
    shared = 0
    while all(len(part) > shared + 1 and part[shared] == parts[0][shared] for part in parts):
        shared += 1
    dash = "-" if shared else ""
    return ", ".join([names[0], *(dash + "-".join(part[shared:]) for part in parts[1:])])
