"""What each of a model's outputs is judged as, and by which metric."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmark.judge.scoring.classification import as_classes, predicted_classes, score_classes
from benchmark.judge.scoring.metrics import (
    Measure,
    Metric,
    Shape,
    TaskKind,
    check_metric,
    metrics_of,
)
from benchmark.judge.scoring.regression import is_finite, score_values
from benchmark.judge.scoring.scores import Scores
from export.verify.distance import Distance, are_classes, are_probabilities, distance
from train.common.errors import ArtifactError, ToolkitError
from train.common.reference_outputs import ReferenceOutputs
from train.common.samples import Samples

THRESHOLD = 0.5
MAX_CLASS = 2**24  # up to which float32, in which outputs are kept, has every integer


@dataclass(frozen=True, kw_only=True)
class Task:
    """What an output is judged as.

    Attributes:
        name: the output's.
        is_first: whether it is the model's first one.
        reference: (N, …) the Keras model's.
        targets: (N, …) the truth; None where it is not known.
        kind: as `kind_of` found it.
        metric: what it is judged by.
        threshold: above it a binary output is a yes.
        has_classes: whether it tells classes: there are labels, or names of them, or its values
            are probabilities.
        class_names: of its classes; empty where they have none.
        own_rounding_db: as of `ReferenceOutputs`; None where it is not known.
        exact: whether its values are indices or classes, which are the same or another.
    """

    name: str
    is_first: bool
    reference: np.ndarray
    targets: np.ndarray | None
    kind: TaskKind
    metric: Metric
    threshold: float
    has_classes: bool
    class_names: tuple[str, ...]
    own_rounding_db: float | None = None
    exact: bool = False

    @property
    def labels(self) -> np.ndarray | None:
        """The true class of each example, (N,) int64, of outputs that tell classes."""
        if self.targets is None or self.kind not in ("classes", "binary"):
            return None
        found: np.ndarray = self.targets.reshape(-1).astype(np.int64)
        return found

    def class_scores(self, outputs: np.ndarray) -> np.ndarray:
        """Returns outputs that tell classes as (N, C), a number for each class."""
        return outputs if are_classes(outputs.shape) else as_classes(outputs, self.threshold)

    def predicted(self, outputs: np.ndarray) -> np.ndarray | None:
        """Returns the class of each example, (N,) int32; None where outputs tell no classes."""
        if not self.has_classes:
            return None
        if self.exact:
            return outputs.reshape(-1).clip(0, MAX_CLASS).astype(np.int32)
        found: np.ndarray = predicted_classes(outputs, self.threshold).astype(np.int32)
        return found

    def right_classes(self) -> np.ndarray | None:
        """Returns the labels; without any, the Keras model's classes, which stand in for them."""
        return self.predicted(self.reference) if self.labels is None else self.labels

    def source_accuracy(self) -> float | None:
        """Returns the Keras model's accuracy, 0…1; None without labels."""
        labels, predicted = self.labels, self.predicted(self.reference)
        if labels is None or predicted is None:
            return None
        return float(np.mean(predicted == labels))

    def measure(self, examples: str) -> Measure:
        """Returns what reports need to know of it; `examples` is what the test data is made of."""
        return Measure(
            output=self.name,
            kind=self.kind,
            metric=self.metric,
            threshold=self.threshold,
            classes=self.has_classes,
            exact=self.exact,
            source_value=self.score(self.reference).source_value,
            examples=examples,
        )

    def score(self, outputs: np.ndarray) -> Scores:
        """Returns how good an export's outputs, (N, …), are."""
        kind, metric, labels = self.kind, self.metric, self.labels
        if labels is not None:
            return score_classes(
                *(outputs, self.reference, labels),
                kind=kind,
                metric=metric,
                threshold=self.threshold,
                exact=self.exact,
            )
        truth = self.reference if self.targets is None else self.targets
        return score_values(outputs, self.reference, truth, kind=kind, metric=metric)

    def distance(self, outputs: np.ndarray) -> Distance:
        """Returns how far an export's outputs, (N, …), are from the Keras model's.

        Agreement, and accuracy, are those of the classes; None where outputs tell none. Of several
        indices for an example, agreement is the share of them that are the same.
        """
        found = distance(outputs, self.reference, None, exact=self.exact)
        predicted, expected = self.predicted(outputs), self.predicted(self.reference)
        right = self.right_classes()
        accuracy = drop = None
        agreement = found.agreement if self.exact else None
        if predicted is not None and expected is not None and right is not None:
            agreement = float(np.mean(predicted == expected))
            accuracy = float(np.mean(predicted == right))
            drop = float(np.mean(expected == right)) - accuracy
        return replace(found, agreement=agreement, accuracy=accuracy, accuracy_drop=drop)


