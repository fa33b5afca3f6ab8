"""Raw results as workers leave them, of outputs that no runtime computed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmark.judge.limits import Limits
from benchmark.judge.rows import Result, judge_variants
from benchmark.judge.task import Task, tasks_of
from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.measured import LOADING, collect
from benchmark.measure.session import Measured
from benchmark.measure.variants import Variant
from export.manifest import Check
from tests.examples import MANIFEST, REFERENCE
from train.common.reference_outputs import ReferenceOutputs
from train.common.samples import Samples
from train.common.tensors import TensorSpec

LIMITS = Limits(baseline=None, tolerance=0.01)
ROUNDS = 6
Outputs = Mapping[str, np.ndarray]


def tasks(
    reference: Outputs,
    targets: Outputs,
    *,
    labels: tuple[str, ...] = (),
    metric: str | None = None,
    threshold: float = 0.5,
) -> tuple[Task, ...]:
    """What the outputs of such a model are judged as."""
    return tasks_of(
        reference_of(reference, labels),
        Samples(inputs={"x": np.zeros((len(next(iter(reference.values()))), 2))}, targets=targets),
        metric=metric,
        threshold=threshold,
    )


def reference_of(outputs: Outputs, labels: tuple[str, ...] = ()) -> ReferenceOutputs:
    inputs = (TensorSpec(name="x", shape=(None, 2), dtype="float32"),)
    return replace(
        REFERENCE,
        outputs=outputs,
        labels=labels,
        inputs=inputs,
        dtypes={name: str(values.dtype) for name, values in outputs.items()},
    )


def concluded(
    folder: Path,
    of_outputs: tuple[Task, ...],
    outputs: Outputs,
    *,
    limits: Limits = LIMITS,
    checks: Mapping[str, float] | None = None,
    same_distribution: bool = False,
    clipped_share: float = 0.0,
) -> Result:
    """The row of an export that gave these outputs; `checks` are of when it was verified."""
    verified = tuple(
        Check(name=name, value=value, limit=0.0, passed=True)
        for name, value in (checks or {}).items()
    )
    variant = Variant(
        format="tflite-int8",
        runtime="litert",
        mode="xnnpack",
        threads=1,
        manifest=replace(MANIFEST, format="tflite-int8", runtime="litert", checks=verified),
        path=folder / "fake",
    )
    raw = PartialResults(folder, {}, resume=False)
    scratch = raw.scratch(variant.key)
    for number, values in enumerate(outputs.values()):
        np.save(scratch / f"{number}.npy", values)
    scalars = {
        "outputs": list(outputs),
        "timer_ns": 50,
        "clipped_share": clipped_share,
        "input_range_use": 1.0,
        "experiments": {},
        "experiment_examples": 0,
        "call": "invoke",
    }
    raw.add_row(variant.key, scalars, scratch)
    for number in range(ROUNDS):
        answer = {
            "durations_ns": [3_000] * 50,
            "warm_up_calls": 9,
            "stable": True,
            "probe_ns": 1_000,
            **dict.fromkeys(LOADING, 1.0),
        }
        raw.add_round(number, {variant.key: answer})
    measured = Measured(rounds={variant.key: range(ROUNDS)})
    (row,) = judge_variants(
        *(collect([variant], raw, measured), of_outputs, limits),
        examples="examples",
        same_distribution=same_distribution,
    )
    return row
