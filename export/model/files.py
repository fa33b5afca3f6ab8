"""Keras's own files: `.keras` archives (or folders of their content) and HDF5. Heavy."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras

from export.convert.reason import reason_of
from export.model.request import ModelRequest
from export.model.safety import TRUST, check_config, check_legacy_config
from train.common.errors import ArtifactError, MissingPackageError

CONFIG, METADATA = "config.json", "metadata.json"
MAX_CONFIG_BYTES = 1 << 28  # a configuration that is larger is no model's


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What a file says of its model: how it is built, and by which version of Keras."""

    config: Any
    keras_version: str


def load_file(request: ModelRequest, custom: Mapping[str, Any]) -> Any:
    """Returns the Keras 3 model in a file or, where Keras 3 refuses an older file, tf-keras's.

    Raises:
        ArtifactError: the file is damaged, not a model, or unsafe to load.
        MissingPackageError: the file needs tf-keras, which is not installed.
    """
    found = _read_h5(request.path) if request.kind == "h5" else _read_keras(Path(request.path))
    if not request.unsafe:
        check_config(request.path, found.config)
    try:
        return keras.saving.load_model(
            request.path,
            custom_objects=dict(custom),
            compile=False,
            safe_mode=not request.unsafe,
        )
    except Exception as error:
        if "safe_mode" in str(error):
            raise ArtifactError(
                f"{request.path} holds a layer that runs code when it is loaded "
                f"({reason_of(error)}); {TRUST}"
            ) from error
        if found.keras_version.startswith("3"):
            raise _unloadable(request.path, error) from error
    return _load_by_tf_keras(request, found.config, custom)


def _load_by_tf_keras(request: ModelRequest, config: Any, custom: Mapping[str, Any]) -> Any:
    try:
        import tf_keras
    except ModuleNotFoundError as error:
        raise MissingPackageError(error) from error
    if not request.unsafe:
        registered = tf_keras.saving.get_custom_objects()
        check_legacy_config(request.path, config, {*custom, *registered})
    try:
        return tf_keras.models.load_model(
            request.path,
            custom_objects=dict(custom),
            compile=False,
            safe_mode=not request.unsafe,
        )
    except Exception as error:
        raise _unloadable(request.path, error) from error


def _unloadable(path: str, error: Exception) -> ArtifactError:
    return ArtifactError(f"{path} is not a Keras model that can be loaded: {reason_of(error)}")


def _read_keras(path: Path) -> Configuration:
    try:
        if path.is_dir():
            texts = {name: (path / name).read_bytes() for name in (CONFIG, METADATA)}
        else:
            with zipfile.ZipFile(path) as archive:
                texts = {name: _member(archive, name) for name in (CONFIG, METADATA)}
        config, metadata = (json.loads(texts[name]) for name in (CONFIG, METADATA))
        return Configuration(config=config, keras_version=str(metadata.get("keras_version", "")))
    except (
        zipfile.BadZipFile,
        OSError,
        LookupError,
        ValueError,
        AttributeError,
        RuntimeError,
    ) as error:
        raise ArtifactError(
            f"{path} is not a Keras model that can be loaded: it is no archive with {CONFIG} and "
            f"{METADATA}, or a damaged one ({reason_of(error)}); save it with model.save"
        ) from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    size = archive.getinfo(name).file_size
    if size > MAX_CONFIG_BYTES:
        raise ValueError(f"{name} has {size} bytes, expected at most {MAX_CONFIG_BYTES}")
    return archive.read(name)


def _read_h5(path: str) -> Configuration:
    try:
        with h5py.File(path, "r") as file:
            attributes = {
                name: value.decode() if isinstance(value, bytes) else str(value)
                for name, value in file.attrs.items()
                if name in ("model_config", "keras_version")
            }
        if "model_config" in attributes:
            return Configuration(
                config=json.loads(attributes["model_config"]),
                keras_version=attributes.get("keras_version", ""),
            )
    except (OSError, RuntimeError, ValueError) as error:
        raise ArtifactError(
            f"{path} is not a Keras model that can be loaded: it is no HDF5 file, or a damaged "
            f"one ({reason_of(error)}); save it with model.save"
        ) from error
    raise ArtifactError(
        f"{path} holds no model: it is of another kind, or of weights alone; save the whole model "
        "with model.save"
    )
