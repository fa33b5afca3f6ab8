"""Loads a model of any kind, and checks that its weights are there and are numbers."""

import json
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from export.model.keras_call import open_keras
from export.model.keras_inputs import is_a
from export.model.loaded import LoadedModel
from export.model.reason import reason_of
from export.model.request import ModelRequest
from export.model.safety import TRUST, check_config, check_legacy_config, check_operators
from export.model.saved_model import open_saved_model
from export.model.user_code import call_function, custom_objects
from train.common.command.native_output import captured_native_output
from train.common.errors import ArtifactError, MissingPackageError, ToolkitError

CONFIG, METADATA = "config.json", "metadata.json"
MAX_CONFIG_BYTES = 1 << 28  # a larger configuration is not a model's


def load_model(request: ModelRequest) -> LoadedModel:
    """Returns the model that a request names, its weights checked to be finite numbers.

    Raises:
        ArtifactError: the model does not exist, or is damaged, unsafe to load without `unsafe`,
            or holds NaN or infinity.
        ToolkitError: the request does not fit the model, or the user's own code fails.
        MissingPackageError: a package that it needs is not installed.
    """
    kind = request.kind
    with captured_native_output(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters is checked below, and said as an error
        custom = custom_objects(request.custom_objects)
        if kind == "saved-model":
            loaded = open_saved_model(request)
        elif kind == "callable":
            loaded = open_keras(_returned_by(request.path), request, lambda operators: None)
        else:
            loaded = _open_file(request, custom)
    for name, value in loaded.weights():
        if value.dtype.kind not in "OSU" and not np.isfinite(value).all():
            raise ArtifactError(
                f"{request.path}: weight {name} holds NaN or infinity, expected finite numbers; "
                "train the model again, with a lower learning rate"
            )
    return loaded


def _open_file(request: ModelRequest, custom: dict[str, Any]) -> LoadedModel:
    def check(operators: Iterable[str]) -> None:
        if not request.unsafe:
            check_operators(request.path, operators)

    model = _load_file(request, custom)
    count = len(model.weights)
    loaded = open_keras(model, request, check)
    if len(model.weights) == count:
        return loaded
    # Some layers were only built by the first call; what they hold so far is random.
    try:
        model.load_weights(request.path)
    except Exception as error:
        raise ArtifactError(
            f"{request.path} lacks weights of the model ({reason_of(error)}), as if saved before "
            "it was built; call it on data, then save it again"
        ) from error
    return loaded


def _returned_by(path: str) -> Any:
    model = call_function(path)
    if not is_a(model, "Model") or not hasattr(model, "_flatten_layers"):
        raise ToolkitError(f"{path} returns {type(model).__name__}, expected a Keras model")
    return model


@dataclass(frozen=True, kw_only=True)
class _Configuration:
    """What a file says of its model: how it is built, and by which version of Keras."""

    config: Any
    keras_version: str


def _load_file(request: ModelRequest, custom: Mapping[str, Any]) -> Any:
    """Returns the Keras 3 model in a file or, where Keras 3 refuses an older file, tf-keras's.

    Raises:
        ArtifactError: the file is damaged, not a model, or unsafe to load.
        MissingPackageError: the file needs tf-keras, which is not installed.
    """
    found = _read_h5(request.path) if request.kind == "h5" else _read_keras(Path(request.path))
    if not request.unsafe:
        check_config(request.path, found.config)
    try:
        return _load_by(keras.saving.load_model, request, custom)
    except Exception as error:
        if "safe_mode" in str(error):
            raise ArtifactError(
                f"{request.path} holds a layer that runs code when it is loaded "
                f"({reason_of(error)}); {TRUST}"
            ) from error
        if found.keras_version.startswith("3"):
            raise _unloadable(request.path, error) from error
    try:
        import tf_keras
    except ModuleNotFoundError as error:
        raise MissingPackageError(error) from error
    if not request.unsafe:
        registered = tf_keras.saving.get_custom_objects()
        check_legacy_config(request.path, found.config, {*custom, *registered})
    try:
        return _load_by(tf_keras.models.load_model, request, custom)
    except Exception as error:
        raise _unloadable(request.path, error) from error


def _load_by(load: Callable[..., Any], request: ModelRequest, custom: Mapping[str, Any]) -> Any:
    return load(
        request.path,
        custom_objects=dict(custom),
        compile=False,
        safe_mode=not request.unsafe,
    )


def _unloadable(path: str, error: Exception) -> ArtifactError:
    return ArtifactError(f"{path} is not a Keras model that can be loaded: {reason_of(error)}")


def _read_keras(path: Path) -> _Configuration:
    try:
        if path.is_dir():
            texts = {name: (path / name).read_bytes() for name in (CONFIG, METADATA)}
        else:
            with zipfile.ZipFile(path) as archive:
                texts = {name: _member(archive, name) for name in (CONFIG, METADATA)}
        config, metadata = (json.loads(texts[name]) for name in (CONFIG, METADATA))
        return _Configuration(config=config, keras_version=str(metadata.get("keras_version", "")))
    except (
        zipfile.BadZipFile,
        OSError,
        LookupError,
        ValueError,
        AttributeError,
        RuntimeError,
    ) as error:
        raise ArtifactError(
            f"{path} is not a Keras model that can be loaded: it is not an archive with "
            f"{CONFIG} and {METADATA}, or a damaged one ({reason_of(error)}); save it with "
            "model.save"
        ) from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    size = archive.getinfo(name).file_size
    if size > MAX_CONFIG_BYTES:
        raise ValueError(f"{name} has {size} bytes, expected at most {MAX_CONFIG_BYTES}")
    return archive.read(name)


def _read_h5(path: str) -> _Configuration:
    try:
        with h5py.File(path, "r") as file:
            attributes = {
                name: value.decode() if isinstance(value, bytes) else str(value)
                for name, value in file.attrs.items()
                if name in ("model_config", "keras_version")
            }
        if "model_config" in attributes:
            return _Configuration(
                config=json.loads(attributes["model_config"]),
                keras_version=attributes.get("keras_version", ""),
            )
    except (OSError, RuntimeError, ValueError) as error:
        raise ArtifactError(
            f"{path} is not a Keras model that can be loaded: it is not an HDF5 file, or a damaged "
            f"one ({reason_of(error)}); save it with model.save"
        ) from error
    raise ArtifactError(
        f"{path} holds no model: it is of another kind, or of weights alone; save the whole model "
        "with model.save"
    )
