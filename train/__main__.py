"""`python -m train`: tunes, fits and records the reference model."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from train.common.cli import Parser, integer_between, number_between, run_command
from train.common.errors import ToolkitError
from train.config import (
    ARCHITECTURES,
    COUNTED_TUNERS,
    DEFAULT_ARCHITECTURE,
    DEFAULT_SEARCH_EPOCHS,
    DEFAULT_SEED,
    DEFAULT_TRIALS,
    DEFAULT_TUNER,
    MAX_EPOCHS,
    MAX_FOLDS,
    MAX_SEED,
    MAX_TRIALS,
    MAX_UNITS,
    MAX_WORKERS,
    NOTEBOOK_ACCURACY,
    RECIPES,
    TUNERS,
    TrainConfig,
)

# What `--from` takes from the record, and what makes no sense beside it.
DECIDED_BY_RECORD = (
    "architecture",
    "recipe",
    "tuner",
    "trials",
    "search_epochs",
    "units",
    "learning_rate",
    "epochs",
    "seed",
    "workers",
)


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


def parse(arguments: Sequence[str]) -> TrainConfig:
    """Returns the run that the command line asks for.

    Raises:
        ToolkitError: an argument is unknown or out of range.
    """
    parser = Parser(prog="python -m train", description=__doc__)
    parser.add_shared_arguments()
    add = parser.add_argument
    add(
        "--architecture",
        choices=tuple(ARCHITECTURES),
        help="mlp: Flatten → Dense → Dense; cnn: a stem and depthwise-separable blocks, smaller "
        f"and more accurate (default: {DEFAULT_ARCHITECTURE})",
    )
    add(
        "--recipe",
        choices=tuple(RECIPES),
        help="how networks are fitted; notebook: Keras's defaults, 416 units and 35 epochs unless "
        "given, as the seed of this project did (default: that of the architecture)",
    )
    add(
        "--from",
        type=Path,
        dest="record",
        metavar="MODEL.JSON",
        help="repeat the run that wrote this record, without its search",
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
        metavar="N",
        help=f"most epochs of one trial of the search (default: {DEFAULT_SEARCH_EPOCHS})",
    )
    add(
        "--units",
        type=integer_between(1, MAX_UNITS),
        metavar="N",
        help="hidden units of the mlp, filters of the cnn's stem; not searched if given",
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
        type=integer_between(0, MAX_SEED),
        metavar="N",
        help=f"random seed of search, weights, shuffling and dropout (default: {DEFAULT_SEED})",
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
        default=None,
        help="draw articles, learning curves, trials and a confusion matrix",
    )
    add(
        "--workers",
        type=integer_between(1, MAX_WORKERS),
        metavar="N",
        help="share the trials of the search among so many processes",
    )
    add(
        "--resume",
        action="store_true",
        default=None,
        help="go on with a search or a fit that was cut off",
    )
    add(
        "--overwrite",
        action="store_true",
        default=None,
        help="search again although that is done",
    )
    given = vars(parser.parse_args(arguments))
    options = {name: value for name, value in given.items() if value is not None}
    record = options.pop("record", None)
    if record is not None:
        from train.repeat import recorded_options  # with numpy, which --help does without

        return TrainConfig(**_repeating(options), **recorded_options(record))
    return TrainConfig(**_complete(options))


def _repeating(options: dict[str, Any]) -> dict[str, Any]:
    """Returns the options, none of which may decide what the record decides."""
    for name in DECIDED_BY_RECORD:
        if name in options:
            given = "--" + name.replace("_", "-")
            raise ToolkitError(
                f"got {given} with --from, expected the record alone to say; leave {given} out, or "
                "--from"
            )
    return options


def _complete(options: dict[str, Any]) -> dict[str, Any]:
    """Returns the options with what follows from them."""
    architecture = options.pop("architecture", None)
    recipe = RECIPES[options.pop("recipe", ARCHITECTURES[architecture or DEFAULT_ARCHITECTURE])]
    if architecture not in (None, recipe.architecture):
        raise ToolkitError(
            f"got --recipe {recipe.name} with --architecture {architecture}, expected "
            f"{recipe.architecture}; leave one of them out"
        )
    options["recipe"] = recipe
    fixed = {"units", "learning_rate"} <= options.keys()
    if fixed and options.get("tuner", "none") != "none":
        raise ToolkitError(
            f"got --tuner {options['tuner']} with --units and --learning-rate, expected something "
            "left to search; leave one of the three out"
        )
    if fixed or recipe.name == "notebook":
        options.setdefault("tuner", "none")
    tuner = options.setdefault("tuner", DEFAULT_TUNER)
    if "trials" in options and tuner not in COUNTED_TUNERS:
        raise ToolkitError(
            f"got --trials with --tuner {tuner}, expected one of {', '.join(COUNTED_TUNERS)}; "
            "leave --trials out"
        )
    if {"resume", "overwrite"} <= options.keys():
        raise ToolkitError(
            "got --resume, which goes on with what is there, and --overwrite, which starts anew, "
            "expected one of them; leave the other out"
        )
    for name in ("workers", "search_epochs"):
        if name in options and tuner == "none":
            given = "--" + name.replace("_", "-")
            raise ToolkitError(
                f"got {given} where nothing is searched, expected a tuner, and units or learning "
                f"rate left open; leave {given} out"
            )
    return options


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:], leave_at_once=True))
