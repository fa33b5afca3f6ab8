"""`python -m train`: tunes, fits and records the reference model."""

import os
import sys
from collections.abc import Sequence

from train.common.cli import run_command
from train.config import NOTEBOOK_ACCURACY
from train.options import parse


def main(arguments: Sequence[str]) -> int:
    """Parses, trains, prints the result; returns the exit code."""
    config = parse(arguments)
    from train.common.native_output import captured_native_output
    from train.common.progress import progress

    # By itself TensorFlow takes oneDNN's matrix products only where a processor has VNNI; an epoch
    # takes half the time with them elsewhere too.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with captured_native_output():  # TensorFlow greets from C++ when it is imported
        from train.pipeline import train_and_evaluate, work
        from train.search.distribute import is_worker

    with progress() as report:
        if is_worker():
            work(config, report)
            report.milestone("the search is finished; its chief fits the model")
            return 0
        result = train_and_evaluate(config, report)
    chosen = result.hyperparameters
    print(
        f"{config.artifacts / 'model.keras'}: {chosen.units} units, "
        f"learning rate {chosen.learning_rate:g}, "
        f"validation accuracy {result.validation_accuracy:.2%}, "
        f"test accuracy {result.test_accuracy:.2%} "
        f"(search {result.search_seconds:.0f} s, fit {result.fit_seconds:.0f} s)"
    )
    if result.repeats is not None:
        same = "the weights are those of" if result.repeats else "the weights are not those of"
        print(f"{same} {config.repeated and config.repeated.path}")
    if config.recipe.name == "notebook":
        noted = NOTEBOOK_ACCURACY
        print(
            f"the notebook: validation accuracy {noted['validation']:.2%}, "
            f"test accuracy {noted['test']:.2%}"
        )
    folds = result.cross_validation
    if folds is not None:
        print(
            f"cross-validation, {len(folds.accuracies)} folds: accuracy {folds.mean:.2%} "
            f"± {folds.deviation * 100:.2f} points (standard deviation)"
        )
    if result.plots:
        names = ", ".join(path.name for path in result.plots)
        print(f"{config.artifacts / 'plots'}: {names}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:], leave_at_once=True))
