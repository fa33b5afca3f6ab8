"""The options of `python -m train` that go from limits to a network."""

from typing import Any

from train.common.command.cli import Parser, number_between
from train.common.errors import ToolkitError
from train.config import (
    COUNTED_TUNERS,
    DEFAULT_BUDGET_MINUTES,
    DEFAULT_TEACHER_MINUTES,
    FIT_FORMATS,
    MAX_MINUTES,
    MAX_TRIALS,
    FitRequest,
)
from train.limits import COSTS, limits

LIMITS_OPTIONS = (
    *("minimize", "format", "board", "space", "scale", "budget", "teacher", "teacher_budget"),
)
DECIDED_BY_LIMITS = ("architecture", "recipe", "units", "cross_validate")


def add_limits(parser: Parser) -> None:
    """Adds them to a parser."""
    add = parser.group("from limits to a network")
    add(
        "--fit",
        metavar="LIMITS",
        help="find the most accurate network within limits, such as flash=32kB,ram=2kB; of "
        "latency, multiplications, accuracy and drop (what the exported file may lose) as well",
    )
    add(
        "--minimize",
        choices=COSTS,
        help="find the network that takes least of it and is as accurate as --fit accuracy= says",
    )
    add(
        "--for",
        dest="format",
        choices=FIT_FORMATS,
        help=f"what it is exported to and weighed in (default: {FIT_FORMATS[0]}; with --board c)",
    )
    add(
        "--board",
        metavar="NAME",
        help="where it runs, such as uno or cortex-m0+; a wrong one lists all",
    )
    add(
        "--space",
        metavar="MODULE:FUNCTION",
        help="networks of your own: a function of keras-tuner's hp that returns a model; with "
        "--data, whatever `export --calibration` takes",
    )
    add(
        "--scale",
        type=number_between(1e-9, 1e9),
        metavar="FACTOR",
        help="with --space: what raw values of --data are multiplied by, such as 0.00392157",
    )
    add(
        "--budget",
        type=number_between(0.1, MAX_MINUTES),
        metavar="MINUTES",
        help=f"time for search and fit, after the teacher's (default: {DEFAULT_BUDGET_MINUTES:g})",
    )
    add(
        "--teacher",
        metavar="MODEL",
        help="a model whose outputs teach the networks, or none (default: one that is fitted once)",
    )
    add(
        "--teacher-budget",
        type=number_between(0.1, MAX_MINUTES),
        metavar="MINUTES",
        help=f"time for the teacher's fit (default: {DEFAULT_TEACHER_MINUTES:g})",
    )


def taken_request(options: dict[str, Any]) -> FitRequest | None:
    """Takes what `--fit` asks for out of the options; None without it.

    Raises:
        ToolkitError: limits cannot be read, or options contradict each other.
    """
    fit = options.pop("fit", None)
    given = {name: options.pop(name) for name in LIMITS_OPTIONS if name in options}
    if fit is None:
        if given:
            name = flag(next(iter(given)))
            raise ToolkitError(
                f"got {name} without --fit, expected the limits that it belongs to; add --fit, as "
                f"--fit flash=32kB, or leave {name} out"
            )
        return None
    for name in DECIDED_BY_LIMITS:
        if name in options:
            raise ToolkitError(
                f"got {flag(name)} with --fit, expected the search to find it; leave one out"
            )
    if options.get("tuner") in ("grid", "none"):
        raise ToolkitError(
            f"got --tuner {options['tuner']} with --fit, expected hyperband, random or bayesian, "
            "which can look for what fits; leave it out"
        )
    if "space" in given and "data" not in options:
        raise ToolkitError("got --space without data, expected examples with labels; add --data")
    if "scale" in given and "space" not in given:
        raise ToolkitError("got --scale without --space, whose data it is for; leave it out")
    if options.get("tuner") in COUNTED_TUNERS:
        options.setdefault("trials", MAX_TRIALS)  # as many as there is time for
    found = limits(fit, given.pop("minimize", None))
    form = given.pop("format", "c" if "board" in given else FIT_FORMATS[0])
    renamed = {"budget": "minutes", "teacher_budget": "teacher_minutes"}
    return FitRequest(
        limits=found, format=form, **{renamed.get(name, name): v for name, v in given.items()}
    )


def flag(name: str) -> str:
    """Returns an option as it is typed."""
    return "--" + name.replace("_", "-")
