"""Keras models in `.keras` archives and HDF5 files, of Keras 3 and of Keras 2.

A file's configuration is read and checked before either library sees it.
"""

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import keras
from keras.src.saving import saving_lib

from export.model.keras.keras2_weights import as_keras_2_wrote, layout, with_windows_names
from export.model.reason import attempt, reason_of
from export.model.request import SUFFIXES, ModelRequest
from export.model.safety import TRUST, check_config, check_legacy_config
from train.common.errors import ArtifactError, MissingPackageError
from train.common.files.staging import temporary_folder

CONFIG, METADATA = "config.json", "metadata.json"
MAX_CONFIG_BYTES = 1 << 28  # a larger configuration is not a model's


@dataclass(frozen=True, kw_only=True)
class KerasFile:
    """A file that may be loaded, checked.

    Attributes:
        path: the file, as its user calls it.
        named: the same content under a name that ends as Keras wants it.
        config: how the model is built.
        keras_version: by which version of Keras.
    """

    path: str
    named: str
    config: Any
    keras_version: str

    @property
    def is_of_keras_2(self) -> bool:
        """Whether Keras 2, or tf-keras, wrote it."""
        return not self.keras_version.startswith("3")

    def load(self, request: ModelRequest, custom: Mapping[str, Any]) -> Any:
        """Returns the Keras 3 model or, where Keras 3 refuses an older file, tf-keras's.

        Args:
            request: what of it may run code.
            custom: the user's classes and functions by name.

        Raises:
            ArtifactError: the file is damaged, not a model, or unsafe to load.
            MissingPackageError: the file needs tf-keras, which is not installed.
        """
        with with_windows_names(saving_lib):
            model = attempt(partial(self._load_by, keras.saving.load_model, request, custom))
        if not isinstance(model, Exception):
            return model
        if "safe_mode" in str(model):
            raise ArtifactError(
                f"{self.path} holds a layer that runs code when it is loaded "
                f"({reason_of(model)}); {TRUST}"
            ) from model
        if not self.is_of_keras_2:
            raise self._unloadable(model) from model
        try:
            import tf_keras
        except ModuleNotFoundError as error:
            raise MissingPackageError(error) from error
        if not request.unsafe:
            registered = tf_keras.saving.get_custom_objects()
            check_legacy_config(self.path, self.config, {*custom, *registered})
        with as_keras_2_wrote(self.keras_version):
            model = attempt(partial(self._load_by, tf_keras.models.load_model, request, custom))
        if isinstance(model, Exception):
            raise self._unloadable(model) from model
        return model

    def load_weights(self, model: Any) -> None:
        """Loads the weights into layers that were built since.

        Raises:
            ArtifactError: the file does not hold them.
        """
        with as_keras_2_wrote(self.keras_version):
            found = attempt(partial(model.load_weights, self.named))
        if isinstance(found, Exception):
            raise ArtifactError(
                f"{self.path} lacks weights of the model ({reason_of(found)}), as if saved before "
                "it was built; call it on data, then save it again"
            ) from found

    def _load_by(
        self, load: Callable[..., Any], request: ModelRequest, custom: Mapping[str, Any]
    ) -> Any:
        return load(
            self.named,
            custom_objects=dict(custom),
            compile=False,
            safe_mode=not request.unsafe,
        )

    def _unloadable(self, error: Exception) -> ArtifactError:
        reason = reason_of(error).replace(self.named, self.path)
        if self.is_of_keras_2 and "variables" in reason:
            reason += layout(self.named, self.keras_version)
        return ArtifactError(f"{self.path} is not a Keras model that can be loaded: {reason}")


@contextmanager
def keras_file(request: ModelRequest) -> Iterator[KerasFile]:
    """Yields the file of a request, its configuration read and checked.

    Raises:
        ArtifactError: it is damaged, no model, or unsafe to load.
    """
    path = Path(request.path)
    read = _read_h5 if request.kind == "h5" else _read_archive
    config, keras_version = read(path)
    if not request.unsafe:
        check_config(request.path, config)
    with _named(path, request.kind) as named:
        yield KerasFile(
            path=request.path, named=str(named), config=config, keras_version=keras_version
        )


@contextmanager
def _named(path: Path, kind: str) -> Iterator[Path]:
    """Yields a path to the file that ends as Keras, which goes by names, wants it of its kind."""
    if path.is_dir() or SUFFIXES.get(path.suffix) == kind:
        yield path
        return
    with temporary_folder("edge-model-") as folder:
        link = folder / f"model.{kind}"
        link.symlink_to(path.resolve())
        yield link


def _read_archive(path: Path) -> tuple[Any, str]:
    """Returns a `.keras` archive's configuration and the version of Keras that wrote it."""
    try:
        if path.is_dir():
            texts = {name: (path / name).read_bytes() for name in (CONFIG, METADATA)}
        else:
            with zipfile.ZipFile(path) as archive:
                texts = {name: _member(archive, name) for name in (CONFIG, METADATA)}
        config, metadata = (json.loads(texts[name]) for name in (CONFIG, METADATA))
        if isinstance(config, dict):  # with `compile=False` no library looks at it
            config.pop("compile_config", None)
        return config, str(metadata.get("keras_version", ""))
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


def _read_h5(path: Path) -> tuple[Any, str]:
    """Returns an HDF5 file's configuration and the version of Keras that wrote it."""
    try:
        with h5py.File(path, "r") as file:
            attributes = {
                name: value.decode() if isinstance(value, bytes) else str(value)
                for name, value in file.attrs.items()
                if name in ("model_config", "keras_version")
            }
        if "model_config" in attributes:
            return json.loads(attributes["model_config"]), attributes.get("keras_version", "")
    except (OSError, RuntimeError, ValueError) as error:
        raise ArtifactError(
            f"{path} is not a Keras model that can be loaded: it is not an HDF5 file, or a damaged "
            f"one ({reason_of(error)}); save it with model.save"
        ) from error
    raise ArtifactError(
        f"{path} holds no model: it is of another kind, or of weights alone; save the whole model "
        "with model.save"
    )
