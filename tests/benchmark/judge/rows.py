"""Rows of a table that nobody measured, for what is derived from them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmark.advise.candidates import Quality
from benchmark.judge.evidence import Verdict
from benchmark.judge.rows import Result
from benchmark.judge.scoring.classification import compare, score_classes
from benchmark.measure.latency import Round, summarize
from benchmark.measure.variants import Variant
from benchmark.measure.worker.timing import WarmUp
from export.formats.table import FORMATS
from export.runtimes.open import MODES
from export.verify.distance import Distance
from tests.examples import MANIFEST

IMAGES = 2_000
CLASSES = np.arange(IMAGES) % 10
BY_ACCURACY = Quality(classes=CLASSES)
NEAR = Distance(
    finite=1,
    agreement=0.99,
    accuracy_drop=0,
    accuracy=0.9,
    max_abs_error=0,
    span=1,
    snr_db=35,
    centred_snr_db=34,
    cosine=1,
)
ROUNDS = 13
# Rounds of a machine whose speed drifts, the same for all rows, as of rows that take turns. The
# intervals of their medians are some 3 % to either side.
DRIFT = np.linspace(0.8, 1.2, ROUNDS)


def row(
    name: str,
    p50_us: float,
    size_bytes: int,
    *,
    gzip_bytes: int | None = None,
    wrong: Sequence[int] = (),
    noise: float = 0.0,
    verdict: Verdict = "pass",
    mode: str | None = None,
    threads: int = 1,
    first_round: int = 0,
    operators: Mapping[str, int] | None = None,
    runs: Sequence[str] | None = None,
    undelegated: Sequence[str] | None = None,
) -> Result:
    """Returns a row that gets all images right but those of the numbers `wrong`.

    `noise` is by how much every other round differs from what it would be, as a share.
    """
    predicted = CLASSES.copy()
    predicted[list(wrong)] = (predicted[list(wrong)] + 1) % 10
    runtime = FORMATS[name].runtime
    kernels = {} if runs is None else {"operators": list(runs)}
    if undelegated is not None:
        kernels["undelegated"] = list(undelegated)
    moods = DRIFT * (1 + noise * (np.arange(ROUNDS) % 2 * 2 - 1))
    rounds = [
        Round(
            durations_ns=np.full(50, round(p50_us * 1e6 * mood)) // 1_000,
            warm_up=WarmUp(calls=9, stable=True),
            quiet=True,
        )
        for mood in moods
    ]
    classes = np.eye(10, dtype=np.float32)
    outputs, source = classes[predicted], classes[CLASSES]
    return Result(
        variant=Variant(
            format=name,
            runtime=runtime,
            mode=mode or MODES[runtime][0],
            threads=threads,
            manifest=replace(MANIFEST, format=name, runtime=runtime, operators=operators),
            path=Path("fake"),
        ),
        size_bytes=size_bytes,
        gzip_bytes=gzip_bytes,
        accuracy=compare(outputs, source, CLASSES),
        distance=NEAR,
        scores=score_classes(
            outputs, source, CLASSES, kind="classes", metric="accuracy", threshold=0.5
        ),
        latency=summarize(rounds, timer_ns=0, reference=None, quiet_only=False),
        kernels=kernels,
        predicted=predicted,
        rounds_ns=tuple(found.durations_ns for found in rounds),
        rounds_quiet=tuple(found.quiet for found in rounds),
        first_round=first_round,
        verdict=verdict,
    )
