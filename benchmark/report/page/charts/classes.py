"""The map of accuracies by class: which class pays for a smaller file."""

from dataclasses import dataclass

from benchmark.report.figures import interval, number
from benchmark.results.row import Counts
from benchmark.results.run import Run

LEVELS = 4  # of colour on either side
LEAST_LIMIT, MOST_LIMIT = 0.02, 0.10  # of the difference that has the full colour


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One class of one export.

    Attributes:
        accuracy, difference: in percent, and in points against the Keras model; as text.
        level: -4…4, how strong a colour, negative where accuracy is lost.
        sure: whether the difference's 95 % interval is clear of zero.
        title: the figures in words.
    """

    accuracy: str
    difference: str
    level: int
    sure: bool
    title: str


@dataclass(frozen=True, kw_only=True)
class ClassMap:
    """The map.

    Attributes:
        classes: the names of the columns.
        source: the Keras model's accuracy in each, in percent, as text.
        rows: a name and its cells; None for a class without images.
        limit: the difference that has the full colour, in points, as text.
    """

    classes: list[str]
    source: list[str]
    rows: list[tuple[str, list[Cell | None]]]
    limit: str


def class_map(run: Run) -> ClassMap | None:
    """Returns the map; None if no row was measured or the data has no labels."""
    rows = {row.name: row.classes for row in run.results if row.classes}
    if not rows:
        return None
    names, first = run.data.classes, next(iter(rows.values()))
    drops = [abs(found.drop) for classes in rows.values() for found in classes.values()]
    limit = min(max(LEAST_LIMIT, *drops), MOST_LIMIT)
    keys = sorted(first, key=int)
    return ClassMap(
        classes=[names[int(key)] if int(key) < len(names) else key for key in keys],
        source=[_source(first[key]) for key in keys],
        rows=[
            (name, [_cell(classes.get(key), limit) for key in keys])
            for name, classes in rows.items()
        ],
        limit=number(limit, 1, 100),
    )


def _source(found: Counts) -> str:
    return number((found.correct + found.lost - found.gained) / found.total, 1, 100)


def _cell(found: Counts | None, limit: float) -> Cell | None:
    if found is None:
        return None
    drop = found.drop
    low, high = found.drop_ci95 or (-1, 1)
    return Cell(
        accuracy=number(found.correct / found.total, 1, 100),
        difference="0" if drop == 0 else f"{-drop * 100:+.1f}".replace("-", "−"),
        level=_level(-drop / limit),
        sure=low > 0 or high < 0,
        title=f"{found.correct:,} of {found.total:,} right; {found.lost} lost, "
        f"{found.gained} gained; drop {interval((low, high), 1, 100)} points (95 %)",
    )


def _level(share: float) -> int:
    """Returns the level of a difference, a share of the one of full colour; 0 for none only."""
    strength = min(LEVELS, max(1, round(abs(share) * LEVELS)))
    return 0 if share == 0 else strength if share > 0 else -strength
