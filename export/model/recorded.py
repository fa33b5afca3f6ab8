"""The Keras model that a folder's exports were made from, loaded only as its user allows.

A folder may come from a stranger. Its `model.json` says where the model is and of what shapes its
inputs are; what lets code run comes from the command line of this very run, never from a file.
"""

from dataclasses import asdict
from pathlib import Path

from export.model.request import CALLABLE, ModelRequest, Trust, file_sha256_of, request_from_json
from train.common.errors import ArtifactError, ToolkitError
from train.common.files.artifact import read_json, write_json
from train.common.files.open import is_there
from train.common.record import MODEL_FILE, RECORD_FILE, SCHEMA_VERSION, ModelRecord


def recorded_request(record: ModelRecord, trust: Trust) -> ModelRequest:
    """Returns how to load the model of a record.

    Raises:
        ToolkitError: loading it runs code that the command line does not allow.
        ArtifactError: the model is not there, or is not the one of the record.
    """
    if record.request is None:
        return ModelRequest(
            path=str(record.folder / MODEL_FILE),
            custom_objects=trust.custom_objects,
            unsafe=trust.unsafe,
        )
    recorded = request_from_json(record.request)
    path = trust.model or recorded.path
    is_code = CALLABLE.fullmatch(recorded.path) is not None
    missing = [
        option
        for option, is_missing in (
            (f"--model {recorded.path}", is_code and trust.model is None),
            (
                f"--custom-objects {recorded.custom_objects}",
                recorded.custom_objects is not None and trust.custom_objects is None,
            ),
            ("--unsafe", recorded.unsafe and not trust.unsafe),
        )
        if is_missing
    ]
    if missing:
        raise ToolkitError(
            f"the Keras model of {record.folder / RECORD_FILE} has to be loaded, which runs code "
            f"that comes with it; if you trust that code, add {' '.join(missing)}"
        )
    if trust.model is None and not is_there(Path(path)):
        raise ArtifactError(
            f"{path}, the Keras model that the exports in {record.folder} were made from, is not "
            "there; say where it is with --model"
        )
    request = ModelRequest(
        path=path,
        shapes=recorded.shapes,
        custom_objects=trust.custom_objects,
        unsafe=trust.unsafe,
        split_outputs=recorded.split_outputs,
        extract_preprocessing=recorded.extract_preprocessing,
    )
    found = file_sha256_of(request)
    if found != record.sha256:
        raise ArtifactError(
            f"{path} is not the Keras model that the exports in {record.folder} were made from: "
            f"got SHA-256 {found[:12]}…, expected {record.sha256[:12]}…; give that model with "
            "--model, or export again"
        )
    return request


def write_request(path: Path, request: ModelRequest) -> None:
    """Writes what another process is to load."""
    write_json(path, {"schema_version": SCHEMA_VERSION, **asdict(request)})


def read_request(path: Path) -> ModelRequest:
    """Returns what `write_request` wrote."""
    return request_from_json(read_json(path, schema_version=SCHEMA_VERSION, remedy="run it again"))


def size_bytes(request: ModelRequest) -> int | None:
    """Returns the size of a model's file, or of all files of its folder; None of a function."""
    path = Path(request.path)
    if request.kind == "callable":
        return None
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
