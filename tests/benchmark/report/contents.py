"""The content of a `benchmark.json` that took no measuring, made by what makes the real ones."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.advise.candidates import quality_of
from benchmark.advise.explain import Explanation
from benchmark.advise.recommend import recommend
from benchmark.config import BenchmarkConfig
from benchmark.judge.evidence import Verdict
from benchmark.judge.limits import Limits
from benchmark.judge.rows import Result
from benchmark.judge.scoring.classification import compare
from benchmark.measure.conditions import Conditions
from benchmark.measure.latency import Round, summarize
from benchmark.measure.settings import MeasureSettings
from benchmark.measure.variants import Variant
from benchmark.measure.worker.timing import WarmUp
from benchmark.results.file import Benchmark
from benchmark.results.read import run_of
from benchmark.results.run import Run
from export.layer_report import LayerReport, OperatorReport, Outcome
from tests.examples import MANIFEST, REFERENCE, task
from train.common.environment import read_environment

HOSTILE = "<script>alert('1')</script>"
CLASSES = ("T-shirt|top", HOSTILE, "Bag")
LABELS = np.arange(60) % 3
# The Keras model is wrong on the last three images.
PREDICTED = np.where(np.arange(60) < 57, LABELS, (LABELS + 1) % 3)
IMAGES = np.random.RandomState(1).randint(0, 256, (60, 28, 28)).astype(np.uint8)
LOST, GAINED, NEITHER = {0: 1}, {57: 0}, {58: 0}
LIMITS = Limits(baseline=0.9, tolerance=0.01)


def operator(name: str, own_snr_db: float | None = 40.0, **others: Any) -> OperatorReport:
    """An operator of an integer file; in float if it adds nothing."""
    fields: dict[str, Any] = {
        "operator": "CONV_2D",
        "layer": name,
        "in_float": own_snr_db is None,
        "multiplications": 1000,
        "low": -1.0,
        "high": 2.0,
        "range_low": -1.0,
        "range_high": 2.0,
        "clipped_share": 0.001,
        "saturated_share": 0.0,
        "weight_spread": 3.0,
        "channels": 8,
        "dead_channels": 1,
        "lost_channels": 0,
        "snr_db": 35.0,
    }
    return OperatorReport(name=name, own_snr_db=own_snr_db, **{**fields, **others})


def layers(*operators: OperatorReport) -> LayerReport:
    return LayerReport(
        examples=64,
        float_outcome=Outcome(accuracy=0.9, snr_db=999.0),
        outcome=Outcome(accuracy=0.8, snr_db=20.0),
        int8_multiplications=1.0,
        operators=operators,
    )


LAYERS = layers(
    operator("stem"),
    operator(
        HOSTILE,
        12.0,
        cause=f"outlier channel 3 of {HOSTILE}",
        alone=Outcome(accuracy=0.8, snr_db=12.0),
    ),
    operator("activation", None, range_low=None, range_high=None, weight_spread=None),
)


def measured(
    name: str,
    *,
    flips: Mapping[int, int] | None = None,
    p50_us: float = 3.0,
    size_bytes: int = 50_000,
    verdict: Verdict = "pass",
    reasons: tuple[str, ...] = (),
    runtime: str = "litert",
    labelled: bool = True,
    layers: LayerReport | None = None,
) -> Result:
    """A row of 8 rounds of 50 calls; `flips` are the classes of images that differ from Keras."""
    predicted = PREDICTED.copy()
    for index, label in (flips or {}).items():
        predicted[index] = label
    outputs, reference = (np.eye(3, dtype=np.float32)[found] for found in (predicted, PREDICTED))
    judged = task(reference, LABELS if labelled else None, CLASSES)
    spread = np.random.RandomState(size_bytes % 1000).lognormal(0, 0.05, (8, 50))
    rounds = [
        Round(
            durations_ns=(1000 * p50_us * factors).astype(np.int64),
            warm_up=WarmUp(calls=9, stable=True),
            quiet=number > 0,
        )
        for number, factors in enumerate(spread)
    ]
    return Result(
        variant=variant(name, runtime),
        size_bytes=size_bytes,
        gzip_bytes=size_bytes // 2,
        accuracy=compare(outputs, reference, LABELS) if labelled else None,
        distance=judged.distance(outputs),
        scores=judged.score(outputs),
        latency=summarize(rounds, timer_ns=50, reference=rounds, quiet_only=True),
        layers=layers,
        predicted=predicted.astype(np.int32),
        rounds_ns=tuple(found.durations_ns for found in rounds),
        rounds_quiet=tuple(found.quiet for found in rounds),
        verdict=verdict,
        reasons=reasons,
    )


def broken(name: str) -> Result:
    """A row that could not be measured."""
    reason = f"{HOSTILE} is no manifest"
    return Result(variant=variant(name, None), verdict="error", reasons=(reason,))


def variant(name: str, runtime: str | None) -> Variant:
    return Variant(
        format=name,
        runtime=runtime,
        mode=None,
        threads=1,
        manifest=MANIFEST,
        path=Path("fake"),
    )


def read(content: dict[str, Any]) -> Run:
    """What reports are made of."""
    return run_of(content, "benchmark.json")


def content_of(
    *results: Result, labelled: bool = True, explanations: tuple[Explanation, ...] = ()
) -> dict[str, Any]:
    """What is read back from the file of a run with these rows."""
    labels = LABELS if labelled else None
    main = task(np.eye(3, dtype=np.float32)[PREDICTED], labels, CLASSES)
    config = BenchmarkConfig(
        artifacts=Path("artifacts"),
        data=None,
        formats=None,
        limits=LIMITS,
        measure=MeasureSettings(samples=1000, rounds=8, launches=1, max_seconds=1.0),
    )
    benchmark = Benchmark(
        created=datetime(2026, 11, 24, tzinfo=UTC),
        environment=read_environment(),
        settings=config.settings(),
        limits=LIMITS,
        reference=REFERENCE,
        task=main,
        examples="images",
        results=results,
        conditions=Conditions(
            seconds=9,
            steal_share=0.0,
            other_load=0.0,
            throttled=None,
            governors=(),
            probe_spread=1.0,
        ),
        call_overhead_us={"litert": 1.0, "onnxruntime": 5.0},
        explanations=explanations,
        recommendation=recommend(results, quality_of(main), "latency", {}),
    )
    made = benchmark.as_json()
    read: dict[str, Any] = json.loads(json.dumps(made, default=lambda array: array.tolist()))
    return read


VARIED = content_of(
    measured("tflite-float32", p50_us=4.0, size_bytes=200_000),
    measured("tflite-int8", flips={**LOST, **GAINED, **NEITHER}, p50_us=2.0),
    measured("tflite-int4", flips=LOST, p50_us=2.1, size_bytes=25_000),
    measured(
        "onnx-int8",
        flips=GAINED,
        p50_us=9.0,
        runtime="onnxruntime",
        size_bytes=60_000,
        layers=LAYERS,
    ),
    measured(
        "onnx-dynamic",
        flips=dict.fromkeys(range(0, 57, 3), 2),
        p50_us=8.0,
        verdict="fail",
        reasons=("accuracy 65.00% | is <b>below</b> 89.00%",),
        runtime="onnxruntime",
    ),
    broken("=HYPERLINK(1)"),
)
EMULATED = {
    **VARIED,
    "environment": {**VARIED["environment"], "emulated": True},
    "recommendation": None,
}
EXTREMES = {
    "5 operators": content_of(measured("a", layers=layers(*(operator(f"{n}") for n in range(5))))),
    "200 operators": content_of(
        measured("a", layers=layers(*(operator(f"block_{n}_" * 9, 60 - n / 4) for n in range(200))))
    ),
    "one row": content_of(measured("a")),
    "Keras too": content_of(
        measured("keras", p50_us=900.0, runtime="keras"),
        measured("a"),
        measured("b", p50_us=9.0, runtime="onnxruntime"),
    ),
    "identical points": content_of(*(measured(name) for name in "abcdefgh")),
    "errors only": content_of(broken("a"), broken("b")),
    "no labels": content_of(measured("a", flips=LOST, labelled=False), broken("b"), labelled=False),
    "no flips": content_of(measured("a"), measured("b", p50_us=5.0)),
    "far apart": content_of(
        measured("a", p50_us=0.2, size_bytes=1), measured("b", p50_us=9e6, size_bytes=10**9)
    ),
    "long names": content_of(
        measured("tflite-int8-pruned-clustered " * 3), measured(HOSTILE * 9, p50_us=9.0)
    ),
    "many rows": content_of(
        *(measured(f"tflite-int8-clustered {n} threads", p50_us=3 + n / 50) for n in range(60))
    ),
}
