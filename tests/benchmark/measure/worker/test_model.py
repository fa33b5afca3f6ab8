"""A worker's answers with a fake runner and clock: no runtime, no time."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.measure.worker.__main__ import serve
from benchmark.measure.worker.model import LoadedModel
from benchmark.measure.worker.process import Job
from export.runtimes.runner import Values
from tests.examples import INPUT, OUTPUT, PREPROCESSING, FakeRunner
from train.common.errors import ArtifactError
from train.common.preprocessing import Preprocessing
from train.common.tensors import TensorSpec

IMAGES = np.random.RandomState(0).randint(0, 256, (50, 2, 2)).astype(np.uint8)


def job(folder: Path, images: np.ndarray = IMAGES) -> Job:
    np.save(folder / "images.npy", images)
    return Job(
        name="fake",
        runtime="fake",
        mode="fast",
        threads=1,
        file=Path("fake.bin"),
        inputs=(INPUT,),
        outputs=(OUTPUT,),
        preprocessing=PREPROCESSING,
        raw={"image": folder / "images.npy"},
    )


def answers(asked: Job, runner: FakeRunner, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns what a worker answers to a job and some requests, its numbers as JSON has them."""
    lines = [asked.as_json(), *requests]
    found: list[dict[str, Any]] = []
    serve(
        io.StringIO("".join(json.dumps(line) + "\n" for line in lines)),
        lambda answer: found.append(json.loads(json.dumps(answer))),
        clock_ns=runner.clock,
        opener=lambda runtime, path, threads, mode: runner,
    )
    return found


def test_loading_is_answered_first(tmp_path: Path) -> None:
    (found,) = answers(job(tmp_path), FakeRunner())
    assert found["load_ms"] == 5
    assert found["first_inference_us"] == 70
    assert found["timer_ns"] == 0
    assert found["peak_rss_bytes"] > found["peak_rss_over_empty_bytes"] >= 0


def test_every_image_is_run_and_decoded(tmp_path: Path) -> None:
    request = {"do": "outputs", "path": str(tmp_path), "core": None}
    _, found = answers(job(tmp_path), FakeRunner(), request)
    outputs = np.load(tmp_path / "0.npy")
    assert found["outputs"] == ["probabilities"]
    assert outputs.shape == (50, 3)
    assert outputs.argmax(axis=1).tolist() == (IMAGES[:, 0, 0] % 3).tolist()
    assert outputs.max() == pytest.approx(255 / 256)
    assert found["clipped_share"] == 0
    assert found["input_range_use"] == pytest.approx(IMAGES.max() / 255)


def test_values_that_the_input_cannot_hold_are_counted(tmp_path: Path) -> None:
    narrow = replace(INPUT, scale=0.5 / 255)  # holds 0 to 0.5 of 0 to 1
    runner = FakeRunner()
    runner.inputs = (narrow,)
    request = {"do": "outputs", "path": str(tmp_path), "core": None}
    _, found = answers(replace(job(tmp_path), inputs=(narrow,)), runner, request)
    assert found["clipped_share"] == pytest.approx(np.mean(IMAGES / 255 > 0.5 + 0.5 / 510))


def test_the_range_that_is_used_is_that_of_all_parts(tmp_path: Path) -> None:
    images = np.full((50, 2, 2), 3, np.uint8)
    images[0, 0] = 0, 255
    request = {"do": "outputs", "path": str(tmp_path), "core": None}
    *_, found = answers(job(tmp_path, images), FakeRunner(call_ns=10**9), request)
    assert found["input_range_use"] == pytest.approx(1)


def test_samples_are_raw_durations(tmp_path: Path) -> None:
    request = {"do": "time", "samples": 7, "warm_up_ns": 10**9, "limit_ns": 10**9, "core": None}
    _, found = answers(job(tmp_path), FakeRunner(), request)
    assert found["durations_ns"] == [3_000] * 7
    assert found["stable"]
    assert found["warm_up_calls"] >= 15


def test_a_fixed_batch_is_run_one_by_one(tmp_path: Path) -> None:
    request = {"do": "throughput", "batch": 8, "limit_ns": 10**6}
    _, found = answers(job(tmp_path), FakeRunner(), request)
    assert found["calls"] == "one by one"
    assert found["images_per_second"] == pytest.approx(1e6 / 3)


