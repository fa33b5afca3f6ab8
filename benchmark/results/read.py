"""A results file, read back: what `python -m benchmark` wrote, in whatever run. Light."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from benchmark.judge.metrics import Measure, measure_of
from benchmark.judge.verdict import Verdict
from benchmark.measure.latency import MIN_ROUNDS
from benchmark.results.fields import REMEDY, Fields
from benchmark.results.file import SCHEMA_VERSION
from train.common.artifact import read_json
from train.common.environment import Environment
from train.common.errors import ArtifactError


@dataclass(frozen=True, kw_only=True)
class RecordedLatency:
    """The rounds of a row.

    Attributes:
        p50_us: the median of its calls in microseconds; None where they could not carry it.
        rounds_us: (rounds,) the median of each round, in microseconds.
        quiet: (rounds,) bool, whether the machine ran at its full speed.
    """

    p50_us: float | None
    rounds_us: np.ndarray
    quiet: np.ndarray


@dataclass(frozen=True, kw_only=True)
class RecordedRow:
    """A row of a results file; what was not measured is None.

    Attributes:
        name: the format, and how it was run where that is not the default.
        size_bytes, gzip_bytes: of the file.
        verdict, reasons: the judgement.
        predicted: (N,) the predicted class of each example; None where outputs tell none.
        value: of the metric that judges it, if that is another than the accuracy.
        latency: its rounds.
    """

    name: str
    size_bytes: int | None
    gzip_bytes: int | None
    verdict: Verdict
    reasons: tuple[str, ...]
    predicted: np.ndarray | None
    value: float | None
    latency: RecordedLatency | None


@dataclass(frozen=True, kw_only=True)
class RecordedRun:
    """A results file.

    Attributes:
        path: where it is.
        created: when it was written, as it says.
        environment: the machine.
        versions: of the runtimes, by package.
        settings: what the run was asked for.
        rounds, launches: how many rounds were asked for, and in how many processes.
        source_sha256: of the Keras model.
        data_sha256: of the test data.
        measure: what its rows are judged by.
        images: how many test examples, > 0.
        labels: (N,) integer classes; None for data without labels.
        rows: by name, in the order of the table.
    """

    path: Path
    created: str
    environment: Environment
    versions: dict[str, str]
    settings: dict[str, Any]
    rounds: int
    launches: int
    source_sha256: str
    data_sha256: str
    measure: Measure
    images: int
    labels: np.ndarray | None
    rows: dict[str, RecordedRow]

    def correct(self, row: RecordedRow) -> int | None:
        """Returns how many images a row gets right; None without labels or predictions."""
        if self.labels is None or row.predicted is None:
            return None
        return int((row.predicted == self.labels).sum())

    def launch_medians_us(self, row: RecordedRow) -> np.ndarray:
        """Returns the median of each of a row's process launches, (launches,), microseconds.

        Of its rounds' medians: of the quiet rounds, where every row of the run has five, as in
        the run's own statistics; a launch without any is left out.
        """
        timed = [found.latency for found in self.rows.values() if found.latency]
        if row.latency is None:
            return np.empty(0)
        quiet_only = all(latency.quiet.sum() >= MIN_ROUNDS for latency in timed)
        used = row.latency.quiet | (not quiet_only)
        # launch k takes the rounds from k * rounds // launches on
        numbers = ((np.arange(used.size) + 1) * self.launches - 1) // self.rounds
        of_launch = [row.latency.rounds_us[used & (numbers == k)] for k in np.unique(numbers[used])]
        return np.array([np.median(medians) for medians in of_launch])


def read_run(path: Path) -> RecordedRun:
    """Reads what `python -m benchmark` wrote.

    Raises:
        ArtifactError: it is not there, unreadable, of another schema version, holds no rows, or
            something in it is not what a run writes.
    """
    fields = Fields(read_json(path, schema_version=SCHEMA_VERSION, remedy=REMEDY), str(path))
    data, source, settings = (fields.inner(name) for name in ("data", "source", "settings"))
    versions = fields.inner("versions")
    labels, expected = data.classes("labels"), source.classes("predicted")
    measure = _measure(fields)
    if measure.classes and (expected is None or not expected.size):
        raise source.wrong("predicted", None, "the class of each test image")
    images = data.whole("total", least=1) if expected is None else expected.size
    if labels is not None and labels.size != images:
        raise data.wrong("labels of", labels.size, f"{images} images")
    rows: dict[str, RecordedRow] = {}
    for number, content in enumerate(fields.objects("results"), start=1):
        row = _row(Fields(content, f"{path}: row {number}"), images, measure)
        if row.name in rows:
            raise fields.wrong(f"row {number} named", row.name, "every name once")
        rows[row.name] = row
    if not rows:
        raise ArtifactError(f"{path} has no rows in it: nothing was measured; {REMEDY}")
    return RecordedRun(
        path=path,
        created=fields.text("created"),
        environment=_environment(fields.inner("environment")),
        versions={name: versions.text(name) for name in versions.content},
        settings=settings.content,
        rounds=settings.whole("rounds", least=1),
        launches=settings.whole("launches", least=1),
        source_sha256=source.text("sha256"),
        data_sha256=data.text("sha256"),
        measure=measure,
        images=images,
        labels=labels,
        rows=rows,
    )


def _measure(fields: Fields) -> Measure:
    try:
        return measure_of(fields.content)
    except (LookupError, TypeError, ValueError) as error:
        got = fields.content.get("measure")
        raise fields.wrong("measure", got, "what rows are judged by") from error


def _row(fields: Fields, images: int, measure: Measure) -> RecordedRow:
    verdict, predicted = fields.text("verdict"), fields.classes("predicted")
    if verdict not in get_args(Verdict):
        raise fields.wrong("verdict", verdict, ", ".join(get_args(Verdict)))
    if predicted is not None and predicted.size != images:
        raise fields.wrong("predicted of", predicted.size, f"{images} images")
    value, latency = None, None
    if fields.content.get("scores") is not None and measure.metric != "accuracy":
        value = fields.inner("scores").optional_number("value")
    if fields.content.get("latency_us") is not None:
        timed, quiet = fields.inner("latency_us"), fields.flags("rounds_quiet")
        rounds_us = timed.microseconds("rounds_p50")
        if rounds_us.size != quiet.size:
            raise fields.wrong("rounds_quiet of", quiet.size, f"{rounds_us.size} rounds")
        p50_us = timed.optional_microseconds("p50")
        latency = RecordedLatency(p50_us=p50_us, rounds_us=rounds_us, quiet=quiet)
    return RecordedRow(
        name=fields.text("name"),
        size_bytes=fields.optional_whole("size_bytes"),
        gzip_bytes=fields.optional_whole("gzip_bytes"),
        verdict=cast(Verdict, verdict),
        reasons=fields.texts("reasons"),
        predicted=predicted,
        value=value,
        latency=latency,
    )


def _environment(fields: Fields) -> Environment:
    return Environment(
        cpu=fields.text("cpu"),
        architecture=fields.text("architecture"),
        cpu_features=fields.texts("cpu_features"),
        cores=fields.whole("cores", least=1),
        memory_bytes=fields.whole("memory_bytes"),
        system=fields.text("system"),
        python=fields.text("python"),
        emulated=fields.content.get("emulated") is True,  # older files do not say
    )
