"""Files have the Keras model's inputs and outputs, in its order, whatever those are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest

from export.convert.job.job import CustomJob
from export.convert.job.loaded import LoadedJob
from export.data.split import FEW_EXAMPLES
from export.formats.settings import ExportOptions, Settings, resolve
from export.formats.table import FORMATS, Format
from export.model.request import ModelRequest
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.verify.file import verify
from train.common.errors import ToolkitError
from train.common.files.artifact import write_npz

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow

# Of the model in `everything`: neither is in the order of the names.
INPUTS = ["z", "b", "a", "idle"]
EXAMPLES = FEW_EXAMPLES + 40  # of fewer, each format is made in parts
OUTPUTS = ["output_0_wide", "output_1", "output_2", "output_3", "output_4"]


def settings_of(entry: Format, own_batch: int | None = None, **options: Any) -> Settings:
    """Settings with one calibration method: names, order and shapes are those of all others."""
    method = "min-max" if entry.calibrated else None
    asked = ExportOptions(calibration_method=method, **options)
    return resolve([entry], asked, own_batch)[entry.name]


def everything() -> keras.Model:
    """Nested inputs and outputs: an input that is one, one given twice, one that never changes."""
    z, b, a, idle = (
        keras.Input((size,), name=name)
        for name, size in (("z", 4), ("b", 3), ("a", 3), ("idle", 2))
    )
    hidden = keras.layers.Dense(16, activation="relu")(keras.layers.Concatenate()([z, b, a]))
    mid = keras.layers.Dense(4)(hidden)
    prior = keras.ops.zeros_like(z) + np.asarray([1, 2, 3, 5], np.float32)
    outputs = [{"wide": keras.layers.Dense(8)(hidden)}, mid, z, mid, prior]
    return keras.Model([z, (b, a), idle], outputs)


def loaded_job(model: keras.Model, folder: Path) -> LoadedJob:
    random = np.random.RandomState(1)
    model.save(folder / "model.keras")
    arrays = {
        tensor.name: (60 * values + 120).clip(0, 255).astype(np.uint8)
        if tensor.dtype == "uint8"
        else values.astype(np.float32)
        for tensor in model.inputs
        for values in [random.normal(size=(EXAMPLES, *tensor.shape[1:]))]
    }
    write_npz(folder / "data.npz", arrays)
    (folder / "work").mkdir()
    job = CustomJob(
        artifacts=folder,
        request=ModelRequest(path=str(folder / "model.keras")),
        calibration=str(folder / "data.npz"),
    )
    return LoadedJob(job, None, folder / "work")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> LoadedJob:
    keras.utils.set_random_seed(1)
    return loaded_job(everything(), tmp_path_factory.mktemp("everything"))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {}) for name in FORMATS if not FORMATS[name].recipes),
        *(("tflite-int8", {"io": io}) for io in ("uint8", "float32")),
        ("tflite-dynamic", {"batch": "dynamic"}),
    ],
)
def test_the_order_is_the_models_and_each_output_is_right(
    name: str, options: Mapping[str, Any], job: LoadedJob, tmp_path: Path
) -> None:
    entry = FORMATS[name]
    if name == "tflite-int16x8":
        with pytest.raises(ToolkitError, match="cannot quantize an input that nothing reads"):
            job.make(entry, settings_of(entry, **options), tmp_path)
        return
    found = job.make(entry, settings_of(entry, **options), tmp_path).verification
    assert [spec.name for spec in found.inputs] == INPUTS
    assert [spec.name for spec in found.outputs] == OUTPUTS
    orders = {check.name: check.value for check in found.checks if check.name.endswith("_order")}
    assert orders == {"input_order": ", ".join(INPUTS), "output_order": ", ".join(OUTPUTS)}


def test_fine_tuned_files_keep_the_order(tmp_path: Path) -> None:
    z, a = keras.Input((24,), name="z"), keras.Input((24,), name="a")
    hidden = keras.layers.Dense(32, activation="relu")(keras.layers.Concatenate()([z, a]))
    outputs = [keras.layers.Dense(12, name=name)(hidden) for name in ("wide", "mid", "box")]
    job = loaded_job(keras.Model([z, a], [*outputs, z]), tmp_path)
    entry = FORMATS["tflite-int8-clustered"]
    settings = settings_of(entry, epochs=1, clusters=32)
    found = job.make(entry, settings, tmp_path).verification
    assert [spec.name for spec in found.inputs] == ["z", "a"]
    assert [spec.name for spec in found.outputs] == ["wide", "mid", "box", "z_1"]


def test_a_model_that_only_hands_on_is_made(tmp_path: Path) -> None:
    row = keras.Input((4,), name="row")
    job = loaded_job(keras.Model(row, [row, row]), tmp_path)
    for name in ("tflite-float32", "tflite-int8", "onnx-int8"):
        entry = FORMATS[name]
        made = job.make(entry, settings_of(entry), tmp_path)
        with open_runner(entry.runtime, made.path, threads=1) as runner:
            values = np.asarray([[1, -1, 0, 0.5]], np.float32)
            found = predict(runner, {"row": values})
        assert [spec.name for spec in made.verification.outputs] == ["row_1", "row_2"]
        assert np.asarray([*found.values()]) == pytest.approx(np.stack([values] * 2), abs=0.05)


def test_another_order_is_caught(job: LoadedJob, tmp_path: Path) -> None:
    entry = FORMATS["onnx-float32"]
    path = job.make(entry, settings_of(entry), tmp_path).path
    model = onnx.load(path)
    for values in (model.graph.input, model.graph.output):
        backwards = list(values)[::-1]
        del values[:]
        values.extend(backwards)
    onnx.save(model, path)
    found = verify(entry, settings_of(entry), path, job._expected)
    assert [check.name for check in found.failed] == ["input_order", "output_order"]


@pytest.fixture(scope="module", params=["any batch would do", "no other batch will do"])
def batched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedJob:
    """A model that declares a batch of 4."""
    keras.utils.set_random_seed(1)
    row = keras.Input((12,), batch_size=4, name="row")
    hidden = keras.layers.Dense(24, activation="relu")(row)
    if request.param.startswith("no"):
        hidden = keras.ops.reshape(hidden, (4, 24))
    model = keras.Model(row, keras.layers.Dense(5)(hidden))
    return loaded_job(model, tmp_path_factory.mktemp("batched"))


@pytest.mark.parametrize("name", [name for name in FORMATS if not FORMATS[name].recipes])
def test_the_batch_is_the_models(name: str, batched: LoadedJob, tmp_path: Path) -> None:
    entry = FORMATS[name]
    assert batched.inputs.own_batch == 4
    settings = settings_of(entry, batched.inputs.own_batch)
    found = batched.make(entry, settings, tmp_path).verification
    assert [spec.shape for spec in (*found.inputs, *found.outputs)] == [(4, 12), (4, 5)]


@pytest.mark.parametrize("name", ["tflite-int8", "onnx-int8"])
def test_another_batch_is_made_if_the_model_takes_it(
    name: str, batched: LoadedJob, tmp_path: Path
) -> None:
    entry = FORMATS[name]
    settings = settings_of(entry, batch="1")
    if batched._source.model.fixed_batch is None:
        found = batched.make(entry, settings, tmp_path).verification
        assert found.inputs[0].shape == (1, 12)
    else:
        with pytest.raises(ToolkitError, match="takes 4 examples at once, got --batch 1; leave"):
            batched.make(entry, settings, tmp_path)


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> LoadedJob:
    """A model of pictures as bytes, and of other bytes that two layers read."""
    keras.utils.set_random_seed(1)
    image = keras.Input((12, 12, 3), dtype="uint8", name="image")
    more = keras.Input((6,), dtype="uint8", name="more")
    x = keras.layers.Rescaling(1 / 255)(keras.layers.Resizing(8, 8, "nearest")(image))
    x = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, strides=2, activation="relu")(x))
    scaled = [keras.layers.Rescaling(scale)(more) for scale in (1 / 255, 1 / 127.5)]
    outputs = keras.layers.Dense(5)(keras.layers.Concatenate()([x, *scaled]))
    return loaded_job(keras.Model([image, more], outputs), tmp_path_factory.mktemp("pictured"))


@pytest.mark.parametrize("io", ["int8", "uint8", "float32"])
@pytest.mark.parametrize("batch", ["1", "dynamic"])
def test_bytes_go_into_an_integer_file_as_they_are(
    io: str, batch: str, pictured: LoadedJob, tmp_path: Path
) -> None:
    entry = FORMATS["tflite-int8"]
    settings = settings_of(entry, io=io, batch=batch)
    found = pictured.make(entry, settings, tmp_path).verification
    assert [(s.name, s.dtype, s.scale, s.zero_point) for s in found.inputs] == [
        ("image", "uint8", 1, 0),
        ("more", "uint8", 1, 0),
    ]
    assert found.outputs[0].dtype == io
    assert "CAST" not in found.operators
