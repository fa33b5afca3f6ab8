"""`python -m benchmark`: accuracy, latency and verdict of every export, without TensorFlow."""

import sys
from collections.abc import Sequence
from pathlib import Path

from train.cli import (
    DEFAULT_BUNDLE_IMAGES,
    Parser,
    integer_between,
    listed,
    names,
    number_between,
    run_command,
)
from train.errors import ToolkitError

BASELINE = 0.886  # the seed's test accuracy
TOLERANCE = 0.01
SAMPLES, QUICK_SAMPLES = 10_000, 1_000
ROUNDS, QUICK_ROUNDS = 20, 5
LAUNCHES, QUICK_LAUNCHES = 4, 1
MAX_SECONDS = 5.0
MAX_SAMPLES = 10_000_000
MAX_THREADS = 1024
MAX_BATCH = 65_536
XNNPACK = {"on": "xnnpack", "off": "builtin"}
OBJECTIVES = ("latency", "size", "accuracy")
OPTIMIZATION = ("all", "extended", "basic", "disabled")


def main(arguments: Sequence[str]) -> int:
    """Parses, measures, prints the table; returns 1 unless every verdict is `pass`.

    With `--compare` it measures nothing; returns 1 if something got worse.
    """
    known = parser()
    options = known.parse_args(arguments)
    if options.compare is not None:
        others = [
            f"--{name.replace('_', '-')}"
            for name, value in vars(options).items()
            if name != "compare" and value != known.get_default(name)
        ]
        if others:
            raise ToolkitError(
                f"got {', '.join(others)} with --compare, which measures nothing; expected "
                "--compare alone"
            )
        return compare(*options.compare)

    from rich.console import Console

    from export.formats import select_formats
    from train.bundled import in_bundle

    if options.merge:
        from benchmark.merge import read_machines, render_merged

        render_merged(read_machines(options.merge), Console())
        return 0
    of_a_new_bundle = options.bundle_images != DEFAULT_BUNDLE_IMAGES
    if of_a_new_bundle and (options.host is None or options.bundle is not None):
        raise ToolkitError(
            "got --bundle-images without --host or with --bundle, expected a bundle to be made for "
            "another machine; leave it out"
        )
    if options.bundle is not None and options.host is None:
        raise ToolkitError(
            "got --bundle without --host, expected a machine to take the bundle to; in a bundle "
            "itself, run `python -m benchmark`; to make one, `python -m export --bundle`"
        )
    formats = tuple(select_formats(options.format)) if options.format else None
    if options.host is not None:
        if in_bundle() or options.include_keras or options.reports is not None:
            raise ToolkitError(
                "got --host in a bundle, or with --include-keras or --reports, expected neither; "
                "run it where the exports were made, its reports go to hosts/ beside them"
            )
        from benchmark.remote.run import RemoteConfig, passed_on, run_on_host

        remote = RemoteConfig(
            host=options.host,
            python=options.remote_python,
            bundle=options.bundle,
            artifacts=options.artifacts,
            data=options.data,
            formats=formats,
            images=options.bundle_images,
            arguments=passed_on(arguments),
            resume=options.resume,
        )
        return run_on_host(remote)

    from benchmark.config import BenchmarkConfig
    from benchmark.gate import MIN_SNR_DB, Gate
    from benchmark.limits import unmet
    from benchmark.pipeline import run_benchmark
    from benchmark.report import render
    from benchmark.reports import PAGE_FILE
    from train.environment import read_environment
    from train.progress import progress

    config = BenchmarkConfig(
        artifacts=options.artifacts,
        data=options.data,
        formats=formats,
        gate=Gate(
            baseline=options.baseline,
            tolerance=options.tolerance,
            max_drop=options.max_drop,
            max_drop_per_class=options.max_drop_per_class,
            min_agreement=options.min_agreement,
            max_latency_us=options.max_latency_us,
            max_size_kb=options.max_size_kb,
            min_snr_db=MIN_SNR_DB if options.min_snr_db is None else options.min_snr_db,
        ),
        threads=options.threads,
        modes=(*(XNNPACK[state] for state in options.xnnpack), *options.onnx_optimization),
        samples=options.samples or (QUICK_SAMPLES if options.quick else SAMPLES),
        rounds=QUICK_ROUNDS if options.quick else ROUNDS,
        launches=QUICK_LAUNCHES if options.quick else LAUNCHES,
        max_seconds=options.max_seconds,
        batch=options.batch,
        profile=options.profile,
        include_keras=options.include_keras,
        resume=options.resume,
        save_outputs=options.save_outputs,
        reports=options.reports,
        objective=options.objective,
    )
    with progress() as report:
        benchmark = run_benchmark(config, on_progress=report.step)
    render(benchmark, config.gate, read_environment(), Console(), details=options.details)
    print(f"The same to forward: {(config.reports or config.artifacts) / PAGE_FILE}")
    nothing_meets = unmet(benchmark.results, config.gate)
    if nothing_meets is not None:
        raise ToolkitError(nothing_meets)
    return 0 if all(result.verdict == "pass" for result in benchmark.results) else 1


