"""`python -m train`: tunes, fits and records the reference model."""

import sys
from collections.abc import Sequence

from train.cli import Parser, integer_between, number_between, run_command
from train.config import (
    COUNTED_TUNERS,
    DEFAULT_RECIPE,
    DEFAULT_SEARCH_EPOCHS,
    DEFAULT_SEED,
    DEFAULT_TRIALS,
    MAX_EPOCHS,
    MAX_FOLDS,
    MAX_TRIALS,
    MAX_UNITS,
    NOTEBOOK_ACCURACY,
    RECIPES,
    TUNERS,
    TrainConfig,
)
from train.errors import ToolkitError


def main(arguments: Sequence[str]) -> int:
    """Parses, trains, prints the result; returns the exit code."""
    config = parse(arguments)
    from train.native_output import captured_native_output
    from train.progress import progress

    with captured_native_output():  # TensorFlow greets from C++ when it is imported
        from train.pipeline import train_and_evaluate

    with progress() as report:
        result = train_and_evaluate(config, report)
    chosen = result.hyperparameters
    print(
        f"{config.artifacts / 'model.keras'}: {chosen.units} units, "
        f"learning rate {chosen.learning_rate:g}, "
        f"validation accuracy {result.validation_accuracy:.2%}, "
        f"test accuracy {result.test_accuracy:.2%} "
        f"(search {result.search_seconds:.0f} s, fit {result.fit_seconds:.0f} s)"
    )
    if config.recipe == "notebook":
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


def parse(arguments: Sequence[str]) -> TrainConfig:
    """Returns the run that the command line asks for.

    Raises:
        ToolkitError: an argument is unknown or out of range.
    """
    parser = Parser(prog="python -m train", description=__doc__)
    parser.add_shared_arguments()
    add = parser.add_argument
    add(
        "--recipe",
        choices=tuple(RECIPES),
        default=DEFAULT_RECIPE,
        help="how networks are fitted; notebook: Keras's defaults, 416 units and 35 epochs unless "
        "given, as the seed of this project did (default: %(default)s)",
    )
    add(
        "--tuner",
        choices=TUNERS,
        help="how hidden units and learning rate are searched (default: hyperband, with --recipe "
        "notebook none)",
    )
    add(
        "--trials",
        type=integer_between(1, MAX_TRIALS),
        metavar="N",
        help=f"trials of random, bayesian (default: {DEFAULT_TRIALS}) and grid (default: all)",
    )
    add(
        "--search-epochs",
        type=integer_between(1, MAX_EPOCHS),
        default=DEFAULT_SEARCH_EPOCHS,
        metavar="N",
        help="most epochs of one trial of the search (default: %(default)s)",
    )
    add(
        "--units",
        type=integer_between(1, MAX_UNITS),
        metavar="N",
        help="hidden units; not searched if given",
    )
    add(
        "--learning-rate",
        type=number_between(1e-6, 1.0),
        metavar="RATE",
        help="peak learning rate; not searched if given, no search at all if --units is too",
    )
    add(
        "--epochs",
        type=integer_between(1, MAX_EPOCHS),
        metavar="N",
        help="most epochs of the final fit (default: the recipe's)",
    )
    add(
        "--seed",
        type=integer_between(0, 2**32 - 1),
        default=DEFAULT_SEED,
        metavar="N",
        help="random seed of search, weights, shuffling and dropout (default: %(default)s)",
    )
    add(
        "--cross-validate",
        type=integer_between(2, MAX_FOLDS),
        metavar="K",
        help="also fit K times to the training images less one of K stratified folds, and report "
        "mean and deviation of the accuracy on it",
    )
    add(
        "--plots",
        action="store_true",
        help="draw articles, learning curves, trials and a confusion matrix",
    )
    add("--resume", action="store_true", help="go on with a search that was cut off")
    add("--overwrite", action="store_true", help="search again although that search is finished")
    options = vars(parser.parse_args(arguments))
    if options["tuner"] is None:
        options["tuner"] = "none" if options["recipe"] == "notebook" else "hyperband"
    if options["trials"] is not None and options["tuner"] not in COUNTED_TUNERS:
        raise ToolkitError(
            f"got --trials with --tuner {options['tuner']}, expected one of "
            f"{', '.join(COUNTED_TUNERS)}; leave --trials out"
        )
    return TrainConfig(**options)


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:], leave_at_once=True))
