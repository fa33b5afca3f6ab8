"""How good an output of an export is, beside the Keras model's."""

from dataclasses import asdict, dataclass
from typing import Any

from benchmark.judge.drop import Drop
from benchmark.judge.scoring.metrics import Metric, TaskKind
from benchmark.judge.statistics import mcnemar_p, wilson_interval
from train.common.intervals import paired_drop_interval

Figures = dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Paired:
    """Right and wrong of an export and of the Keras model on the same images.

    Attributes:
        total: how many images, > 0.
        correct: how many the export gets right.
        lost: how many the Keras model gets right and the export wrong.
        gained: how many the Keras model gets wrong and the export right.
    """

    total: int
    correct: int
    lost: int
    gained: int

    @property
    def accuracy(self) -> float:
        """The share of images that the export gets right, 0…1."""
        return self.correct / self.total

    @property
    def source_accuracy(self) -> float:
        """The share of images that the Keras model gets right, 0…1."""
        return (self.correct + self.lost - self.gained) / self.total

    @property
    def drop(self) -> float:
        """The Keras model's accuracy less the export's."""
        return (self.lost - self.gained) / self.total

    def as_json(self) -> dict[str, Any]:
        """Returns the counts, the drop and its interval as a JSON object."""
        interval = paired_drop_interval(self.lost, self.gained, self.total)
        return {**asdict(self), "drop": self.drop, "drop_ci95": interval}


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """How an export classifies the test images, beside the Keras model; shares in 0…1.

    Attributes:
        overall: over all images.
        classes: the same for the images of each class, by the class's number; no empty ones.
        agreeing: on how many images both predict the same class.
        ece: expected calibration error of the export's confidence; None where its outputs are
            no probabilities.
        source_ece: the same of the Keras model.
    """

    overall: Paired
    classes: dict[int, Paired]
    agreeing: int
    ece: float | None
    source_ece: float | None

    @property
    def agreement(self) -> float:
        """The share of images on which both predict the same class."""
        return self.agreeing / self.overall.total

    @property
    def worst_class(self) -> int:
        """The class with the largest drop, the first of equals."""
        return max(self.classes, key=lambda label: self.classes[label].drop)

    def as_json(self) -> dict[str, Any]:
        """Returns a JSON object, flat but for the classes."""
        overall = self.overall
        return {
            "correct": overall.correct,
            "total": overall.total,
            "lost": overall.lost,
            "gained": overall.gained,
            "accuracy": overall.accuracy,
            "accuracy_ci95": wilson_interval(overall.correct, overall.total),
            "drop_vs_source": overall.drop,
            "drop_ci95": paired_drop_interval(overall.lost, overall.gained, overall.total),
            "mcnemar_p": mcnemar_p(overall.lost, overall.gained),
            "agreement": self.agreement,
            "agreement_ci95": wilson_interval(self.agreeing, overall.total),
            "ece": self.ece,
            "source_ece": self.source_ece,
            "worst_class_drop": self.classes[self.worst_class].drop,
            "worst_class": self.worst_class,
            "classes": {str(label): paired.as_json() for label, paired in self.classes.items()},
        }


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How good an output of an export is, beside the Keras model's.

    Attributes:
        kind: what the output is judged as.
        metric: what it is judged by.
        figures: every metric of its kind by name (`accuracy`, `top5_accuracy`, `auc`, `mae`,
            `rmse`, `r2`), the Keras model's with `source_` before it; None where undefined.
            Without targets they are against the Keras model's outputs.
        drop: what the export loses in the metric; None where that is undefined.
        undefined: why it is, and what to do.
        accuracy: of classes and binary, the counts; by top-5 where that is the metric.
    """

    kind: TaskKind
    metric: Metric
    figures: Figures
    drop: Drop | None
    undefined: str | None = None
    accuracy: Accuracy | None = None

    @property
    def value(self) -> float | None:
        """The metric's value of the export."""
        return self.figures[_figure_name(self.metric)]

    @property
    def source_value(self) -> float | None:
        """The metric's value of the Keras model."""
        return self.figures[f"source_{_figure_name(self.metric)}"]

    def as_json(self) -> dict[str, Any]:
        """Returns a flat JSON object, without the counts."""
        return {
            "task": self.kind,
            "metric": self.metric,
            "value": self.value,
            "source_value": self.source_value,
            "drop": self.drop.value if self.drop else None,
            "drop_ci95": self.drop.interval if self.drop else None,
            "undefined": self.undefined,
            **self.figures,
        }


def beside(name: str, value: float | None, source_value: float | None) -> Figures:
    """Returns the figures of a metric, the export's and the Keras model's."""
    return {name: value, f"source_{name}": source_value}


def _figure_name(metric: Metric) -> str:
    return "top5_accuracy" if metric == "top-5" else metric
