"""Which metrics judge what kind of output, how they are written, and which way is better."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from train.common.errors import ToolkitError
from train.common.tensors import shape_text

# What an output is judged as: one class of several, yes or no, values, or, without targets, the
# Keras model's own outputs.
TaskKind = Literal["classes", "binary", "values", "outputs"]
Metric = Literal["accuracy", "top-5", "auc", "mae", "rmse", "r2"]
METRICS: tuple[Metric, ...] = get_args(Metric)
TOP = 5  # of top-5
# The first is what an output is judged by where the user names none.
METRICS_OF_KIND: dict[TaskKind, tuple[Metric, ...]] = {
    "classes": ("accuracy", "top-5", "auc"),
    "binary": ("accuracy", "auc"),
    "values": ("r2", "mae", "rmse"),
    # an error against the Keras model's own outputs is no share of that model's error, zero
    "outputs": ("r2",),
}
Shape = tuple[int | None, ...]
MISSING = "–"


def metrics_of(kind: TaskKind, output_shape: Shape) -> tuple[Metric, ...]:
    """Returns the metrics that judge such an output, the default one first.

    AUC needs two classes, top-5 more than five: of fewer it is always right.
    """
    classes = (output_shape[-1] or 0) if kind == "classes" else 2
    return tuple(
        metric
        for metric in METRICS_OF_KIND[kind]
        if (metric != "auc" or classes == 2) and (metric != "top-5" or classes > TOP)
    )


def check_metric(metric: str | None, kind: TaskKind, output_shape: Shape, *, name: str) -> Metric:
    """Returns the metric that judges an output: the one given, or the default of its kind.

    Args:
        metric: one of METRICS; None for the default.
        kind: what the output is judged as.
        output_shape: the output's, its first dimension the examples.
        name: the output's, for messages.

    Raises:
        ToolkitError: the metric does not fit the output.
    """
    fitting = metrics_of(kind, output_shape)
    if metric is None:
        return fitting[0]
    for found in fitting:
        if found == metric:
            return found
    without_targets = " without targets; give targets for the others" if kind == "outputs" else ""
    raise ToolkitError(
        f"got --metric {metric} for output {name!r} {shape_text(output_shape)}, expected "
        f"{' or '.join(fitting)}{without_targets}"
    )


@dataclass(frozen=True, kw_only=True)
class Notation:
    """How a metric is written.

    Attributes:
        name: in a sentence.
        column: over its figures in a table.
        title: along an axis.
        percent: whether its values are shares, shown in percent.
        error: whether it is an error, so that smaller is better and its drop a share of the Keras
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


NOTATIONS: dict[Metric, Notation] = {
    "accuracy": Notation(name="accuracy", column="acc %", title="accuracy, %", percent=True),
    "top-5": Notation(
        name="top-5 accuracy", column="top-5 %", title="top-5 accuracy, %", percent=True
    ),
    "auc": Notation(name="AUC", column="AUC", title="area under the ROC curve"),
    "mae": Notation(name="MAE", column="MAE", title="mean absolute error", error=True),
    "rmse": Notation(name="RMSE", column="RMSE", title="root mean squared error", error=True),
    "r2": Notation(name="R²", column="R²", title="R²"),
}


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What the rows of a run are judged by, as reports need to know it.

    Attributes:
        output: the output that the table is of, the first one with targets.
        kind: what it is judged as.
        metric: by what; `outputs` is judged by its signal-to-noise ratio, whatever the metric.
        threshold: above it a binary output is a yes.
        classes: whether its outputs tell classes, which can agree.
        source_value: the metric's value of the Keras model; None where undefined.
        examples: what the test data is made of, `images` or `examples`.
        exact: whether its outputs are indices or classes, which are the same or another.
    """

    output: str
    kind: TaskKind = "classes"
    metric: Metric = "accuracy"
    threshold: float = 0.5
    classes: bool = True
    source_value: float | None = None
    examples: str = "images"
    exact: bool = False

    @property
    def notation(self) -> Notation:
        """How what rows are shown by is written; where classes can only agree, the accuracy."""
        return NOTATIONS["accuracy" if self.agrees else self.metric]

    @property
    def labelled(self) -> bool:
        """Whether there are targets to judge by."""
        return self.kind != "outputs"

    @property
    def agrees(self) -> bool:
        """Whether rows are shown by how many examples they put into the Keras model's class."""
        return self.near_by_share and not self.labelled

    @property
    def near_by_share(self) -> bool:
        """Whether outputs are near the Keras model's by the share that is the same."""
        return self.classes or self.exact

    def as_json(self) -> dict[str, Any]:
        """Returns a JSON object of the fields; the kind is called `task` in it."""
        content = asdict(self)
        return {"output": content.pop("output"), "task": content.pop("kind"), **content}
