"""What a metric is called, how its values are written, and which way is better. Light."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmark.judge.tasks import TASK_METRICS, Metric, Task

MISSING = "–"


@dataclass(frozen=True, kw_only=True)
class Words:
    """How a metric is spoken of.

    Attributes:
        name: in a sentence.
        column: over its figures in a table.
        title: along an axis.
        percent: whether its values are shares, shown in percent.
        error: whether it is one, so that smaller is better and its drop a share of the Keras
            model's error; else the drop is in points.
    """

    name: str
    column: str
    title: str
    percent: bool = False
    error: bool = False

    @property
    def unit(self) -> str:
        """Of a drop's figure."""
        return "%" if self.error else "points"

    @property
    def scale(self) -> float:
        """What a value is multiplied by to be shown."""
        return 100 if self.percent else 1

    @property
    def drop_meaning(self) -> str:
        """What the interval of a drop is of."""
        if self.error:
            return f"% by which the {self.name} is larger than the Keras model's, 95 % interval"
        points = "points" if self.percent else "points (0.01 each)"
        return f"{points} of {self.name} lost against the Keras model, 95 % interval"

    def figure(self, value: float | None) -> str:
        """Returns a value as tables have it: 90.22 of an accuracy, 0.9022, 1.234e-05."""
        if value is None:
            return MISSING
        if self.percent:
            return f"{value * 100 + 0:.2f}"
        return f"{value:.4g}" if self.error else f"{value + 0:.4f}"

    def said(self, value: float | None) -> str:
        """Returns a value as sentences have it."""
        return self.figure(value) + "%" * (self.percent and value is not None)


WORDS: dict[Metric, Words] = {
    "accuracy": Words(name="accuracy", column="acc %", title="accuracy, %", percent=True),
    "top-5": Words(
        name="top-5 accuracy", column="top-5 %", title="top-5 accuracy, %", percent=True
    ),
    "auc": Words(name="AUC", column="AUC", title="area under the ROC curve"),
    "mae": Words(name="MAE", column="MAE", title="mean absolute error", error=True),
    "rmse": Words(name="RMSE", column="RMSE", title="root mean squared error", error=True),
    "r2": Words(name="R²", column="R²", title="R²"),
}


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What the rows of a run are judged by, as reports need to know it.

    Attributes:
        output: the output that the table is of, the first one with targets.
        task: what it is judged as.
        metric: by what; `outputs` is judged by its signal-to-noise ratio, whatever the metric.
        threshold: above it a binary output is a yes.
        classes: whether its outputs tell classes, which can agree.
        source_value: the metric's value of the Keras model; None where undefined.
        examples: what the test data is made of, `images` or `examples`.
    """

    output: str
    task: Task = "classes"
    metric: Metric = "accuracy"
    threshold: float = 0.5
    classes: bool = True
    source_value: float | None = None
    examples: str = "images"

    @property
    def words(self) -> Words:
        """How what rows are shown by is spoken of; where classes can only agree, the accuracy."""
        return WORDS["accuracy" if self.agrees else self.metric]

    @property
    def labelled(self) -> bool:
        """Whether there are targets to judge by."""
        return self.task != "outputs"

    @property
    def agrees(self) -> bool:
        """Whether rows are shown by how many examples they put into the Keras model's class."""
        return self.classes and not self.labelled

    def as_json(self) -> dict[str, Any]:
        """Returns a JSON object of the fields."""
        return asdict(self)


def measure_of(content: Mapping[str, Any]) -> Measure:
    """Returns what the rows of a `benchmark.json` are judged by; earlier ones by accuracy.

    Raises:
        LookupError, TypeError, ValueError: it is garbled.
    """
    if "measure" in content:
        found = Measure(**content["measure"])
        if found.task not in TASK_METRICS or found.metric not in WORDS:
            raise ValueError(f"the measure, got {found.task!r} by {found.metric!r}")
        if found.examples not in ("images", "examples"):
            raise ValueError(f"the measure's examples, got {found.examples!r}")
        return found
    source = content["source"]
    if "accuracy" in source and source["accuracy"] is None:
        return Measure(output="", task="outputs", metric="r2")
    return Measure(output="", source_value=source.get("accuracy"))
