"""The options of `python -m benchmark`, grouped by task."""

from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.more_options import add_browser, add_comparisons, add_gate, add_other_machine
from export.model.request import add_trust_options
from train.common.command.cli import (
    Parser,
    integer_between,
    listed,
    names,
    number_between,
)

if TYPE_CHECKING:
    from train.common.preprocessing import Preprocessing

METRICS = ("accuracy", "top-5", "auc", "mae", "rmse", "r2")
TOLERANCE = 0.01
SAMPLES, QUICK_SAMPLES = 10_000, 1_000
ROUNDS, QUICK_ROUNDS = 20, 5
LAUNCHES, QUICK_LAUNCHES = 4, 1
MAX_SAMPLES, MAX_THREADS, MAX_BATCH = 10_000_000, 1024, 65_536
XNNPACK = {"on": "xnnpack", "off": "builtin"}
OBJECTIVES = ("latency", "size", "accuracy")
OPTIMIZATION = ("all", "extended", "basic", "disabled")


def parser() -> Parser:
    """Returns the parser of the command's options."""
    found = Parser(
        prog="python -m benchmark",
        description="Measures what each export costs in accuracy and takes in time and size, and "
        "says which one to take.",
        examples=(
            ("", "every export in artifacts/"),
            ("--max-size-kb 200", "which one to take within a limit"),
            ("--compare old.json new.json", "what changed between two runs, measuring nothing"),
        ),
    )
    _add_measurements(found)
    _add_limits(found)
    _add_output(found)
    add_comparisons(found)
    add_gate(found)
    add_other_machine(found)
    add_browser(found)
    found.add_shared_arguments(custom_data=True)
    _add_code(found)
    add = found.group("files")
    add(
        "--image-size",
        type=_size,
        metavar="HxW",
        help="height and width that pictures in --data are brought to (default: the model's)",
    )
    add(
        "--reports",
        type=Path,
        metavar="DIR",
        help="folder for benchmark.html, .md and .csv (default: the artifacts folder)",
    )
    add(
        "--save-outputs",
        action="store_true",
        help="keep every row's outputs on all examples, in benchmark.outputs.npz",
    )
    return found


def _add_measurements(parser: Parser) -> None:
    add = parser.group("what to measure")
    add(
        "--format",
        action="append",
        default=[],
        metavar="NAME",
        help="these formats only; repeatable, comma-separated (default: all there are)",
    )
    add(
        "--add",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a .tflite or .onnx file that this tool did not make, for a row beside the exports; "
        "repeatable",
    )
    add(
        "--preprocess",
        action="append",
        default=[],
        type=_preprocess,
        metavar="[INPUT:]scale=1/255,mean=…,std=…",
        help="with --add: what raw values become for those files (default: as for the model)",
    )
    add("--quick", action="store_true", help="fewer timed calls: same verdicts, rougher latency")
    add("--resume", action="store_true", help="go on with a run that was cut off")
    add("--include-keras", action="store_true", help="a row for the Keras model (TensorFlow)")
    add(
        "--threads",
        type=listed(integer_between(1, MAX_THREADS)),
        default=(1,),
        metavar="N[,N…]",
        help="threads a runtime may use, a row for each (default: 1)",
    )
    add(
        "--xnnpack",
        type=names(*XNNPACK),
        default=(),
        metavar="on|off|on,off",
        help="LiteRT with or without its XNNPACK delegate, a row for each (default: on)",
    )
    add(
        "--onnx-optimization",
        type=names(*OPTIMIZATION),
        default=(),
        metavar="LEVEL[,LEVEL…]",
        help=f"ONNX Runtime's graph optimization, {', '.join(OPTIMIZATION)}, a row for each "
        "(default: all)",
    )
    add(
        "--batch",
        type=integer_between(1, MAX_BATCH),
        metavar="N",
        help="also measure examples per second in batches of N; one by one where the file has a "
        "fixed batch of one",
    )
    add("--profile", action="store_true", help="time per operator by the runtimes' own profilers")
    add(
        "--samples",
        type=integer_between(1_000, MAX_SAMPLES),
        metavar="N",
        help=f"single inferences timed per row, at least 1000 (default: {SAMPLES}, with --quick "
        f"{QUICK_SAMPLES})",
    )
    add(
        "--max-seconds",
        type=number_between(0.01, 1e6),
        default=5.0,
        metavar="S",
        help="longest time for a row's timed calls; fewer samples then (default: %(default)s)",
    )
    add(
        "--timeout",
        type=number_between(0.01, 1e6),
        metavar="S",
        help="longest time to load a file, or for one call of it; its row is an error then "
        "(default: 10 minutes; 20 times the first call, at least 30 s)",
    )


