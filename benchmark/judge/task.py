"""What is asked of each of a model's outputs: as what it is judged, and by which metric. Light."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmark.judge.classification import as_classes, predicted_classes
from benchmark.judge.scores import THRESHOLD, Scores, judge_output
from benchmark.judge.tasks import Metric, Task, check_metric, metrics_of, task_of
from export.verify.distance import Distance, are_classes, distance
from train.common.errors import ToolkitError
from train.common.record import ReferenceOutputs
from train.common.samples import Samples

PROBABILITIES_SLACK = 0.01  # of their sum, in one


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of an output.

    Attributes:
        name: the output's.
        first: whether it is the model's first one.
        reference: (N, …) the Keras model's.
        targets: (N, …) the truth; None where it is not known.
        task: as `tasks.task_of` found it.
        metric: what it is judged by.
        threshold: above it a binary output is a yes.
        classes: whether it tells classes: there are labels, or names of them, or its values are
            probabilities.
        class_names: of its classes; empty where they have none.
    """

    name: str
    first: bool
    reference: np.ndarray
    targets: np.ndarray | None
    task: Task
    metric: Metric
    threshold: float
    classes: bool
    class_names: tuple[str, ...]

    @property
    def labels(self) -> np.ndarray | None:
        """The true class of each example, (N,) int64, of outputs that tell classes."""
        if self.targets is None or self.task not in ("classes", "binary"):
            return None
        found: np.ndarray = self.targets.reshape(-1).astype(np.int64)
        return found

    def of_classes(self, outputs: np.ndarray) -> np.ndarray:
        """Returns outputs that tell classes as (N, C), a number for each class."""
        return outputs if are_classes(outputs.shape) else as_classes(outputs, self.threshold)

    def predicted(self, outputs: np.ndarray) -> np.ndarray | None:
        """Returns the class of each example, (N,) int32; None where outputs tell no classes."""
        if not self.classes:
            return None
        found: np.ndarray = predicted_classes(outputs, self.threshold).astype(np.int32)
        return found

    def right_classes(self) -> np.ndarray | None:
        """Returns the labels; without any, the Keras model's classes, which stand in for them."""
        return self.predicted(self.reference) if self.labels is None else self.labels

    def judge(self, outputs: np.ndarray) -> Scores:
        """Returns how good an export's outputs, (N, …), are."""
        return judge_output(
            outputs,
            self.reference,
            self.targets,
            task=self.task,
            metric=self.metric,
            threshold=self.threshold,
        )

    def distance(self, outputs: np.ndarray) -> Distance:
        """Returns how far an export's outputs, (N, …), are from the Keras model's.

        Agreement, and accuracy, are those of the classes; None where outputs tell none.
        """
        found = distance(outputs, self.reference, None)
        predicted, expected = self.predicted(outputs), self.predicted(self.reference)
        right = self.right_classes()
        accuracy = drop = agreement = None
        if predicted is not None and expected is not None and right is not None:
            agreement = float(np.mean(predicted == expected))
            accuracy = float(np.mean(predicted == right))
            drop = float(np.mean(expected == right)) - accuracy
        return replace(found, agreement=agreement, accuracy=accuracy, accuracy_drop=drop)


def ask(
    reference: ReferenceOutputs,
    test: Samples,
    *,
    metric: str | None = None,
    threshold: float = THRESHOLD,
) -> tuple[Question, ...]:
    """Returns what is asked of each output; the first is the one that the table is of.

    That is the first output with targets, or the first of all where there are none. The metric
    asked for is its; another output is judged by it too if it fits, else by its task's own.

    Args:
        reference: the Keras model's outputs.
        test: the test data, with targets for some of them.
        metric: what the user asked for; None for the task's own.
        threshold: above it a binary output is a yes.

    Raises:
        DataError: targets fit no task.
        ToolkitError: the metric fits not the first output, or targets are for another model.
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
        _question(name, reference, test.targets, metric, threshold, main=name == main)
        for name in order
    )


def _question(
    name: str,
    reference: ReferenceOutputs,
    targets: Mapping[str, np.ndarray],
    metric: str | None,
    threshold: float,
    *,
    main: bool,
) -> Question:
    outputs, truth = reference.outputs[name], targets.get(name)
    shape = (None, *outputs.shape[1:])
    task = task_of(shape, truth, name=name)
    wanted = metric if main or metric in metrics_of(task, shape) else None
    count = outputs.shape[1] if are_classes(shape) else 2
    fitting = len(reference.labels) == count and _may_be_classes(outputs.shape)
    names = reference.labels if fitting and task in ("classes", "binary", "outputs") else ()
    return Question(
        name=name,
        first=name == next(iter(reference.outputs)),
        reference=outputs,
        targets=truth,
        task=task,
        metric=check_metric(wanted, task, shape, name=name),
        threshold=threshold,
        classes=task in ("classes", "binary")
        or (task == "outputs" and (bool(names) or _are_probabilities(outputs))),
        class_names=names,
    )


def _may_be_classes(shape: tuple[int, ...]) -> bool:
    return are_classes(shape) or shape[1:] in ((), (1,))


def _are_probabilities(outputs: np.ndarray) -> bool:
    """Returns whether each row of (N, C) is as a softmax makes it."""
    if not are_classes(outputs.shape) or outputs.min() < 0:
        return False
    return bool((np.abs(outputs.sum(axis=1) - 1) <= PROBABILITIES_SLACK).all())
