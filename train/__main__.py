"""`python -m train`: tunes, fits and records the reference model."""

import sys
from collections.abc import Sequence

from train.cli import Parser, integer_between, number_between, run_command
from train.config import (
    DEFAULT_EPOCHS,
    DEFAULT_SEARCH_EPOCHS,
    DEFAULT_SEED,
    MAX_EPOCHS,
    MAX_UNITS,
    TrainConfig,
)


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
    return 0


def parse(arguments: Sequence[str]) -> TrainConfig:
    """Returns the run that the command line asks for.

    Raises:
        ToolkitError: an argument is unknown or out of range.
    """
    parser = Parser(prog="python -m train", description=__doc__)
    parser.add_shared_arguments()
    parser.add_argument(
        "--units",
        type=integer_between(1, MAX_UNITS),
        metavar="N",
        help="hidden units; not searched if given",
    )
    parser.add_argument(
        "--learning-rate",
        type=number_between(1e-6, 1.0),
        metavar="RATE",
        help="peak learning rate; not searched if given, no search at all if --units is too",
    )
    parser.add_argument(
        "--epochs",
        type=integer_between(1, MAX_EPOCHS),
        default=DEFAULT_EPOCHS,
        metavar="N",
        help="most epochs of the final fit (default: %(default)s)",
    )
    parser.add_argument(
        "--search-epochs",
        type=integer_between(1, MAX_EPOCHS),
        default=DEFAULT_SEARCH_EPOCHS,
        metavar="N",
        help="most epochs of one trial of the search (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=integer_between(0, 2**32 - 1),
        default=DEFAULT_SEED,
        metavar="N",
        help="random seed of search, weights, shuffling and dropout (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    return TrainConfig(**vars(options))


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
