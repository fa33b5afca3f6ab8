"""The options of `python -m train`, and which of them go together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from train.command.limits_options import add_limits, flag, taken_request
from train.common.command.cli import Parser, integer_between, number_between
from train.common.errors import ToolkitError
from train.config import (
    COUNTED_TUNERS,
    DEFAULT_ARCHITECTURE,
    DEFAULT_SEARCH_EPOCHS,
    DEFAULT_SEED,
    DEFAULT_TRIALS,
    DEFAULT_TUNER,
    FIT_SEARCH_EPOCHS,
    MAX_FOLDS,
    MAX_SEED,
    MAX_TRIALS,
    MAX_WORKERS,
    TUNERS,
    TrainConfig,
)
from train.recipes.recipe import ARCHITECTURES, MAX_EPOCHS, MAX_UNITS, RECIPES

EXAMPLES = (
    ("", "search, then fit the best"),
    ("--units 416 --learning-rate 3e-3", "fit without a search"),
    ("--architecture cnn", "a smaller network"),
    ("--fit flash=32kB,ram=2kB --board uno", "the most accurate network for a board"),
)
# What `--from` takes from the record, so that none of these can be given beside it.
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


def parse(arguments: Sequence[str]) -> TrainConfig:
    """Returns the run that the command line asks for.

    Raises:
        ToolkitError: an argument is unknown or out of range, or two contradict each other.
    """
    given = vars(parser().parse_args(arguments))
    options = {name: value for name, value in given.items() if value is not None}
    record = options.pop("record", None)
    if record is not None:
        from train.command.repeat import recorded_options  # with numpy, which --help does without

        return TrainConfig(**_repeating(options), **recorded_options(record))
    return TrainConfig(**_complete(options))


def parser() -> Parser:
    """Returns the parser of the command's options; what is not given is None."""
    found = Parser(
        prog="python -m train",
        description="Finds, fits and evaluates a classifier of Fashion-MNIST, ready to be "
        "exported.",
        examples=EXAMPLES,
    )
    _add_network(found)
    add_limits(found)
    _add_search(found)
    _add_fit(found)
    _add_repetition(found)
    found.add_shared_arguments()
    return found


def _add_network(parser: Parser) -> None:
    add = parser.group("what to train")
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
        "given, as in the notebook that this project started from (default: the architecture's)",
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
        "--seed",
        type=integer_between(0, MAX_SEED),
        metavar="N",
        help=f"random seed of search, weights, shuffling and dropout (default: {DEFAULT_SEED})",
    )


def _add_search(parser: Parser) -> None:
    add = parser.group("the search")
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
        help=f"most epochs of one trial (default: {DEFAULT_SEARCH_EPOCHS}, with --fit "
        f"{FIT_SEARCH_EPOCHS})",
    )
    add(
        "--workers",
        type=integer_between(1, MAX_WORKERS),
        metavar="N",
        help="number of processes that share the trials",
    )


def _add_fit(parser: Parser) -> None:
    add = parser.group("the final fit")
    add(
        "--epochs",
        type=integer_between(1, MAX_EPOCHS),
        metavar="N",
        help="most epochs of the final fit (default: the recipe's)",
    )
    add(
        "--cross-validate",
        type=integer_between(2, MAX_FOLDS),
        metavar="K",
        help="also fit K times, each time without one of K stratified folds of the training "
        "images, and report mean and deviation of the accuracy on it",
    )
    add(
        "--plots",
        action="store_true",
        default=None,
        help="draw articles, learning curves, trials and a confusion matrix",
    )


def _add_repetition(parser: Parser) -> None:
    add = parser.group("going on and repeating")
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
        help="search again even if the same search was finished before",
    )
    add(
        "--from",
        type=Path,
        dest="record",
        metavar="MODEL.JSON",
        help="repeat the run that wrote this record, without its search",
    )


def _repeating(options: dict[str, Any]) -> dict[str, Any]:
    """Returns the options, none of which may contradict the record."""
    for name in DECIDED_BY_RECORD:
        if name in options:
            raise ToolkitError(
                f"got {flag(name)} with --from, expected the record alone to say; leave "
                f"{flag(name)} out, or --from"
            )
    return options


def _complete(options: dict[str, Any]) -> dict[str, Any]:
    """Returns the options with what follows from them."""
    request = taken_request(options)
    if request is not None:
        options["request"] = request
    architecture = options.pop("architecture", None)
    recipe = RECIPES[options.pop("recipe", ARCHITECTURES[architecture or DEFAULT_ARCHITECTURE])]
    if architecture not in (None, recipe.architecture):
        raise ToolkitError(
            f"got --recipe {recipe.name} with --architecture {architecture}, expected "
            f"{recipe.architecture}; leave one of them out"
        )
    options["recipe"] = recipe
    if request is not None:
        options.setdefault("search_epochs", FIT_SEARCH_EPOCHS)
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
            raise ToolkitError(
                f"got {flag(name)} where nothing is searched, expected a tuner, and units or "
                f"learning rate left open; leave {flag(name)} out"
            )
    return options
