"""What is exported: where a model, its preprocessing and its examples come from.

A job is made once, from the command line. Nothing after it asks which of the two kinds it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np

from export.convert.calibrate.calibration import representative_dataset
from export.convert.job.inputs import ConversionInputs, Training
from export.data.open import open_samples
from export.data.split import FEW_EXAMPLES, calibration_split, random_examples, thinned
from export.data.wanted import Wanted
from export.model.request import ModelRequest, file_sha256_of, request_from_json
from export.model.signature import handed_on
from train.common.errors import ArtifactError, ToolkitError
from train.common.preprocessing import RAW, InputPreprocessing, Preprocessing, check_names
from train.common.record import MODEL_FILE, ModelRecord, read_model_record
from train.common.tensors import TensorSpec, fits, shape_text
from train.data import fashion_mnist as dataset

Specs = tuple[TensorSpec, ...]
NOTHING: InputPreprocessing = MappingProxyType({})
# Of large examples fewer calibrate and verify, as float32 in memory: 222 of 224 by 224 pixels.
EXAMPLES_BYTES = 128 << 20


class Job(Protocol):
    """A model to export, and what belongs to it."""

    @property
    def artifacts(self) -> Path:
        """The folder that the exports are written to."""

    @property
    def request(self) -> ModelRequest:
        """How the model is loaded."""

    def known_record(self) -> ModelRecord | None:
        """Returns what is known of the model without loading it; None if nothing is.

        Raises:
            ArtifactError: the model does not exist, or the folder holds another one's exports.
        """

    def conversion_inputs(
        self, inputs: Specs, outputs: Specs, folder: Path, extracted: InputPreprocessing = NOTHING
    ) -> ConversionInputs:
        """Returns what a model with these inputs and outputs is converted and verified with.

        Args:
            inputs: of the model.
            outputs: of the model.
            folder: a temporary one, for data that has to be unpacked.
            extracted: by an input's name, what the model's own layers would have done first.

        Raises:
            ArtifactError: the model does not take these data.
            DataError: the data cannot be had or read, do not fit, or are too few.
        """


@dataclass(frozen=True, kw_only=True)
class ReferenceJob:
    """The model that `python -m train` made, and the training images of Fashion-MNIST.

    Attributes:
        artifacts: the folder with the model.
        data: folder of the data set; None to look for it.
        calibration_samples: how many images calibrate; None for the default.
    """

    artifacts: Path
    data: Path | None = None
    calibration_samples: int | None = None

    @property
    def request(self) -> ModelRequest:
        """How the model is loaded."""
        return ModelRequest(path=str(self.artifacts / MODEL_FILE))

    def known_record(self) -> ModelRecord:
        """Returns the record that `train` wrote."""
        record = read_model_record(self.artifacts)
        if record.request is not None:
            raise ArtifactError(
                f"{self.artifacts} holds exports of {record.file}, a model of your own; give it "
                "again with --model, and its data with --calibration"
            )
        return record

    def conversion_inputs(
        self, inputs: Specs, outputs: Specs, folder: Path, extracted: InputPreprocessing = NOTHING
    ) -> ConversionInputs:
        """Returns the parts of the training images."""
        record = self.known_record()
        training = dataset.load_train(self.data)
        parts = dataset.split(training.labels, calibration_samples=self.calibration_samples)
        raw = dataset.as_samples(training.images, training.labels)
        for spec in inputs:
            found = raw.inputs[spec.name].shape[1:] if spec.name in raw.inputs else None
            if found is None or not fits(found, spec.shape[1:]):
                raise ArtifactError(
                    f"{self.request.path}: got calibration images of shape {found}, expected "
                    f"{shape_text(spec.shape[1:])}, the model's input; give data of that shape, or "
                    "train the model on these images"
                )
        how = dict(record.preprocessing)
        return ConversionInputs(
            record=record,
            preprocessing=how,
            representative=representative_dataset(raw, parts.calibration, how, inputs),
            training=Training(samples=raw.take(parts.train), preprocessing=how),
            held_out=raw.take(parts.validation),
        )


@dataclass(frozen=True, kw_only=True)
class CustomJob:
    """A model that `train` did not make, and data that go with it.

    Attributes:
        artifacts: the folder of the exports.
        request: how the model is loaded.
        calibration: where its data is, as `open_samples` takes it; None for none.
        calibration_samples: how many of its examples calibrate; None for as many as are useful.
        image_size: height and width that pictures are brought to; None for the model's own.
        preprocess: what raw values become, by the input's name; under the empty name that of every
            float input that is not named.
        embed: whether the exported graph does that itself.
    """

    artifacts: Path
    request: ModelRequest
    calibration: str | None = None
    calibration_samples: int | None = None
    image_size: tuple[int, int] | None = None
    preprocess: Mapping[str, Preprocessing] = field(default_factory=dict)
    embed: bool = False

    def known_record(self) -> ModelRecord | None:
        """Returns the record of an earlier export, if it is of the same model."""
        sha256 = file_sha256_of(self.request)
        trained = self.artifacts / MODEL_FILE
        if trained.is_file() and Path(self.request.path).resolve() != trained.resolve():
            raise ArtifactError(
                f"{self.artifacts} holds the model that `python -m train` made, expected a folder "
                f"for the exports of {self.request.path}; give one with --artifacts"
            )
        try:
            record = read_model_record(self.artifacts)
            recorded = record.request and request_from_json(record.request)
        except ArtifactError:
            return None
        same = recorded == self.request and record.sha256 == sha256
        return record if same and _fit(record.extracted, record.inputs) else None

    def conversion_inputs(
        self, inputs: Specs, outputs: Specs, folder: Path, extracted: InputPreprocessing = NOTHING
    ) -> ConversionInputs:
        """Returns the parts of the calibration data; random examples to verify on without any."""
        states = handed_on(inputs, outputs)
        preprocessing = self.preprocessing_of([i for i in inputs if i.name not in states])
        for name, made in extracted.items():
            preprocessing[name] = preprocessing[name].then(made)
        how = dict.fromkeys(preprocessing, RAW) if self.embed else preprocessing
        representative = training = every = None
        if self.calibration is None:
            held_out = random_examples(inputs, preprocessing)
        else:
            wanted = Wanted(
                inputs=inputs,
                outputs=outputs,
                option="--calibration",
                image_size=self.image_size,
            )
            raw = open_samples(self.calibration, wanted, folder)
            chosen, held = calibration_split(len(raw), self.calibration_samples)
            held = thinned(held, inputs, EXAMPLES_BYTES // 2)
            if self.calibration_samples is None:
                chosen = thinned(chosen, inputs, EXAMPLES_BYTES)
            held_out = raw.take(held)
            representative = replace(
                representative_dataset(raw, chosen, how, inputs),
                sha256=raw.take(chosen).inputs_sha256(),
            )
            if self.calibration_samples is None and len(raw) <= FEW_EXAMPLES:
                every = raw.take(np.arange(len(raw)))
            rest = np.setdiff1d(np.arange(len(raw)), held)
            training = Training(samples=raw.take(rest), preprocessing=how)
        record = ModelRecord(
            folder=self.artifacts,
            file=Path(self.request.path).name,
            sha256=file_sha256_of(self.request),
            test_accuracy=None,
            labels=held_out.class_names,
            preprocessing=preprocessing,
            inputs=inputs,
            outputs=outputs,
            request=asdict(self.request),
            extracted=extracted,
        )
        return ConversionInputs(
            record=record,
            preprocessing=how,
            representative=representative,
            training=training,
            held_out=held_out,
            every=every,
        )

    def preprocessing_of(self, inputs: Sequence[TensorSpec]) -> dict[str, Preprocessing]:
        """Returns what raw values become for each of some inputs, states apart, by its name.

        Raises:
            ToolkitError: an input is named that does not exist, or that takes no real numbers, or
                there are not as many numbers as the input has channels.
        """
        floats = [spec.name for spec in inputs if spec.is_float]
        check_names(self.preprocess, floats)
        if "" in self.preprocess and not floats:
            raise ToolkitError("--preprocess: the model has no input of real numbers; leave it out")
        otherwise = self.preprocess.get("", RAW)
        found = {name: self.preprocess.get(name, otherwise) for name in floats}
        for spec in inputs:
            _check_channels(found.get(spec.name, RAW), spec)
        return found


def _fit(extracted: InputPreprocessing, inputs: Specs) -> bool:
    """Returns whether a record, which anyone may have edited, names inputs and their channels."""
    last = {spec.name: spec.shape[-1] for spec in inputs if spec.is_float}
    for name, how in extracted.items():
        counts = [len(each) for each in (how.scale, how.offset) if isinstance(each, tuple)]
        if name not in last or any(count != last[name] for count in counts):
            return False
    return True


def _check_channels(how: Preprocessing, spec: TensorSpec) -> None:
    for factor in (how.scale, how.offset):
        if isinstance(factor, tuple) and len(factor) != spec.shape[-1]:
            raise ToolkitError(
                f"--preprocess: got {len(factor)} channels for the input {spec}, expected as many "
                "as its last size, or one number for all; give another input's as INPUT:mean=…"
            )
