"""What kind of question an output answers, and which metrics judge it. Light."""

from typing import Literal, get_args

import numpy as np

from benchmark.judge.regression import is_finite
from train.common.errors import DataError, ToolkitError

Task = Literal["classes", "binary", "values", "outputs"]
Metric = Literal["accuracy", "top-5", "auc", "mae", "rmse", "r2"]
METRICS: tuple[Metric, ...] = get_args(Metric)
TOP = 5  # of top-5
# The first is what a task is judged by where the user names none.
TASK_METRICS: dict[Task, tuple[Metric, ...]] = {
    "classes": ("accuracy", "top-5", "auc"),
    "binary": ("accuracy", "auc"),
    "values": ("r2", "mae", "rmse"),
    # an error against the Keras model's own outputs is no share of that model's error, zero
    "outputs": ("r2",),
}
WITHOUT_TARGETS = "without targets; give targets for the others"
Shape = tuple[int | None, ...]


def task_of(output_shape: Shape, targets: np.ndarray | None, *, name: str) -> Task:
    """Returns what an output is judged as, by its targets.

    - classes: output (N, C), C > 1, and integers (N,) or (N, 1) in 0…C-1.
    - binary: output (N,) or (N, 1), and as many 0 and 1, of any type.
    - values: numbers of the output's shape, which a last 1 may lack or have.
    - outputs: no targets; judged against the Keras model's own outputs.

    A class for each pixel is refused: the pixels of an image are no independent examples.

    Args:
        output_shape: the output's, its first dimension the examples; the others known.
        targets: (N, …), N ≥ 1; None without.
        name: the output's, for messages.

    Raises:
        DataError: the targets fit no task, or are not finite.
    """
    if targets is None:
        return "outputs"
    given, wanted = _without_last_one(targets.shape[1:]), _without_last_one(output_shape[1:])
    got = f"targets of output {name!r} {shown(output_shape)}: got {targets.dtype} "
    got += shown((None, *targets.shape[1:]))
    if not len(targets):
        raise DataError(f"{got} of no examples, expected one or more")
    if targets.dtype.kind not in "buif":
        raise DataError(f"{got}, expected numbers")
    if not is_finite(targets):
        raise DataError(f"{got} with NaN or infinity, expected finite numbers")
    if given == wanted:
        if not wanted:
            return "binary" if np.isin(targets, (0, 1)).all() else "values"
        if len(wanted) == 1 and _one_hot(targets):
            raise DataError(
                f"{got} with a single 1 in each row, expected classes as integers (?,); "
                "give targets.argmax(axis=1)"
            )
        return "values"
    if targets.dtype.kind == "f" or given != wanted[:-1]:
        raise DataError(f"{got}, expected {_expected(output_shape)}")
    if len(wanted) > 1:
        raise DataError(
            f"{got}, a class for each position, which is not judged; leave the targets out to "
            "judge by the Keras model's outputs, or give float32 of the output's shape"
        )
    classes = wanted[0] or 0
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= classes:
        raise DataError(
            f"{got} with class {low if low < 0 else high}, expected 0…{classes - 1}; "
            "number the classes as the model does"
        )
    return "classes"


def check_metric(metric: str | None, task: Task, output_shape: Shape, *, name: str) -> Metric:
    """Returns the metric that judges an output: the one asked for, or the task's own.

    AUC needs two classes, top-5 more than five: of fewer it is always right.

    Args:
        metric: one of METRICS; None for the task's own.
        task: as by `task_of`.
        output_shape: the output's, its first dimension the examples.
        name: the output's, for messages.

    Raises:
        ToolkitError: the metric does not fit the output.
    """
    fitting = metrics_of(task, output_shape)
    if metric is None:
        return fitting[0]
    for found in fitting:
        if found == metric:
            return found
    raise ToolkitError(
        f"got --metric {metric} for output {name!r} {shown(output_shape)}, expected "
        f"{' or '.join(fitting)}{f' {WITHOUT_TARGETS}' if task == 'outputs' else ''}"
    )


def metrics_of(task: Task, output_shape: Shape) -> tuple[Metric, ...]:
    """Returns the metrics that judge such an output, the task's own first."""
    if task != "classes":
        return TASK_METRICS[task]
    classes = output_shape[-1] or 0
    unfit = {"auc"} if classes != 2 else set()
    if classes <= TOP:
        unfit.add("top-5")
    return tuple(metric for metric in TASK_METRICS[task] if metric not in unfit)


def shown(shape: Shape) -> str:
    """Returns a shape as messages have it, the examples as `?`: (?, 10)."""
    sizes = ["?", *("?" if size is None else str(size) for size in shape[1:])]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"


def _without_last_one(shape: Shape) -> Shape:
    return shape[:-1] if shape[-1:] == (1,) else shape


def _one_hot(targets: np.ndarray) -> bool:
    """Returns whether every row of (N, C) is a single 1 among zeros."""
    return bool(np.isin(targets, (0, 1)).all() and (targets.sum(axis=1) == 1).all())


def _expected(output_shape: Shape) -> str:
    same = f"numbers {shown(output_shape)}"
    if len(output_shape) == 2 and output_shape[1] != 1:
        return f"integers (?,) for classes or {same} for values"
    return same
