"""What a run of the benchmark is told."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmark.advise.candidates import Objective
from benchmark.judge.limits import Limits
from benchmark.judge.scoring.metrics import Metric
from benchmark.judge.task import THRESHOLD
from benchmark.measure.settings import MeasureSettings
from export.formats.table import Format
from export.model.request import NO_TRUST, Trust
from train.common.preprocessing import Preprocessing


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """One run of `python -m benchmark`.

    Attributes:
        artifacts: folder with the exports; the results are written there.
        data: the test data, as `open_samples` takes it, or folder of the data set; None to look
            for it.
        formats: formats to run; None for every manifest found.
        limits: the limits of the verdict.
        measure: how it is measured.
        add: files that this toolkit did not make, for rows of their own.
        preprocess: what raw values become for those, as `added_variants` takes it.
        include_keras: whether the Keras model itself gets a row.
        trust: what may be run of code that comes with the Keras model.
        resume: whether to go on with a run that was cut off.
        save_outputs: whether every row's outputs on all images are kept, beside the results.
        reports: folder that the CSV, the Markdown and the page are written to; None for
            `artifacts`.
        objective: what the recommended export is the best by.
        image_size: height and width that pictures are brought to; None for the
            model's own.
        metric: what the main output is judged by; None for the default of its kind.
        threshold: above it a binary output is a yes.
    """

    artifacts: Path
    data: Path | None
    formats: tuple[Format, ...] | None
    limits: Limits
    measure: MeasureSettings
    add: tuple[Path, ...] = ()
    preprocess: Mapping[str, Preprocessing] = field(default_factory=dict)
    include_keras: bool = False
    trust: Trust = NO_TRUST
    resume: bool = False
    save_outputs: bool = False
    reports: Path | None = None
    objective: Objective = "latency"
    image_size: tuple[int, int] | None = None
    metric: Metric | None = None
    threshold: float = THRESHOLD

    def settings(self) -> dict[str, Any]:
        """Returns what the results depend on, as a JSON object."""
        return {
            **asdict(self.limits),
            "metric": self.metric,
            "threshold": self.threshold,
            **self.measure.as_json(),
        }
