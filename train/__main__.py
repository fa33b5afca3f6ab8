"""`python -m train`: tunes, fits and records the reference model."""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from train.common.command.cli import run_program
from train.common.command.terminal import printable
from train.config import NOTEBOOK_ACCURACY, TrainConfig
from train.options import parse

if TYPE_CHECKING:
    from train.result import TrainResult
    from train.search.limits.answer import File


def main(arguments: Sequence[str]) -> int:
    """Parses, trains, prints the result; returns the exit code."""
    config = parse(arguments)
    from train.common.command.native_output import importing_large_library
    from train.common.command.progress import progress

    # By itself TensorFlow takes oneDNN's matrix products only where a processor has VNNI; an epoch
    # takes half the time with them elsewhere too.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with importing_large_library():
        from train.pipeline import train_and_evaluate
        from train.search.distribute import is_worker
        from train.search.limits.answer import benchmark, make_file
        from train.search.work import work

    with progress() as report:
        if is_worker():
            work(config, report)
            report.milestone("the search is finished; its chief fits the model")
            return 0
        result = train_and_evaluate(config, report)
        file = None if config.request is None else make_file(config, config.request, report)
    print("\n".join(map(printable, summary(config, result))))
    if config.request is None or file is None:
        return 0
    print("\n".join(map(printable, told(file))), flush=True)
    return benchmark(config, config.request, file)


def summary(config: TrainConfig, result: "TrainResult") -> Iterator[str]:
    """Yields what a run found, line by line."""
    chosen, folds, repeated = result.hyperparameters, result.cross_validation, config.repeated
    yield (
        f"{config.artifacts / 'model.keras'}: {chosen.units} units, "
        f"learning rate {chosen.learning_rate:g}, "
        f"validation accuracy {result.validation_accuracy:.2%}, "
        f"test accuracy {result.test_accuracy:.2%} "
        f"(search {result.search_seconds:.0f} s, fit {result.fit_seconds:.0f} s)"
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


def told(file: "File") -> Iterator[str]:
    """Yields what is to be said of the file that ships."""
    yield f"{file.manifest}: {'; '.join(file.within)}"
    if file.fine_tuned is not None:
        yield file.fine_tuned


if __name__ == "__main__":
    run_program(main, leave_at_once=True)
