"""A job whose model is loaded: makes one format after the other of it."""

import gc
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf

from export.convert.calibrate.folds import cross_validation
from export.convert.candidates.made import Made
from export.convert.job.inputs import ConversionInputs
from export.convert.job.job import Job
from export.convert.make import make
from export.convert.mixed.explain import explained
from export.convert.onnx.memory import release_memory
from export.convert.refusal import NoFormatHelpsError
from export.convert.source import SourceModel
from export.formats.settings import ExportOptions, Settings, resolve
from export.formats.table import FORMATS, Format
from export.layer_report import LayerReport
from export.manifest import Manifest
from export.model.load import load_model
from export.model.loaded import LoadedModel
from export.model.signature import open_dimensions
from export.verify.distance import are_classes
from export.verify.expectation import Expectation
from train.common.errors import ArtifactError, ToolkitError
from train.common.preprocessing import Preprocessing, preprocess


class LoadedJob:
    """A model in memory, and what its exports are converted and verified with.

    Attributes:
        inputs: what it is converted with.
        outcomes: why each format that was tried could not be made, by name; None where it was.
    """

    def __init__(self, job: Job, inputs: ConversionInputs | None, folder: Path) -> None:
        """Loads the model of a job.

        Args:
            job: the job.
            inputs: what the model is converted with, if that is known without the model.
            folder: a temporary folder.

        Raises:
            ArtifactError: the model cannot be loaded, leaves sizes open, or does not take the data.
            DataError: the data cannot be had or read, do not fit, or are too few.
        """
        model = load_model(job.request)
        still_open = open_dimensions(model.inputs)
        if still_open is not None:
            raise ArtifactError(f"{job.request.path}: {still_open}")
        tensors = model.inputs, model.outputs
        if inputs is None or (inputs.record.inputs, inputs.record.outputs) != tensors:
            inputs = job.conversion_inputs(*tensors, folder, model.extracted)
        if inputs.embeds_preprocessing:
            model = _with_preprocessing(model, inputs.record.preprocessing)
        self.inputs = inputs
        self._source = SourceModel(
            model,
            representative=inputs.representative,
            training=inputs.training,
            folder=folder,
        )
        self._expected = expectation(self._source, inputs)
        self._searched: Expectation | None = None
        self._cross = None
        if inputs.every is not None:
            every = expectation(self._source, replace(inputs, held_out=inputs.every))
            self._cross = cross_validation(
                self._source, every, inputs.every, inputs.preprocessing, folder
            )
        self.outcomes: dict[str, ToolkitError | None] = {}

    def make(self, entry: Format, settings: Settings, folder: Path) -> Made:
        """Converts one format to a file in a folder and verifies it; raises as `make.make`."""
        release_memory()
        gc.freeze()  # what is left stays; converters collect often and need not look through it
        try:
            made = self._make(entry, settings, folder)
        except ToolkitError as error:
            self.outcomes.setdefault(entry.name, error)
            raise
        self.outcomes[entry.name] = None
        return made

    def explain(self, entry: Format, settings: Settings, manifest: Manifest | None) -> LayerReport:
        """Returns what quantization costs, operator by operator; raises as `explain.explained`."""
        self._check_data(entry)
        return explained(
            entry, settings, manifest, self._source, self._expected, self._source.folder
        )

    def outcome(self, name: str) -> ToolkitError | None:
        """Returns why a format cannot be made; where that is unknown, at its default options."""
        if name not in self.outcomes:
            entry = FORMATS[name]
            with suppress(ToolkitError):
                settings = resolve([entry], ExportOptions(), self.inputs.own_batch)[name]
                self.make(entry, settings, self._source.folder)
        return self.outcomes[name]

    def _check_data(self, entry: Format) -> None:
        if self.inputs.representative is None and (entry.calibrated or entry.recipes):
            shapes = ", ".join(str(spec) for spec in self._source.inputs)
            raise NoFormatHelpsError(
                f"{entry.name} needs calibration data and got none; give with --calibration an "
                f".npz with arrays by input name ({shapes}; a few hundred examples), a folder of "
                "images by class, or module:callable"
            )

    def _make(self, entry: Format, settings: Settings, folder: Path) -> Made:
        self._check_data(entry)
        expected = self._expected
        if entry.mixed and expected.labels:
            expected = self._many_expected()
        return make(entry, settings, self._source, expected, folder, self._cross)

    def _many_expected(self) -> Expectation:
        """Returns what mixtures are judged by: all that calibrates nothing, as far as time allows.

        A drop of some tenths of a point cannot be told from none on a thousand examples.
        """
        if self._searched is None:
            more = self.inputs.more_held_out(self._source.weight_count())
            self._searched = self._expected
            if more is not self.inputs.held_out:
                self._searched = expectation(self._source, replace(self.inputs, held_out=more))
        return self._searched


def expectation(source: SourceModel, inputs: ConversionInputs) -> Expectation:
    """Returns what each file is verified against, on examples that calibrate nothing.

    Raises:
        ArtifactError: an output of the model is not finite there: nothing can be compared with it.
    """
    values = preprocess(inputs.held_out.inputs, inputs.preprocessing, source.inputs)
    targets = inputs.held_out.targets
    outputs = source.predict(values)
    for name, found in outputs.items():
        is_finite = np.isfinite(found).reshape(len(found), -1).all(axis=1)
        if not is_finite.all():
            remedy = "look at its inputs and their preprocessing"
            if inputs.representative is None:
                remedy = "give real ones with --calibration"
            raise ArtifactError(
                f"{source.model.path}: the model's own output {name!r} holds NaN or infinity for "
                f"{np.sum(~is_finite)} of {len(found)} "
                f"{'random' if inputs.representative is None else 'held-out'} examples, expected "
                f"finite numbers, which files can be compared with; {remedy}"
            )
    return Expectation(
        input_specs=source.inputs,
        output_specs=source.outputs,
        weights=source.weight_count(),
        inputs=values,
        labels={
            spec.name: targets[spec.name]
            for spec in source.outputs
            if spec.name in targets
            and (are_classes(spec.shape) if spec.is_float else spec.is_exact)
            and targets[spec.name].dtype.kind in "iub"
            and targets[spec.name].ndim == 1
        },
        outputs={name: _numbers(found) for name, found in outputs.items()},
        rounded_otherwise=partial(source.rounded_otherwise, values, outputs),
    )


def _numbers(outputs: np.ndarray) -> np.ndarray:
    """Returns outputs as what can be subtracted: yes and no as 1 and 0."""
    return outputs.astype(np.int32) if outputs.dtype == bool else outputs


def _with_preprocessing(model: LoadedModel, how: Mapping[str, Preprocessing]) -> LoadedModel:
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