def compare(old: Path, new: Path) -> int:
    """Prints what changed between two results files; returns 1 if something got worse, else 0."""
    from rich.console import Console

    from benchmark.changes import find_changes
    from benchmark.changes_report import render_changes
    from benchmark.recorded import read_run

    changes = find_changes(read_run(old), read_run(new))
    render_changes(changes, Console())
    return 1 if changes.worse else 0


def parser() -> Parser:
    """Returns the parser of the command's options."""
    found = Parser(prog="python -m benchmark", description=__doc__)
    found.add_shared_arguments()
    add = found.add_argument
    add(
        "--reports",
        type=Path,
        metavar="DIR",
        help="folder for benchmark.html, .md and .csv (default: the artifacts folder)",
    )
    add(
        "--format",
        action="append",
        default=[],
        metavar="NAME",
        help="measure only these formats; repeatable, comma-separated (default: all there are)",
    )
    add(
        "--baseline",
        type=number_between(0, 1),
        default=BASELINE,
        metavar="SHARE",
        help="accuracy to compare with, 0…1 (default: %(default)s)",
    )
    add(
        "--tolerance",
        type=number_between(0, 1),
        default=TOLERANCE,
        metavar="SHARE",
        help="accuracy that may be lost against the baseline and against the Keras model, 0…1 "
        "(default: %(default)s)",
    )
    add(
        "--max-drop",
        type=number_between(0, 1),
        metavar="SHARE",
        help="accuracy that may be lost against the Keras model, 0…1, in place of the tolerance",
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
        help="least share of images with the Keras model's prediction, 0…1",
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
        "--min-snr-db",
        type=number_between(-200, 200),
        metavar="DB",
        help="least signal-to-noise ratio against the Keras model's outputs where the data has no "
        "labels (default: 15)",
    )
    add(
        "--objective",
        choices=OBJECTIVES,
        default=OBJECTIVES[0],
        help="what the recommended export is the best by, among those that pass; the others decide "
        "where it can't (default: %(default)s)",
    )
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
        help="also measure images a second in batches of N; one by one where the file has a fixed "
        "batch of one",
    )
    add(
        "--samples",
        type=integer_between(1_000, MAX_SAMPLES),
        metavar="N",
        help=f"single inferences timed a row, at least 1000 (default: {SAMPLES}, with --quick "
        f"{QUICK_SAMPLES})",
    )
    add(
        "--max-seconds",
        type=number_between(0.01, 1e6),
        default=MAX_SECONDS,
        metavar="S",
        help="longest time for a row's timed calls; fewer samples then (default: %(default)s)",
    )
    add("--details", action="store_true", help="a second table: start-up, memory, tails, classes")
    add("--profile", action="store_true", help="time per operator by the runtimes' own profilers")
    add("--quick", action="store_true", help="fewer timed calls: same verdict, rougher latency")
    add("--include-keras", action="store_true", help="a row for the Keras model (TensorFlow)")
    add(
        "--save-outputs",
        action="store_true",
        help="keep every row's outputs on all images, in benchmark.outputs.npz",
    )
    add("--resume", action="store_true", help="go on with a run that was cut off")
    add(
        "--compare",
        type=Path,
        nargs=2,
        metavar=("OLD", "NEW"),
        help="measure nothing, say what changed between two results files; exit code 1 if a row "
        "is gone or has a worse verdict, a significantly lower accuracy or higher latency",
    )
    add(
        "--merge",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="measure nothing; show the results of several machines side by side",
    )
    add(
        "--host",
        metavar="USER@HOST[:PORT]",
        help="measure on another machine, by ssh: take a bundle there, run it, bring the results "
        "back into hosts/ in the artifacts folder",
    )
    add(
        "--remote-python",
        default="python3",
        metavar="PATH",
        help="with --host: the Python there (default: %(default)s)",
    )
    add(
        "--bundle",
        type=Path,
        metavar="DIR|FILE.tar.gz",
        help="with --host: a bundle made earlier (default: one of the exports that are there)",
    )
    found.add_bundle_images()
    return found


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
