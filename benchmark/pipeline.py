"""Load the exports and the test data, measure, judge, advise, write."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmark.advise.candidates import quality_of
from benchmark.advise.explain import explain
from benchmark.advise.recommend import recommend
from benchmark.config import BenchmarkConfig
from benchmark.judge.rows import judge_variants
from benchmark.judge.task import tasks_of
from benchmark.measure.beside.added import added_variants
from benchmark.measure.beside.estimated import npu_estimates
from benchmark.measure.checkpoint import PartialResults, garbled_results, identity_of
from benchmark.measure.measured import MeasuredVariant, MeasureInBrowser, measure_variants
from benchmark.measure.variants import RESULTS_FILE, find_manifests, find_variants
from benchmark.report.write import REPORTS, write_reports
from benchmark.results.file import OUTPUTS_FILE, Benchmark
from benchmark.results.read import read_run
from export.data.test_data import open_evaluation
from export.model.recorded import recorded_request, write_request
from train.common.candidates import read_candidates
from train.common.environment import read_environment
from train.common.errors import ArtifactError
from train.common.files.artifact import write_json, write_npz
from train.common.files.open import is_there
from train.common.files.staging import check_places, finish_publishing, publish, staging
from train.common.record import RECORD_FILE, read_model_record, read_training

INTERRUPTED = "what was measured is kept; `python -m benchmark --resume` goes on from there"


def run_benchmark(
    config: BenchmarkConfig,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    on_progress: Callable[[str, float], None] = lambda text, share: None,
    in_browser: MeasureInBrowser | None = None,
) -> Benchmark:
    """Measures and judges every export in the folder; writes `benchmark.json` and the reports.

    A broken export is a row with verdict `error`; it does not end the run. Raw results are on
    disk as soon as they are there; `config.resume` goes on with those of a run cut off.

    Args:
        config: what to do.
        now: tells the time.
        on_progress: told what is being done, and the share that is done.
        in_browser: measures the exports in a browser too, for rows of its own.

    Raises:
        ArtifactError: there are no exports, no reference outputs, a folder is unwritable, or
            what is to be resumed is another run.
        DataError: the data set cannot be had, or a limit needs labels and it has none.
        KeyboardInterrupt: interrupted; its message says how to go on.
    """
    environment = read_environment()
    artifacts, reports = config.artifacts, config.reports or config.artifacts
    finish_publishing(artifacts)
    manifests = find_manifests(artifacts, config.formats, may_be_none=bool(config.add))
    check_places(artifacts, (RESULTS_FILE, *[OUTPUTS_FILE] * config.save_outputs), "--artifacts")
    check_places(reports, REPORTS, "--reports")
    with staging(artifacts) as staged, staging(reports, "--reports") as staged_reports:
        test = open_evaluation(artifacts, config.data, config.image_size, staged, config.trust)
        reference = test.reference
        training = reference.training or read_training(artifacts, reference.model_sha256)
        tasks = tasks_of(reference, test.samples, metric=config.metric, threshold=config.threshold)
        main = tasks[0]
        limits = config.limits.checked(main, test.default_baseline, emulated=environment.emulated)
        config = replace(config, limits=limits)
        keras = _keras_request(config, staged)
        variants = find_variants(
            manifests, config.measure, reference, test.samples, keras, built=staged / "programs"
        )
        variants += added_variants(config.add, config.preprocess, config.measure, reference)
        identity = identity_of(config.settings(), variants, reference, environment)
        with garbled_results(artifacts, resumed=config.resume):
            raw = PartialResults(artifacts, identity, resume=config.resume)

            try:
                there = None
                if in_browser is not None:
                    there = in_browser(variants, config.measure, raw, test, on_progress)
                measured = measure_variants(
                    variants, config.measure, raw, test, main, staged, on_progress
                )
                measured.variants.extend(there.variants if there else ())
            except KeyboardInterrupt:
                raise KeyboardInterrupt(INTERRUPTED) from None

            results = judge_variants(
                measured.variants,
                tasks,
                limits,
                examples=test.examples,
                same_distribution=test.same_distribution,
            )

        here = tuple(row for row in results if row.variant.browser is None)
        in_it = tuple(row for row in results if row.variant.browser is not None)
        recommendation, browser_recommendation = (
            None
            if environment.emulated
            else recommend(rows, quality_of(main), config.objective, limits.given())
            for rows in (here, in_it)
        )
        benchmark = Benchmark(
            created=now(),
            environment=environment,
            settings=config.settings(),
            limits=limits,
            reference=reference,
            task=main,
            examples=test.examples,
            training=training,
            candidates=read_candidates(artifacts),
            results=results,
            conditions=measured.conditions,
            call_overhead_us=measured.call_overhead_us,
            explanations=explain(here, environment, measured.call_overhead_us),
            recommendation=recommendation,
            browser=there.browser if there else None,
            browser_recommendation=browser_recommendation,
            npu=tuple(npu_estimates(artifacts, config.formats, reference)),
        )

        files = [staged / RESULTS_FILE]
        write_json(files[0], benchmark.as_json())
        written = write_reports(read_run(files[0]), test.pictures, staged_reports)
        if config.save_outputs:
            files.append(staged / OUTPUTS_FILE)
            rows = [found for found in measured.variants if isinstance(found, MeasuredVariant)]
            write_npz(files[-1], {row.variant.name: row.outputs[main.name] for row in rows})
        publish(files, artifacts)
        publish(written, reports)
        raw.delete()
    return benchmark


def _keras_request(config: BenchmarkConfig, folder: Path) -> Path | None:
    """Returns a file in `folder` with the request to load the Keras model, if it gets a row."""
    if not config.include_keras:
        return None
    record = config.artifacts / RECORD_FILE
    if not is_there(record):
        raise ArtifactError(f"--include-keras: {record} is not there; run `python -m train`")
    path = folder / "keras.json"
    write_request(path, recorded_request(read_model_record(config.artifacts), config.trust))
    return path
