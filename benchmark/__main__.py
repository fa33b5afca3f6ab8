"""`python -m benchmark`: accuracy, latency and verdict of every export, without TensorFlow."""

import sys
from collections.abc import Sequence

from train.cli import Parser, integer_between, number_between, run_command

BASELINE = 0.886  # the seed's test accuracy
TOLERANCE = 0.01
MAX_SAMPLES = 10_000_000
MAX_THREADS = 1024


def main(arguments: Sequence[str]) -> int:
    """Parses, measures, prints the table; returns 1 unless every verdict is `pass`."""
    parser = Parser(prog="python -m benchmark", description=__doc__)
    parser.add_shared_arguments()
    parser.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="NAME",
        help="measure only these formats; repeatable, comma-separated (default: all there are)",
    )
    parser.add_argument(
        "--baseline",
        type=number_between(0, 1),
        default=BASELINE,
        metavar="SHARE",
        help="accuracy to compare with, 0…1 (default: %(default)s)",
    )
    parser.add_argument(
        "--tolerance",
        type=number_between(0, 1),
        default=TOLERANCE,
        metavar="SHARE",
        help="accuracy that may be lost against the baseline and against the Keras model, 0…1 "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--threads",
        type=integer_between(1, MAX_THREADS),
        default=1,
        metavar="N",
        help="threads a runtime may use (default: %(default)s)",
    )
    parser.add_argument(
        "--samples",
        type=integer_between(1_000, MAX_SAMPLES),
        default=10_000,
        metavar="N",
        help="single inferences timed a format, at least 1000 (default: %(default)s)",
    )
    options = parser.parse_args(arguments)

    from rich.console import Console

    from benchmark.gate import Gate
    from benchmark.pipeline import BenchmarkConfig, run_benchmark
    from benchmark.report import render
    from export.formats import select_formats
    from train.environment import read_environment
    from train.progress import progress

    config = BenchmarkConfig(
        artifacts=options.artifacts,
        data=options.data,
        formats=tuple(select_formats(options.format)) if options.format else None,
        gate=Gate(baseline=options.baseline, tolerance=options.tolerance),
        threads=options.threads,
        samples=options.samples,
    )
    with progress() as report:
        benchmark = run_benchmark(config, on_progress=report.step)
    render(benchmark, config.gate, read_environment(), Console())
    return 0 if all(result.verdict == "pass" for result in benchmark.results) else 1


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
