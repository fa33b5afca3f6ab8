"""A tiny real Keras model that classifies synthetic images, and what it is verified against."""

from dataclasses import dataclass, field
from pathlib import Path

import flatbuffers
import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.convert.calibrate.calibration import representative_dataset
from export.convert.candidates.made import Made
from export.convert.job.inputs import Training
from export.convert.make import make
from export.convert.source import SourceModel
from export.convert.tflite.file.builder import FILE_IDENTIFIER
from export.formats.settings import ExportOptions, Settings, resolve
from export.formats.table import FORMATS, Format
from export.model.load import load_model
from export.model.request import ModelRequest
from export.verify.expectation import Expectation
from tests.conftest import synthetic
from train.data.fashion_mnist import (
    INPUT,
    INPUT_NAME,
    OUTPUT,
    OUTPUT_NAME,
    PREPROCESSING,
    as_samples,
)
from train.fit.model import build_model
from train.recipes.recipe import RECIPES, Hyperparameters

# A shared export is trained for one epoch, and pruned and clustered as an option says.
BRIEFLY = {
    **{name: ExportOptions(epochs=1) for name, entry in FORMATS.items() if entry.recipes},
    "tflite-int8-pruned-clustered": ExportOptions(epochs=1, sparsity=0.5, clusters=8),
}


@dataclass(frozen=True, kw_only=True)
class Tiny:
    """The model and its file, what it is verified against, and its shared exports."""

    path: Path
    source: SourceModel
    expected: Expectation
    exports: dict[tuple[str, ExportOptions], Made] = field(default_factory=dict)

    @property
    def model(self) -> keras.Model:
        """The Keras model itself."""
        return self.source.model.keras_model

    def made(self, name: str, options: ExportOptions | None = None) -> Made:
        """Returns an export that is made once and shared: its file is only read."""
        options = options or shared_options(name)
        if (name, options) not in self.exports:
            folder = self.path.parent / f"export-{len(self.exports)}"
            folder.mkdir()
            self.exports[name, options] = self.make(FORMATS[name], folder, options)
        return self.exports[name, options]

    def make(self, entry: Format, folder: Path, options: ExportOptions | None = None) -> Made:
        """Makes an export anew, for tests that change how that is done."""
        return make(entry, settings_of(entry, options), self.source, self.expected, folder)


def shared_options(name: str) -> ExportOptions:
    """Returns the options of a format's shared export."""
    return BRIEFLY.get(name) or ExportOptions()


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
    calibration = synthetic(100, seed=2)
    how = {INPUT_NAME: PREPROCESSING}
    return SourceModel(
        load_model(ModelRequest(path=str(path))),
        representative=representative_dataset(
            as_samples(calibration.images, None), np.arange(100), how, (INPUT,)
        ),
        training=Training(samples=as_samples(training.images, training.labels), preprocessing=how),
        folder=folder,
    )


def load_tiny(path: Path, folder: Path) -> Tiny:
    source = load_source(path, folder)
    held_out = synthetic(400, seed=3)
    inputs = {INPUT_NAME: PREPROCESSING.apply(held_out.images)}
    outputs = source.predict(inputs)
    assert np.mean(outputs[OUTPUT_NAME].argmax(axis=1) == held_out.labels) > 0.9
    expected = Expectation(
        input_specs=(INPUT,),
        output_specs=(OUTPUT,),
        weights=source.weight_count(),
        inputs=inputs,
        labels={OUTPUT_NAME: held_out.labels},
        outputs=outputs,
    )
    return Tiny(path=path, source=source, expected=expected)


def unlabelled(source: SourceModel, inputs: dict[str, np.ndarray]) -> Expectation:
    """Returns what files of a model are compared with on these examples."""
    return Expectation(
        input_specs=source.inputs,
        output_specs=source.outputs,
        weights=source.weight_count(),
        inputs=inputs,
        labels={},
        outputs=source.predict(inputs),
    )


def with_operator(model: bytes, code: int) -> bytes:
    """Returns a TFLite model whose softmax is another operator."""
    tree = schema.ModelT.InitFromPackedBuf(bytearray(model))
    for operator in tree.operatorCodes:
        if operator.builtinCode == schema.BuiltinOperator.SOFTMAX:
            operator.builtinCode = code
            operator.deprecatedBuiltinCode = min(code, 127)
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), file_identifier=FILE_IDENTIFIER)
    return bytes(builder.Output())
