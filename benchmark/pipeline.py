"""Exports → workers → raw results → verdicts → `benchmark.json` and reports."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from benchmark.advise.explain import explain
from benchmark.advise.pairs import quality_of
from benchmark.advise.recommend import recommend
from benchmark.config import BenchmarkConfig
from benchmark.judge.rows import judge_variants
from benchmark.judge.task import tasks_of
from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.measured import collect
from benchmark.measure.overhead import measure_call_overhead
from benchmark.measure.session import Session
from benchmark.measure.variants import (
    RESULTS_FILE,
    Variant,
    find_manifests,
    find_variants,
)
from benchmark.report.write import check_places, write_reports
from benchmark.results.file import Benchmark
from benchmark.results.outputs import OUTPUTS_FILE, write_outputs
from benchmark.results.read import read_run
from export.data.test_data import open_evaluation, unpacked
from train.common.artifact import publish, staging, write_json
from train.common.environment import read_environment
from train.common.record import ReferenceOutputs

INTERRUPTED = "what was measured is kept; `python -m benchmark --resume` goes on from there"


def run_benchmark(
    config: BenchmarkConfig,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    on_progress: Callable[[str, float], None] = lambda text, share: None,
) -> Benchmark:
    """Measures and judges every export in the folder; writes `benchmark.json` and the reports.

    A broken export is a row with verdict `error`; it does not end the run. Raw results are on
    disk as soon as they are there; `config.resume` goes on with those of a run cut off.

    Raises:
        ArtifactError: there are no exports, no reference outputs, a folder is unwritable, or
            what is to be resumed is another run.
        DataError: the data set cannot be had, or a limit needs labels and it has none.
        KeyboardInterrupt: interrupted; its message says how to go on.
    """
    environment = read_environment()
    find_manifests(config.artifacts, config.formats)
    reports = config.reports or config.artifacts
    check_places(reports)
    with staging(config.artifacts) as staged, staging(reports, "--reports") as staged_reports:
        found = open_evaluation(config.artifacts, config.data, config.image_size, staged)
        test, reference = found.samples, found.reference
        tasks = tasks_of(reference, test, metric=config.metric, threshold=config.threshold)
        main = tasks[0]
        limits = config.limits.checked(main, found.default_baseline, emulated=environment.emulated)
        config = replace(config, limits=limits)
        variants = find_variants(config.artifacts, config.formats, config.measure, reference, test)
        places = unpacked(test, staged)
        raw = PartialResults(
            config.artifacts, identity(config, variants, reference), resume=config.resume
        )
        try:
            session = Session(config.measure, raw, places, reference, main, on_progress)
            measured = session.run(variants)
            runtimes = dict.fromkeys(s.runtime for s in variants if s.runtime and not s.problem)
            call_overhead_us = measure_call_overhead(runtimes, raw, staged)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(INTERRUPTED) from None
        results = judge_variants(
            collect(variants, raw, measured),
            tasks,
            limits,
            examples=found.examples,
            same_distribution=found.same_distribution,
        )
        recommendation = None
        if not environment.emulated:
            recommendation = recommend(results, quality_of(main), config.objective, limits.given())
        benchmark = Benchmark(
            created=now(),
            environment=environment,
            settings=config.settings(),
            limits=limits,
            reference=reference,
            task=main,
            examples=found.examples,
            results=results,
            conditions=measured.conditions,
            call_overhead_us=call_overhead_us,
            explanations=explain(results, environment, call_overhead_us),
            recommendation=recommendation,
        )
        write_json(staged / RESULTS_FILE, benchmark.as_json())
        written = write_reports(read_run(staged / RESULTS_FILE), found.pictures, staged_reports)
        files = [staged / RESULTS_FILE]
        if config.save_outputs:
            files.append(staged / OUTPUTS_FILE)
            rows = [row.variant for row in results if row.latency is not None]
            write_outputs(files[-1], {s.name: raw.outputs(s.key)[main.name] for s in rows})
        publish(files, config.artifacts)
        publish(written, reports)
        raw.delete()
    return benchmark


def identity(
    config: BenchmarkConfig, variants: list[Variant], reference: ReferenceOutputs
) -> dict[str, Any]:
    """Returns what raw results depend on; results that differ in it are never mixed."""
    return {
        "machine": read_environment().as_json(),
        "settings": config.settings(),
        "model": reference.model_sha256,
        "data": reference.inputs_sha256,
        "exports": {s.key: s.manifest and s.manifest.sha256 for s in variants},
    }
