"""`python -m train`: tunes, fits and records the reference model."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from train.command.options import parse
from train.common.command.cli import run_program
from train.common.command.terminal import printable
from train.config import FitRequest, TrainConfig
from train.recipes.recipe import NOTEBOOK_ACCURACY

if TYPE_CHECKING:
    from train.common.command.progress import Progress
    from train.result import TrainResult


def main(arguments: Sequence[str]) -> int:
    """Parses, trains, prints the result; returns the exit code."""
    config = parse(arguments)
    if config.request is not None:
        from train.search.limits.board import with_board

        config = replace(config, request=with_board(config.request))
    from train.common.command.native_output import importing_large_library
    from train.common.command.progress import progress

    # By itself TensorFlow takes oneDNN's matrix products only where a processor has VNNI; an epoch
    # takes half the time with them elsewhere too.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with importing_large_library():
        from train.pipeline import train_and_evaluate
        from train.search.distribute import is_worker
        from train.search.work import work

    with progress() as report:
        if is_worker():
            work(config, report)
            report.milestone("the search is finished; its chief fits the model")
            return 0
        if config.request is not None:
            return _fit_to_limits(config, config.request, report)
        result = train_and_evaluate(config, report)
    print("\n".join(map(printable, summary(config, result))))
    return 0


def _fit_to_limits(config: TrainConfig, request: FitRequest, report: "Progress") -> int:
    """Finds a network, exports it, prints what it takes and reaches; returns the exit code."""
    from train.pipeline import train_and_evaluate
    from train.search.limits.answer import benchmark, make_file
    from train.search.limits.space.custom_job import find_custom

    if request.space is None:
        result = train_and_evaluate(config, report)
        accuracy, lines = result.validation_accuracy, list(summary(config, result))
    else:
        accuracy = find_custom(config, request, report).final.accuracy
        lines = [f"{config.artifacts / 'model.keras'}: held-out accuracy {accuracy:.2%}"]
    file = make_file(config, request, accuracy, report)
    lines.append(f"{file.manifest}: {file.text}")
    lines += [file.fine_tuned] if file.fine_tuned else []
    print("\n".join(map(printable, lines)), flush=True)
    if request.space is None:
        return benchmark(config, request, file)
    print(f"with test data: python -m benchmark --artifacts {config.artifacts} --data …")
    return 0


def summary(config: TrainConfig, result: "TrainResult") -> Iterator[str]:
    """Yields what a run found, line by line."""
    chosen, folds, repeated = result.hyperparameters, result.cross_validation, config.repeated
    found = chosen.network or (f"{chosen.units} units, learning rate {chosen.learning_rate:g}")
    took = f"search {result.search_seconds:.0f} s, fit {result.fit_seconds:.0f} s"
    yield (
        f"{config.artifacts / 'model.keras'}: {found}, "
        f"validation accuracy {result.validation_accuracy:.2%}, "
        f"test accuracy {result.test_accuracy:.2%} "
        f"({f'{result.search_seconds:.0f} s' if chosen.network else took})"
    )
    if repeated is not None:
        same = result.weights_sha256 == repeated.weights_sha256
        yield f"the weights are {'' if same else 'not '}those of {repeated.path}"
    if config.recipe.name == "notebook":
        yield (
            f"the notebook: validation accuracy {NOTEBOOK_ACCURACY['validation']:.2%}, "
            f"test accuracy {NOTEBOOK_ACCURACY['test']:.2%}"
        )
    if folds is not None:
        yield (
            f"cross-validation, {len(folds.accuracies)} folds: accuracy {folds.mean:.2%} "
            f"± {folds.deviation * 100:.2f} points (standard deviation)"
        )
    if result.plots:
        names = ", ".join(path.name for path in result.plots)
        yield f"{config.artifacts / 'plots'}: {names}"


if __name__ == "__main__":
    run_program(main, leave_at_once=True)
