"""A tiny real Keras model that classifies synthetic images, and what it is verified against."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from export.calibration import RepresentativeDataset
from export.formats import Format
from export.make import Made, make
from export.settings import ExportOptions, Settings, resolve
from export.source import SourceModel
from export.verify import Expectation
from tests.conftest import synthetic
from train.config import RECIPES, Hyperparameters
from train.data import PREPROCESSING, LabelledImages
from train.model import build_model
from train.tensors import TensorSpec


@dataclass(frozen=True)
class Tiny:
    path: Path
    source: SourceModel
    expected: Expectation

    def make(self, entry: Format, folder: Path, options: ExportOptions | None = None) -> Made:
        return make(entry, settings_of(entry, options), self.source, self.expected, folder)


def settings_of(entry: Format, options: ExportOptions | None = None) -> Settings:
    return resolve([entry], options or ExportOptions())[entry.name]


def fitted_model() -> keras.Model:
    keras.utils.set_random_seed(1)
    data = synthetic(600, seed=1)
    model = build_model(Hyperparameters(units=16, learning_rate=3e-3, recipe=RECIPES["notebook"]))
    model.fit(PREPROCESSING.apply(data.images), data.labels, epochs=15, verbose=0)
    return model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    folder = tmp_path_factory.mktemp("tiny")
    path = folder / "model.keras"
    fitted_model().save(path)
    return load_tiny(path, folder)


def load_source(path: Path, folder: Path) -> SourceModel:
    training = synthetic(600, seed=1)
    calibration = PREPROCESSING.apply(synthetic(100, seed=2).images)
    return SourceModel(
        path,
        representative=RepresentativeDataset(inputs=calibration, sha256="", images=()),
        training=LabelledImages(images=training.images, labels=training.labels),
        preprocessing=PREPROCESSING,
        folder=folder,
    )


def load_tiny(path: Path, folder: Path) -> Tiny:
    source = load_source(path, folder)
    held_out = synthetic(400, seed=3)
    inputs = PREPROCESSING.apply(held_out.images)
    outputs = source.outputs(inputs)
    assert np.mean(outputs.argmax(axis=1) == held_out.labels) > 0.9
    expected = Expectation(
        input=TensorSpec(name="image", shape=(None, 28, 28), dtype="float32"),
        output=TensorSpec(name="probabilities", shape=(None, 10), dtype="float32"),
        weights=source.weight_count(),
        inputs=inputs,
        labels=held_out.labels,
        outputs=outputs,
    )
    return Tiny(path=path, source=source, expected=expected)