def test_a_file_takes_as_many_examples_at_once_as_its_batch_says(tmp_path: Path) -> None:
    given, wanted = replace(INPUT, shape=(4, 2, 2)), replace(OUTPUT, shape=(4, 3))
    runner = FakeRunner()
    runner.inputs, runner.outputs = (given,), (wanted,)
    _, outputs, timed, throughput = answers(
        replace(job(tmp_path), inputs=(given,), outputs=(wanted,)),
        runner,
        {"do": "outputs", "path": str(tmp_path), "core": None},
        {"do": "time", "samples": 7, "warm_up_ns": 10**9, "limit_ns": 10**9, "core": None},
        {"do": "throughput", "batch": 8, "limit_ns": 10**6},
    )
    assert outputs["clipped_share"] == 0
    classes = np.load(tmp_path / "0.npy").argmax(axis=1)
    assert classes.tolist() == (IMAGES[:, 0, 0] % 3).tolist()  # 50 images are no multiple of 4
    assert timed["durations_ns"] == [3_000 // 4] * 7
    assert throughput["calls"] == "4 at a time"
    assert throughput["images_per_second"] == pytest.approx(4e6 / 3)


def test_experiments_change_the_inputs(tmp_path: Path) -> None:
    request = {"do": "experiments", "path": str(tmp_path), "output": "probabilities"}
    _, found = answers(job(tmp_path), FakeRunner(), request)
    predicted = {
        change: np.load(tmp_path / f"changed{number}.npy").argmax(axis=1)
        for number, change in enumerate(found["changes"])
    }
    assert np.array_equal(predicted["transposed (axis order changed)"], IMAGES[:, 0, 0] % 3)
    inverted = predicted["inverted (black and white swapped)"]
    ends = int(IMAGES.max()) + int(IMAGES.min())
    assert np.array_equal(inverted, (ends - IMAGES[:, 0, 0].astype(int)) % 3)


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
def test_a_file_unlike_its_manifest_is_refused(wrong: TensorSpec, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"got input image .*, expected .* by its manifest"):
        answers(replace(job(tmp_path), inputs=(wrong,)), FakeRunner())
    with pytest.raises(ArtifactError, match="got output"):
        answers(replace(job(tmp_path), outputs=(wrong,)), FakeRunner())


def test_images_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"got inputs of shape \(4,\), expected \(2, 2\)"):
        answers(job(tmp_path, IMAGES.reshape(50, 4)), FakeRunner())


def test_a_slow_model_says_how_far_it_is_and_is_not_called_forever(tmp_path: Path) -> None:
    slow = FakeRunner(call_ns=10**9)
    run_all = {"do": "outputs", "path": str(tmp_path), "core": None}
    limits = {"samples": 500, "warm_up_ns": 30_000_000, "limit_ns": 10**8, "core": None}
    experiments = {"do": "experiments", "path": str(tmp_path), "output": "probabilities"}
    found = answers(job(tmp_path), slow, run_all, {"do": "time", **limits}, experiments)
    loaded, *told, done, timed, _ = found
    assert loaded["first_inference_us"] == 1e6
    assert told == [{"done": count} for count in range(4, 50, 4)]
    assert done["outputs"] == ["probabilities"]
    assert np.load(tmp_path / "0.npy").argmax(axis=1).tolist() == (IMAGES[:, 0, 0] % 3).tolist()
    assert (len(timed["durations_ns"]), timed["warm_up_calls"]) == (1, 1)
    assert len(np.load(tmp_path / "changed0.npy")) == 6  # five changes of each are half a minute
    quick = answers(job(tmp_path), FakeRunner(), run_all)
    assert [answer for answer in quick if "done" in answer] == []


class TwoRunner(FakeRunner):
    """Gives the input `b` as its first output, and the input `a` twice as large as its second."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs = tuple(
            TensorSpec(name=name, shape=(1, *shape), dtype="float32")
            for name, shape in (("b", (3,)), ("a", ()))
        )
        self.outputs = tuple(
            TensorSpec(name=name, shape=(1, *shape), dtype="float32")
            for name, shape in (("same", (3,)), ("twice", ()))
        )

    def run(self, value: Values) -> Values:
        b, a = value
        assert (np.shape(b), np.shape(a)) == ((1, 3), (1,))
        return b, 2 * a


def test_inputs_and_outputs_go_by_their_names(tmp_path: Path) -> None:
    runner = TwoRunner()
    arrays = {"a": np.arange(5.0), "b": np.arange(15, dtype=np.uint8).reshape(5, 3)}
    for name, values in arrays.items():
        np.save(tmp_path / f"raw-{name}.npy", values)
    asked = replace(
        job(tmp_path),
        inputs=runner.inputs,
        outputs=runner.outputs,
        preprocessing={"b": Preprocessing(scale=1.0, offset=-1.0)},
        raw={name: tmp_path / f"raw-{name}.npy" for name in arrays},
    )
    _, found = answers(asked, runner, {"do": "outputs", "path": str(tmp_path), "core": None})
    assert found["outputs"] == ["same", "twice"]
    assert np.array_equal(np.load(tmp_path / "0.npy"), arrays["b"] - 1.0)
    assert np.array_equal(np.load(tmp_path / "1.npy"), 2 * arrays["a"])


def test_large_outputs_are_computed_a_few_at_a_time(tmp_path: Path) -> None:
    runner = FakeRunner()
    model = LoadedModel(job(tmp_path), runner, {"image": IMAGES}, runner.clock, print)
    model.first_inference_us()
    assert model.chunk == 1_000
    wide = TensorSpec(name="mask", shape=(1, 1000, 1000), dtype="float32")
    runner.outputs = (wide,)
    runner.invoke = lambda value: np.zeros((1, 1000, 1000), np.float32)
    model = LoadedModel(
        replace(job(tmp_path), outputs=None), runner, {"image": IMAGES}, runner.clock, print
    )
    model.first_inference_us()
    assert model.chunk == 3


def test_a_job_survives_its_json(tmp_path: Path) -> None:
    asked = job(tmp_path)
    assert Job.from_json(json.loads(json.dumps(asked.as_json()))) == asked
    keras = replace(asked, inputs=None, outputs=None, mode=None)
    assert Job.from_json(json.loads(json.dumps(keras.as_json()))) == keras
