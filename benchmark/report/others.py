"""What every report says of a model's further outputs: a line for each row and output. Light."""

from collections.abc import Sequence

from benchmark.judge.metrics import NOTATIONS
from benchmark.report.text import Json, interval

OTHER_COLUMNS = ("format", "output", "metric", "value", "Keras", "drop 95 %", "verdict")
OTHER_LEGEND = (
    "value, Keras: of the export and of the Keras model; drop: points lost against the Keras model "
    "(of MAE and RMSE: % by which they are larger), 95 % interval."
)
WITHOUT_TARGETS = " of the Keras model's outputs"


def other_rows(rows: Sequence[Json]) -> list[tuple[str, ...]]:
    """Returns the cells of `OTHER_COLUMNS`, a tuple for each row and further output of it."""
    return [
        (row["name"], name, *_figures(found["scores"]), found["verdict"])
        for row in rows
        for name, found in row.get("outputs", {}).items()
    ]


def _figures(scores: Json) -> tuple[str, ...]:
    notation = NOTATIONS[scores["metric"]]
    known = scores["task"] != "outputs"
    return (
        notation.name if known else f"{notation.name}{WITHOUT_TARGETS}",
        notation.figure(scores["value"]),
        notation.figure(scores["source_value"]),
        interval(scores["drop_ci95"], 2, 100),
    )
