"""The trained model's record, as later stages read it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from train.common.errors import ArtifactError
from train.common.files.artifact import file_sha256, read_json
from train.common.files.decode import Between, Decoder
from train.common.preprocessing import Preprocessing
from train.common.tensors import TensorSpec

MODEL_FILE = "model.keras"
RECORD_FILE = "model.json"
SCHEMA_VERSION = 1
DATASET = "Fashion-MNIST"  # that `train` knows
REMEDY = "run `python -m train`"


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """What the later stages need of `model.json`.

    Attributes:
        folder: the artifacts folder that it is in.
        file: the model's file, as manifests name it.
        sha256: its hash.
        test_accuracy: of the model, 0…1; None where it was not evaluated.
        labels: the names of the classes, in the order of the outputs; empty where there are none.
        preprocessing: what raw values become, by the input's name.
        inputs, outputs: of the model, in its order.
        request: how a custom model is loaded, a JSON object; None for one that `train` made.
        extracted: of the preprocessing, what the model's own layers would have done.
    """

    folder: Path
    file: str
    sha256: str
    test_accuracy: float | None
    labels: tuple[str, ...]
    preprocessing: Mapping[str, Preprocessing]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    request: Mapping[str, Any] | None = None
    extracted: Mapping[str, Preprocessing] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Returns the content of a `model.json` that `export` writes of a custom model."""
        return as_model_json(
            {
                "model": {"file": self.file, "sha256": self.sha256},
                "accuracy": {"test": self.test_accuracy},
                "labels": list(self.labels),
                "preprocessing": {name: asdict(how) for name, how in self.preprocessing.items()},
                "inputs": [asdict(spec) for spec in self.inputs],
                "outputs": [asdict(spec) for spec in self.outputs],
                "request": self.request,
                "extracted": {name: asdict(how) for name, how in self.extracted.items()},
            }
        )


@dataclass(frozen=True, kw_only=True)
class _Model:
    file: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class _Accuracy:
    test: Annotated[float, Between(0, 1)] | None


@dataclass(frozen=True, kw_only=True)
class _Record:
    """What is read of `model.json`."""

    model: _Model
    accuracy: _Accuracy
    labels: tuple[str, ...]
    preprocessing: Mapping[str, Preprocessing]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    request: Mapping[str, Any] | None = None
    extracted: Mapping[str, Preprocessing] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a model of `train` was trained on, and how.

    Attributes:
        dataset: its name.
        sha256: hash of all its training images and labels.
        examples: how many were trained on.
        validation: how many decided when to stop, and what was searched for.
        recipe: the name of the recipe.
        epochs: how many were run.
        seed: of the run.
    """

    dataset: str
    sha256: str
    examples: int
    validation: int
    recipe: str
    epochs: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class _Counted:
    count: int


@dataclass(frozen=True, kw_only=True)
class _Split:
    train: _Counted
    validation: _Counted


@dataclass(frozen=True, kw_only=True)
class _Data:
    train_sha256: str


@dataclass(frozen=True, kw_only=True)
class _Recipe:
    name: str


@dataclass(frozen=True, kw_only=True)
class _Epochs:
    run: int


@dataclass(frozen=True, kw_only=True)
class _Trained:
    """What is read of a `model.json` that `train` wrote."""

    model: _Model
    split: _Split
    data: _Data
    recipe: _Recipe
    epochs: _Epochs
    seed: int


def read_training(artifacts: Path, model_sha256: str) -> Training | None:
    """Returns what a model was trained on; None where no record of it is there, or it was given.

    Args:
        artifacts: the folder of the record.
        model_sha256: the model's hash.

    Raises:
        ArtifactError: the record is unreadable.
    """
    path = artifacts / RECORD_FILE
    if not path.exists():
        return None
    content = read_json(path, schema_version=SCHEMA_VERSION, remedy=REMEDY)
    if "split" not in content:
        return None
    found = Decoder(remedy=REMEDY).decode(_Trained, content, str(path))
    if found.model.sha256 != model_sha256:
        return None
    return Training(
        dataset=DATASET,
        sha256=found.data.train_sha256,
        examples=found.split.train.count,
        validation=found.split.validation.count,
        recipe=found.recipe.name,
        epochs=found.epochs.run,
        seed=found.seed,
    )


def read_model_record(artifacts: Path) -> ModelRecord:
    """Returns the record of the model in a folder, after checking the hash of one `train` made.

    Raises:
        ArtifactError: no model there yet, or the record and the model do not belong together.
    """
    record_path, model_path = artifacts / RECORD_FILE, artifacts / MODEL_FILE
    if not record_path.exists() and not model_path.exists():
        raise ArtifactError(
            f"no model in {artifacts} yet: {RECORD_FILE} is not there; {REMEDY}, or give your own "
            "model to `python -m export --model`"
        )
    content = read_json(record_path, schema_version=SCHEMA_VERSION, remedy=REMEDY)
    found = Decoder(remedy=REMEDY).decode(_Record, content, str(record_path))
    record = ModelRecord(
        folder=artifacts,
        file=found.model.file,
        sha256=found.model.sha256,
        test_accuracy=found.accuracy.test,
        labels=found.labels,
        preprocessing=found.preprocessing,
        inputs=found.inputs,
        outputs=found.outputs,
        request=found.request,
        extracted=found.extracted,
    )
    if record.request is None:
        _check_model(model_path, record)
    return record


def _check_model(path: Path, record: ModelRecord) -> None:
    try:
        found = file_sha256(path)
    except FileNotFoundError as error:
        raise ArtifactError(f"no trained model yet: {path} is not there; {REMEDY}") from error
    except OSError as error:
        raise ArtifactError(f"{path}: {error.strerror}; {REMEDY}") from error
    if found != record.sha256:
        raise ArtifactError(
            f"{path} is not the model that {RECORD_FILE} describes: got SHA-256 "
            f"{found[:12]}…, expected {record.sha256[:12]}…; {REMEDY} again"
        )


def as_model_json(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the content of `model.json`: the schema's version, then the fields given."""
    return {"schema_version": SCHEMA_VERSION, **record}