def tasks_of(
    reference: ReferenceOutputs,
    test: Samples,
    *,
    metric: str | None = None,
    threshold: float = THRESHOLD,
) -> tuple[Task, ...]:
    """Returns what each output is judged as; the first is the one that the table is of.

    That is the first output with targets, or the first of all where there are none. The metric
    given is its; another output is judged by it too if it fits, else by the default of its kind.

    Args:
        reference: the Keras model's outputs.
        test: the test data, with targets for some of them.
        metric: what the user chose; None for the default of the kind.
        threshold: above it a binary output is a yes.

    Raises:
        ArtifactError: the Keras model's outputs are not finite.
        ToolkitError: the metric does not fit the first output, or targets are for another model.
    """
    known = [name for name in reference.outputs if name in test.targets]
    main = known[0] if known else next(iter(reference.outputs))
    order = [main, *(name for name in reference.outputs if name != main)]
    for name in test.targets:
        if name not in reference.outputs:
            raise ToolkitError(
                f"got targets for output {name!r}, expected {', '.join(reference.outputs)}; "
                "rename them"
            )
    return tuple(
        _task(name, reference, test.targets, metric, threshold, is_main=name == main)
        for name in order
    )


def kind_of(output_shape: Shape, targets: np.ndarray | None, *, exact: bool = False) -> TaskKind:
    """Returns what an output is judged as, by its targets.

    - classes: output (N, C), C > 1, and integers (N,); or an exact output of one value.
    - binary: an output of one value, and as many 0 and 1, of any type.
    - values: other numbers of the output's shape.
    - outputs: no targets; judged against the Keras model's own outputs.

    Args:
        output_shape: the output's, its first dimension the examples.
        targets: (N, …) as `export.data` checked them when they were read; None without.
        exact: whether the output's values are indices or classes.
    """
    if targets is None:
        return "outputs"
    if exact:
        return "classes" if targets.ndim == 1 else "values"
    if are_classes(output_shape):
        return "values" if targets.dtype.kind == "f" else "classes"
    single = output_shape[1:] in ((), (1,))
    return "binary" if single and np.isin(targets, (0, 1)).all() else "values"


def _task(
    name: str,
    reference: ReferenceOutputs,
    targets: Mapping[str, np.ndarray],
    metric: str | None,
    threshold: float,
    *,
    is_main: bool,
) -> Task:
    outputs, truth = reference.outputs[name], targets.get(name)
    if not is_finite(outputs):
        raise ArtifactError(
            "the Keras model's outputs hold NaN or infinity, expected finite numbers; "
            "train it again, or give inputs that it was made for"
        )
    shape = (None, *outputs.shape[1:])
    exact = reference.is_exact(name)
    kind = kind_of(shape, truth, exact=exact)
    single = shape[1:] in ((), (1,))
    count = outputs.shape[1] if are_classes(shape) else 2
    named = (single or are_classes(shape)) and len(reference.labels) == count and kind != "values"
    is_index = single and bool(0 <= outputs.min() <= outputs.max() <= MAX_CLASS)
    if exact:
        named = is_index and bool(outputs.max() < len(reference.labels))
    has_classes = kind in ("classes", "binary") or (
        kind == "outputs" and (is_index if exact else named or are_probabilities(outputs))
    )
    wanted = metric if is_main or metric in metrics_of(kind, shape) else None
    return Task(
        name=name,
        is_first=name == next(iter(reference.outputs)),
        reference=outputs,
        targets=truth,
        kind=kind,
        metric=check_metric(wanted, kind, shape, name=name),
        threshold=threshold,
        has_classes=has_classes,
        class_names=reference.labels if named else (),
        own_rounding_db=reference.own_rounding_db.get(name),
        exact=exact,
    )
