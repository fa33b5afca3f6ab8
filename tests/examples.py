"""A manifest and a runner that need no file and no runtime."""

from pathlib import Path
from typing import Self

import numpy as np

from benchmark.judge.task import Task
from export.layer_report import Attempt, FloatOperator, Mixture
from export.manifest import Manifest, Source
from export.runtimes.runner import Runner, Values
from train.common.preprocessing import Preprocessing
from train.common.reference_outputs import ReferenceOutputs
from train.common.tensors import TensorSpec

INPUT = TensorSpec(name="image", shape=(1, 2, 2), dtype="int8", scale=1 / 255, zero_point=-128)
OUTPUT = TensorSpec(
    name="probabilities", shape=(1, 3), dtype="int8", scale=1 / 256, zero_point=-128
)
PREPROCESSING = {"image": Preprocessing(scale=1 / 255, offset=0.0)}
MANIFEST = Manifest(
    path=Path("artifacts/fake.json"),
    format="fake",
    runtime="fake",
    file="fake.bin",
    sha256="",
    size_bytes=1,
    gzip_bytes=1,
    options={},
    source=Source(file="model.keras", sha256="model", accuracy=0.9),
    inputs=(INPUT,),
    outputs=(OUTPUT,),
    preprocessing=PREPROCESSING,
    labels=("a", "b", "c"),
    calibration=None,
    checks=(),
    versions={},
    created="",
)
MIXTURE = Mixture(
    operators=(FloatOperator(name="a", operator="SOFTMAX", layer="head", why="a mask"),),
    of=8,
    float_operators={"SOFTMAX": 1},
    int8_multiplications=0.9,
    int8_bytes=0.95,
    max_drop=0.01,
    min_snr_db=30.0,
    max_float_share=0.3,
    tried=(Attempt(in_float=1, accuracy_drop=0.0, drop_high=0.01, snr_db=None, passed=True),),
)
REFERENCE = ReferenceOutputs(
    outputs={"probabilities": np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]},
    model_sha256="model",
    data_sha256="data",
    inputs_sha256="images",
    preprocessing=PREPROCESSING,
    labels=("a", "b", "c"),
    inputs=(TensorSpec(name="image", shape=(None, 2, 2), dtype="float32"),),
)


def task(
    reference: np.ndarray,
    labels: np.ndarray | None = None,
    class_names: tuple[str, ...] = ("a", "b", "c"),
) -> Task:
    """Which class an output with one number a class, (N, C), tells, judged by the accuracy."""
    return Task(
        name="probabilities",
        is_first=True,
        reference=reference,
        targets=labels,
        kind="outputs" if labels is None else "classes",
        metric="r2" if labels is None else "accuracy",
        threshold=0.5,
        has_classes=True,
        class_names=class_names,
    )


class FakeRunner(Runner):
    """Class = first pixel modulo 3; loading takes 5 ms, the first call 70 µs, the others 3 µs.

    Unless another time is given for each.
    """

    def __init__(self, call_ns: int = 3_000) -> None:
        self.call_ns = call_ns
        self.inputs, self.outputs = (INPUT,), (OUTPUT,)
        self.invoke = self.run
        self.now_ns = 0
        self.calls = 0

    def __enter__(self) -> Self:
        self.now_ns += 5_000_000
        return self

    def __exit__(self, *details: object) -> None:
        pass

    def clock(self) -> int:
        """The time in nanoseconds, which passes only while the runner works."""
        return self.now_ns

    def run(self, value: Values) -> Values:
        """One inference."""
        assert isinstance(value, np.ndarray)
        assert value.dtype == np.int8
        assert value.shape == (self.inputs[0].shape[0] or 1, 2, 2)
        self.now_ns += self.call_ns if self.calls else max(70_000, self.call_ns)
        self.calls += 1
        result = np.full((len(value), 3), -128, np.int8)
        result[np.arange(len(value)), (value[:, 0, 0].astype(int) + 128) % 3] = 127
        return result
