"""`python -m benchmark`: accuracy, latency and verdict of every export, without TensorFlow."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.options import (
    LAUNCHES,
    QUICK_LAUNCHES,
    QUICK_ROUNDS,
    QUICK_SAMPLES,
    ROUNDS,
    SAMPLES,
    XNNPACK,
    parser,
)
from benchmark.outcome import GateRequest, compare_files, conclude_run, merge_files
from train.common.command.cli import DEFAULT_BUNDLE_IMAGES, run_program
from train.common.command.terminal import printable
from train.common.errors import ToolkitError

if TYPE_CHECKING:
    from benchmark.measure.measured import MeasureInBrowser
    from export.formats.table import Format

NO_GATE = GateRequest(junit=None, fail_on=(), compare=())
OF_A_GATE = ("junit", "fail_on", "compare")
WITHOUT_A_NEW_BUNDLE = (
    "got --bundle-images without --host or with --bundle, expected a bundle to be made for "
    "another machine; leave it out"
)


def main(arguments: Sequence[str]) -> int:
    """Parses, does what is asked for, returns the exit code."""
    known = parser()
    options = known.parse_args(arguments)
    request = GateRequest(
        junit=options.junit, fail_on=options.fail_on, compare=tuple(options.compare)
    )
    if len(request.compare) == 2:
        others = [
            f"--{name.replace('_', '-')}"
            for name, value in vars(options).items()
            if name not in OF_A_GATE and value != known.get_default(name)
        ]
        if others:
            raise ToolkitError(
                f"got {', '.join(others)} with --compare and two files, which measures nothing; "
                "expected --junit and --fail-on at most"
            )
        return compare_files(request)
    if request != NO_GATE and (options.merge or options.host is not None):
        raise ToolkitError(
            "got --junit, --fail-on or --compare with --merge or --host, expected a run of this "
            "machine; of another, give --compare both results files"
        )
    if options.preprocess and not options.add:
        raise ToolkitError(
            "got --preprocess without --add, expected a file that it is of; exports know how they "
            "are preprocessed"
        )
    if options.add and (
        options.merge or options.host is not None or options.browser is not None or options.serve
    ):
        raise ToolkitError(
            "got --add with --merge, --host, --browser or --serve, expected a run of this machine; "
            "there, only exports are measured"
        )
    if options.merge:
        return merge_files(options.merge)
    if options.host is not None:
        return _measure_there(options, arguments)
    return _measure_here(options, request)


def _measure_here(options: Namespace, request: GateRequest) -> int:
    """Measures, prints the table; returns 1 if that is what the gate says, else 0."""
    if options.bundle_images != DEFAULT_BUNDLE_IMAGES:
        raise ToolkitError(WITHOUT_A_NEW_BUNDLE)
    if options.bundle is not None:
        raise ToolkitError(
            "got --bundle without --host, expected a machine to take the bundle to; in a bundle "
            "itself, run `python -m benchmark`; to make one, `python -m export --bundle`"
        )
    from rich.console import Console

    from benchmark.advise.closest import unmet
    from benchmark.config import BenchmarkConfig
    from benchmark.judge.limits import MIN_SNR_DB, Limits
    from benchmark.judge.task import THRESHOLD
    from benchmark.measure.settings import MeasureSettings
    from benchmark.measure.variants import RESULTS_FILE
    from benchmark.pipeline import run_benchmark
    from benchmark.report.terminal.summary import render
    from benchmark.report.write import PAGE_FILE
    from benchmark.results.read import read_run
    from export.model.request import trust_of
    from train.common.command.progress import progress

    config = BenchmarkConfig(
        artifacts=options.artifacts,
        data=options.data,
        formats=_formats(options.format),
        limits=Limits(
            baseline=options.baseline,
            tolerance=options.tolerance,
            max_drop=options.max_drop,
            max_drop_per_class=options.max_drop_per_class,
            min_agreement=options.min_agreement,
            max_latency_us=options.max_latency_us,
            max_size_kb=options.max_size_kb,
            min_snr_db=MIN_SNR_DB if options.min_snr_db is None else options.min_snr_db,
        ),
        measure=MeasureSettings(
            threads=options.threads,
            modes=(*(XNNPACK[state] for state in options.xnnpack), *options.onnx_optimization),
            samples=options.samples or (QUICK_SAMPLES if options.quick else SAMPLES),
            rounds=QUICK_ROUNDS if options.quick else ROUNDS,
            launches=QUICK_LAUNCHES if options.quick else LAUNCHES,
            max_seconds=options.max_seconds,
            batch=options.batch,
            profile=options.profile,
            timeout_s=options.timeout,
        ),
        add=tuple(options.add),
        preprocess=dict(options.preprocess),
        include_keras=options.include_keras,
        trust=trust_of(options),
        resume=options.resume,
        save_outputs=options.save_outputs,
        reports=options.reports,
        objective=options.objective,
        image_size=options.image_size,
        metric=options.metric,
        threshold=THRESHOLD if options.threshold is None else options.threshold,
    )
    request.check()
    old = read_run(request.compare[0]) if request.compare else None
    with _browser(options) as in_browser, progress() as report:
        benchmark = run_benchmark(config, on_progress=report.step, in_browser=in_browser)
    run = read_run(config.artifacts / RESULTS_FILE)
    render(run, Console(), explain=options.explain, details=options.details)
    page = (config.reports or config.artifacts) / PAGE_FILE
    print(printable(f"All figures, as a page: {page}"))
    code = conclude_run(request, run, old)
    nothing_meets = unmet(benchmark.results, benchmark.limits)
    if nothing_meets is not None and code:
        raise ToolkitError(nothing_meets)
    return code


@contextmanager
def _browser(options: Namespace) -> "Iterator[MeasureInBrowser | None]":
    """Yields what measures in the browser that is asked for; None where none is."""
    from train.common.environment import in_bundle

    local, served_to = options.browser is not None, options.serve
    if not local and not served_to:
        for name in ("accelerator", "listen"):
            if getattr(options, name) is not None:
                raise ToolkitError(
                    f"got --{name} without {'--browser or ' * (name != 'listen')}--serve, expected "
                    "a browser to measure in"
                )
        yield None
        return
    if in_bundle() or (local and (served_to or options.listen is not None)):
        raise ToolkitError(
            "got --browser or --serve in a bundle, or --browser with --serve or --listen, expected "
            "one of them where the exports were made: --browser is one of this machine, --serve "
            "for another"
        )
    from benchmark.remote.browser.device import in_chromium, served  # not in a bundle

    accelerator = options.accelerator or "wasm"
    path = Path(options.browser) if options.browser else None
    opened = in_chromium(path, accelerator) if local else served(options.listen, accelerator)
    with opened as in_browser:
        yield in_browser


def _measure_there(options: Namespace, arguments: Sequence[str]) -> int:
    """Measures on another machine; returns the exit code there."""
    from train.common.environment import in_bundle

    if options.bundle_images != DEFAULT_BUNDLE_IMAGES and options.bundle is not None:
        raise ToolkitError(WITHOUT_A_NEW_BUNDLE)
    if options.browser is not None or options.serve or options.listen or options.accelerator:
        raise ToolkitError(
            "got --browser or --serve with --host, expected one of them; a browser is measured by "
            "the machine where the exports were made"
        )
    if in_bundle() or options.include_keras or options.reports is not None:
        raise ToolkitError(
            "got --host in a bundle, or with --include-keras or --reports, expected neither; "
            "run it where the exports were made, its reports go to hosts/ beside them"
        )
    from benchmark.remote.run import RemoteConfig, passed_on, run_on_host  # not in a bundle
    from export.model.request import trust_of

    remote = RemoteConfig(
        host=options.host,
        python=options.remote_python,
        bundle=options.bundle,
        artifacts=options.artifacts,
        data=options.data,
        formats=_formats(options.format),
        images=options.bundle_images,
        arguments=passed_on(arguments),
        resume=options.resume,
        image_size=options.image_size,
        trust=trust_of(options),
    )
    return run_on_host(remote)


def _formats(names: list[str]) -> "tuple[Format, ...] | None":
    from export.formats.select import select_formats

    return tuple(select_formats(names)) if names else None


if __name__ == "__main__":
    run_program(main)
