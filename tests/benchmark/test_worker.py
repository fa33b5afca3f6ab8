"""The worker's measurement with a fake runner and clock: no runtime, no time."""

from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pytest

from benchmark.worker import Job, measure
from export.manifest import Manifest, Source, TensorSpec
from train.data import Preprocessing
from train.errors import ArtifactError

INPUT = TensorSpec(name="image", shape=(1, 2, 2), dtype="int8", scale=1 / 255, zero_point=-128)
OUTPUT = TensorSpec(
    name="probabilities", shape=(1, 3), dtype="int8", scale=1 / 256, zero_point=-128
)
MANIFEST = Manifest(
    path=Path("artifacts/fake.json"),
    format="fake",
    runtime="fake",
    file="fake.bin",
    sha256="",
    size_bytes=1,
    gzip_bytes=1,
    options={},
    source=Source(file="model.keras", sha256="", accuracy=0.9),
    inputs=(INPUT,),
    outputs=(OUTPUT,),
    preprocessing=Preprocessing(scale=1 / 255, offset=0.0),
    labels=("a", "b", "c"),
    calibration=None,
    checks=(),
    versions={},
    created="",
)


class FakeRunner:
    """Class = first pixel modulo 3; loading takes 5 ms, the first call 70 µs, the others 3 µs."""

    input, output = INPUT, OUTPUT

    def __init__(self) -> None:
        self.now_ns = 0
        self.calls = 0

    def __enter__(self) -> Self:
        self.now_ns += 5_000_000
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def clock(self) -> int:
        return self.now_ns

    def invoke(self, value: np.ndarray) -> np.ndarray:
        assert value.dtype == np.int8
        assert value.shape == (1, 2, 2)
        self.now_ns += 3_000 if self.calls else 70_000
        self.calls += 1
        result = np.full((1, 3), -128, np.int8)
        result[0, (int(value[0, 0, 0]) + 128) % 3] = 127
        return result


IMAGES = np.random.RandomState(0).randint(0, 256, (50, 2, 2)).astype(np.uint8)


def run(runner: FakeRunner, manifest: Manifest = MANIFEST, images: np.ndarray = IMAGES) -> object:
    return measure(
        manifest,
        images,
        threads=1,
        samples=1_000,
        clock_ns=runner.clock,
        opener=lambda runtime, path, threads: runner,
    )


def test_outputs_load_time_first_inference_and_samples() -> None:
    runner = FakeRunner()
    found = measure(
        MANIFEST,
        IMAGES,
        threads=1,
        samples=1_000,
        clock_ns=runner.clock,
        opener=lambda runtime, path, threads: runner,
    )
    assert found.load_ms == 5
    assert found.first_inference_us == 70
    assert found.durations_ns.tolist() == [3_000] * 1_000
    assert found.outputs.shape == (50, 3)
    assert found.outputs.argmax(axis=1).tolist() == (IMAGES[:, 0, 0] % 3).tolist()
    assert found.outputs.max() == pytest.approx(255 / 256)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(INPUT, scale=2 / 255),
        replace(INPUT, zero_point=0),
        replace(INPUT, dtype="uint8"),
        replace(INPUT, name="x"),
        replace(INPUT, shape=(1, 4)),
    ],
)
def test_a_file_unlike_its_manifest_is_refused(wrong: TensorSpec) -> None:
    with pytest.raises(ArtifactError, match=r"got input image .*, expected .* by its manifest"):
        run(FakeRunner(), manifest=replace(MANIFEST, inputs=(wrong,)))
    with pytest.raises(ArtifactError, match="got output"):
        run(FakeRunner(), manifest=replace(MANIFEST, outputs=(wrong,)))


def test_images_of_another_shape_are_refused() -> None:
    with pytest.raises(ArtifactError, match=r"got images of shape \(4,\), expected \(2, 2\)"):
        run(FakeRunner(), images=IMAGES.reshape(50, 4))


def test_a_job_survives_its_json() -> None:
    job = Job(manifest=Path("a"), images=Path("b"), results=Path("c"), threads=2, samples=1_000)
    assert Job.from_json(job.as_json()) == job
