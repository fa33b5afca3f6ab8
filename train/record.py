"""The trained model's record and its outputs on the test images, as later stages read them.

Light: standard library and numpy. The outputs are kept so that every paired comparison works
where TensorFlow isn't; they are keyed by the hashes of the model and of the data.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from train.artifact import array_sha256, file_sha256, read_json
from train.data import EvaluationData, LabelledImages, Preprocessing
from train.errors import ArtifactError

MODEL_FILE = "model.keras"
RECORD_FILE = "model.json"
OUTPUTS_FILE = "model.outputs.npz"
SCHEMA_VERSION = 1
REMEDY = "run `python -m train`"


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """What the later stages need of `model.json`."""

    path: Path
    sha256: str
    test_accuracy: float
    labels: tuple[str, ...]
    preprocessing: Preprocessing


@dataclass(frozen=True, kw_only=True)
class ReferenceOutputs:
    """The Keras model's outputs on the test data, and what they came from.

    Attributes:
        outputs: (N, classes) float32.
        model_sha256: hash of the model's file.
        data_sha256: hash of the test data, images and labels.
        images_sha256: hash of the images alone, for test data that comes without labels.
        preprocessing: what turned a raw image into the model's input.
        labels: the names of the classes, in the order of the outputs.
    """

    outputs: np.ndarray
    model_sha256: str
    data_sha256: str
    images_sha256: str
    preprocessing: Preprocessing
    labels: tuple[str, ...]


def read_model_record(artifacts: Path) -> ModelRecord:
    """Returns the record of the trained model in a folder, after checking the model's hash.

    Raises:
        ArtifactError: no model there yet, or the record and the model do not belong together.
    """
    model_path = artifacts / MODEL_FILE
    if not model_path.is_file():
        raise ArtifactError(f"no trained model yet: {model_path} is not there; {REMEDY}")
    record_path = artifacts / RECORD_FILE
    content = read_json(record_path, schema_version=SCHEMA_VERSION, remedy=REMEDY)
    try:
        record = ModelRecord(
            path=model_path,
            sha256=content["model"]["sha256"],
            test_accuracy=float(content["accuracy"]["test"]),
            labels=tuple(content["labels"]),
            preprocessing=Preprocessing(**content["preprocessing"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{record_path} lacks or garbles {error}; {REMEDY}") from error
    found = file_sha256(model_path)
    if found != record.sha256:
        raise ArtifactError(
            f"{model_path} is not the model that {RECORD_FILE} describes: got SHA-256 "
            f"{found[:12]}…, expected {record.sha256[:12]}…; {REMEDY} again"
        )
    return record


def save_outputs(path: Path, reference: ReferenceOutputs) -> None:
    """Writes reference outputs as an `.npz` archive."""
    np.savez_compressed(
        path,
        outputs=reference.outputs,
        model_sha256=np.array(reference.model_sha256),
        data_sha256=np.array(reference.data_sha256),
        images_sha256=np.array(reference.images_sha256),
        preprocessing=np.array([reference.preprocessing.scale, reference.preprocessing.offset]),
        labels=np.array(reference.labels),
    )


def load_outputs(artifacts: Path) -> ReferenceOutputs:
    """Returns the stored reference outputs of a folder; nothing in the file is executed.

    Raises:
        ArtifactError: the file is missing, truncated or not such an archive.
    """
    path = artifacts / OUTPUTS_FILE
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return ReferenceOutputs(
                outputs=archive["outputs"],
                model_sha256=str(archive["model_sha256"]),
                data_sha256=str(archive["data_sha256"]),
                images_sha256=str(archive["images_sha256"]),
                preprocessing=Preprocessing(
                    scale=float(archive["preprocessing"][0]),
                    offset=float(archive["preprocessing"][1]),
                ),
                labels=tuple(map(str, archive["labels"])),
            )
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}, the Keras model's outputs, is not there; {REMEDY}") from error
    except (OSError, ValueError, TypeError, LookupError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{path} is corrupt ({error}); {REMEDY} again") from error


def check_reference(reference: ReferenceOutputs, test: EvaluationData) -> None:
    """Raises ArtifactError unless the Keras model's outputs are those on this test data."""
    if test.labels is None:
        found, expected = array_sha256(test.images), reference.images_sha256
    else:
        found = LabelledImages(images=test.images, labels=test.labels).sha256()
        expected = reference.data_sha256
    if found != expected or len(reference.outputs) != len(test.images):
        raise ArtifactError(
            "the Keras model's stored outputs belong to other test data: got data "
            f"{found[:12]}…, the outputs are on {expected[:12]}…; "
            "run `python -m train` again, or give the data that it was evaluated on"
        )


def as_model_json(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the content of `model.json`: the schema's version, then the fields given."""
    return {"schema_version": SCHEMA_VERSION, **record}