def _add_limits(parser: Parser) -> None:
    add = parser.group("limits, and which export to take")
    add(
        "--tolerance",
        type=number_between(0, 1),
        default=TOLERANCE,
        metavar="SHARE",
        help="accuracy that may be lost against the baseline and against the Keras model, 0…1; of "
        "AUC and R² likewise, of MAE and RMSE the share by which they may grow (default: "
        "%(default)s)",
    )
    add(
        "--baseline",
        type=number_between(0, 1),
        metavar="SHARE",
        help="accuracy to compare with, 0…1 (default: 0.886 on Fashion-MNIST, none for a custom "
        "model)",
    )
    add(
        "--max-drop",
        type=number_between(0, 1),
        metavar="SHARE",
        help="what may be lost against the Keras model, 0…1, in place of the tolerance",
    )
    add(
        "--max-drop-per-class",
        type=number_between(0, 1),
        metavar="SHARE",
        help="accuracy that any class may lose against the Keras model, 0…1",
    )
    add(
        "--min-agreement",
        type=number_between(0, 1),
        metavar="SHARE",
        help="least share of examples with the Keras model's prediction, 0…1",
    )
    add(
        "--min-snr-db",
        type=number_between(-200, 200),
        metavar="DB",
        help="least signal-to-noise ratio of outputs, where the data has no labels (default: 15)",
    )
    add(
        "--max-latency-us",
        type=number_between(0.001, 1e12),
        metavar="US",
        help="largest median of a single inference, in microseconds",
    )
    add(
        "--max-size-kb",
        type=number_between(0.001, 1e12),
        metavar="KB",
        help="largest file, in units of 1000 bytes",
    )
    add(
        "--metric",
        choices=METRICS,
        help="what the first output with targets is judged by (default: accuracy for classes, r2 "
        "for values)",
    )
    add(
        "--threshold",
        type=number_between(-1e30, 1e30),
        metavar="VALUE",
        help="an output of one value above it is a yes; 0 for logits (default: 0.5)",
    )
    add(
        "--objective",
        choices=OBJECTIVES,
        default=OBJECTIVES[0],
        help="what the recommended export is best by, of those that pass (default: %(default)s)",
    )


def _add_output(parser: Parser) -> None:
    add = parser.group("what to show")
    add(
        "--explain", action="store_true", help="why rows are slow or large, and how it was measured"
    )
    add("--details", action="store_true", help="a second table: start-up, memory, tails, classes")


def _add_code(parser: Parser) -> None:
    """Adds what allows code of others to run, which no file can."""
    add = parser.group("where the Keras model itself has to be run")
    add(
        "--model",
        metavar="PATH",
        help="the one that the exports were made from, if it is package.module:callable, or is no "
        "longer where it was",
    )
    add_trust_options(add)


def _preprocess(text: str) -> "tuple[str, Preprocessing]":
    """An argparse type, as `parse_preprocess`, imported when there is something to parse."""
    from export.command.argument_types import parse_preprocess

    return parse_preprocess(text)


def _size(text: str) -> tuple[int, int]:
    """An argparse type, as `parse_size`, imported when there is one to parse."""
    from export.command.argument_types import parse_size

    return parse_size(text)
