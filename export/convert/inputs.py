"""A model and the examples that it is calibrated, fine-tuned and verified with. Heavy."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from export.convert.calibration import RepresentativeDataset, representative_dataset
from export.convert.source import Training
from export.data.open import open_samples
from export.data.split import calibration_split
from export.data.wanted import Wanted
from export.model.load import load_model
from export.model.loaded import LoadedModel
from export.model.request import ModelRequest, file_sha256_of
from export.model.signature import open_dimensions
from export.own import OwnModel
from train.common.errors import ArtifactError
from train.common.preprocessing import RAW, Preprocessing
from train.common.record import MODEL_FILE, ModelRecord
from train.common.samples import Samples
from train.common.tensors import TensorSpec, fits, shape_text
from train.data import fashion_mnist as dataset

RANDOM_EXAMPLES = 64
# Of large examples fewer calibrate and verify, as float32 in memory: 222 of 224 by 224 pixels.
EXAMPLES_BYTES = 128 << 20
MIN_EXAMPLES = 16


@dataclass(frozen=True, kw_only=True)
class Material:
    """What exports are made of.

    Attributes:
        record: of the model.
        model: the model; with its preprocessing inside it, if that is asked for.
        preprocessing: what turns raw values into the exports' inputs, by the input's name.
        representative: the calibration inputs; None where there is no data.
        training: examples to fine-tune on; None where there is no data.
        held_out: raw examples that calibrate nothing, to verify on; random ones without data.
    """

    record: ModelRecord
    model: LoadedModel
    preprocessing: dict[str, Preprocessing]
    representative: RepresentativeDataset | None
    training: Training | None
    held_out: Samples


def reference_material(record: ModelRecord, data: Path | None, samples: int | None) -> Material:
    """Returns the model that `train` made, with the parts of its training images.

    Raises:
        ArtifactError: the model cannot be loaded, or is none for these images.
        DataError: the data set cannot be had, or has too few images to calibrate.
    """
    training = dataset.load_train(data)
    parts = dataset.split(training.labels, calibration_samples=samples)
    path = record.folder / MODEL_FILE
    model = load_model(ModelRequest(path=str(path)))
    raw = dataset.as_samples(training.images, training.labels)
    _check_inputs(raw, model.inputs, path)
    return Material(
        record=record,
        model=model,
        preprocessing=dict(record.preprocessing),
        representative=representative_dataset(
            raw, parts.calibration, record.preprocessing, model.inputs
        ),
        training=Training(samples=raw.take(parts.train), preprocessing=record.preprocessing),
        held_out=raw.take(parts.validation),
    )


def own_material(own: OwnModel, artifacts: Path, folder: Path) -> Material:
    """Returns a user's own model, with parts of the calibration data.

    Args:
        own: the model and where its data is.
        artifacts: the folder of the exports.
        folder: a temporary folder, for data that has to be unpacked.

    Raises:
        ArtifactError: the model cannot be loaded, or leaves sizes open.
        DataError: the data cannot be read, or is none for this model.
    """
    model = load_model(own.request)
    still_open = open_dimensions(model)
    if still_open is not None:
        raise ArtifactError(f"{own.request.path}: {still_open}")
    preprocessing = own.preprocessing_of(model.inputs)
    raw = _random(model.inputs, preprocessing)
    representative = training = None
    held_out = raw
    if own.calibration is not None:
        wanted = Wanted(
            inputs=model.inputs,
            outputs=model.outputs,
            option="--calibration",
            image_size=own.image_size,
            limit=None,
        )
        raw = open_samples(own.calibration, wanted, folder)
        chosen, held = calibration_split(len(raw), own.calibration_samples)
        most = EXAMPLES_BYTES // (4 * sum(_numbers(spec) for spec in model.inputs))
        held = _thinned(held, most // 2)
        if own.calibration_samples is None:
            chosen = _thinned(chosen, most)
        held_out = raw.take(held)
        rest = np.setdiff1d(np.arange(len(raw)), held)
    record = ModelRecord(
        folder=artifacts,
        file=Path(own.request.path).name,
        sha256=file_sha256_of(own.request),
        test_accuracy=None,
        labels=raw.class_names,
        preprocessing=preprocessing,
        inputs=model.inputs,
        outputs=model.outputs,
        request=asdict(own.request),
    )
    inside = dict.fromkeys(preprocessing, RAW) if own.embed else preprocessing
    if own.calibration is not None:
        part = raw.take(chosen)
        representative = replace(
            representative_dataset(raw, chosen, inside, model.inputs), sha256=part.inputs_sha256()
        )
        training = Training(samples=raw.take(rest), preprocessing=inside)
    return Material(
        record=record,
        model=_embedding(model, preprocessing) if own.embed else model,
        preprocessing=inside,
        representative=representative,
        training=training,
        held_out=held_out,
    )


def _check_inputs(raw: Samples, inputs: tuple[TensorSpec, ...], path: Path) -> None:
    for spec in inputs:
        found = raw.inputs[spec.name].shape[1:] if spec.name in raw.inputs else None
        if found is None or not fits(found, spec.shape[1:]):
            raise ArtifactError(
                f"{path}: got calibration images of shape {found}, expected "
                f"{shape_text(spec.shape[1:])}, the model's input; give data of that shape, or "
                "train the model on these images"
            )


def _thinned(indices: np.ndarray, most: int) -> np.ndarray:
    """Returns at most so many of some indices, evenly spaced: classes may come in order."""
    count = min(len(indices), max(MIN_EXAMPLES, most))
    thinned: np.ndarray = indices[np.linspace(0, len(indices) - 1, count).astype(int)]
    return thinned


def _numbers(spec: TensorSpec) -> int:
    return math.prod(size or 1 for size in spec.shape)


def _random(inputs: tuple[TensorSpec, ...], how: dict[str, Preprocessing]) -> Samples:
    """Returns examples to verify on where there is no data: real inputs in 0…1, integers 0 or 1."""
    random = np.random.RandomState(0)
    values = {}
    for spec in inputs:
        shape = (RANDOM_EXAMPLES, *(size or 1 for size in spec.shape[1:]))
        if spec.is_float:
            done = how.get(spec.name, RAW)
            uniform = random.random_sample(shape)
            values[spec.name] = (
                (uniform - np.asarray(done.offset)) / np.asarray(done.scale)
            ).astype(np.float32)
        else:
            values[spec.name] = random.randint(0, 2, shape).astype(spec.dtype)
    return Samples(inputs=values)


def _embedding(model: LoadedModel, how: dict[str, Preprocessing]) -> LoadedModel:
    """Returns the model with its preprocessing in the graph; it takes raw values as float32."""

    def call(named: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return model.call(
            {
                name: value * np.asarray(how[name].scale, np.float32)
                + np.asarray(how[name].offset, np.float32)
                if name in how
                else value
                for name, value in named.items()
            }
        )

    return replace(model, call=call, keras_model=None, tf_keras_model=None)
