"""Where each version of Keras 2 put the weights in a `.keras` archive.

A path in `model.weights.h5` follows the model's attributes; tf-keras looks where its own version
would have written. https://github.com/keras-team/keras/issues/18442
"""

import re
import sys
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

import h5py

WEIGHTS = "model.weights.h5"
SEPARATOR = "\\"  # of Windows
NAMED_PLACES = 2


@contextmanager
def with_windows_names(saving_lib: ModuleType) -> Iterator[None]:
    """Has a library find weights whose places Keras 2 joined by backslashes, on Windows.

    Args:
        saving_lib: the module of Keras 3 or tf-keras that reads archives.
    """

    class Store(saving_lib.H5IOStore):  # type: ignore[name-defined]
        def get(self, path: str) -> Any:
            return super().get(self._there(path))

        def has_path(self, path: str) -> bool:
            return bool(super().has_path(self._there(path)))

        def _there(self, path: str) -> str:
            windows = path.replace("/", SEPARATOR)
            return windows if path and windows in self.h5_file else path

    with mock.patch.object(saving_lib, "H5IOStore", Store):
        yield


@contextmanager
def as_keras_2_wrote(keras_version: str) -> Iterator[None]:
    """Has tf-keras look for weights where a version of Keras 2 wrote them.

    Up to 2.14 it went through a model's attributes in the order of their names, where
    `_layer_checkpoint_dependencies` comes before `layers`. Up to 2.13 it counted what it had
    already written: a layer with weights is twice in that, so they are called conv2d, conv2d_2,
    conv2d_4. 2.12 had its modules at other places.

    Args:
        keras_version: as the archive says.
    """
    from tf_keras.src.engine import functional
    from tf_keras.src.saving import saving_lib

    def walk(trackable: Any) -> Iterator[tuple[str, Any]]:
        skipped = saving_lib.ATTR_SKIPLIST - {"_layer_checkpoint_dependencies"}
        for name in sorted(dir(trackable)):
            if not name.startswith("__") and name not in skipped:
                try:
                    yield name, getattr(trackable, name)
                except (AttributeError, ValueError, RuntimeError, NotImplementedError):
                    continue  # a property of a layer that is not built

    def load_container(container: Any, *stores: Any, inner_path: str, **options: Any) -> None:
        counts: dict[str, int] = {}
        for item in container.values() if isinstance(container, dict) else container:
            if saving_lib._is_keras_trackable(item):
                name = saving_lib.generic_utils.to_snake_case(type(item).__name__)
                counts[name] = number = counts.get(name, -1) + 1
                place = f"{inner_path}/{name}_{number}" if number else f"{inner_path}/{name}"
                saving_lib._load_state(item, *stores, inner_path=place, **options)

    numbers = [int(number) for number in re.findall(r"\d+", keras_version)[:2]] or [2, 16]
    changes: dict[str, Any] = {}
    if numbers < [2, 15]:
        changes["_walk_trackable"] = walk
    if numbers < [2, 14]:
        changes["_load_container_state"] = load_container
    moved = {"tf_keras.engine.functional": functional}
    with with_windows_names(saving_lib), ExitStack() as patches:
        for name, changed in changes.items():
            patches.enter_context(mock.patch.object(saving_lib, name, changed))
        patches.enter_context(mock.patch.dict(sys.modules, moved))
        yield


def layout(path: str, keras_version: str) -> str:
    """Returns what to say of where an archive's weights are; nothing of other files."""
    places: list[str] = []

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            places.append(name)

    try:
        with (
            zipfile.ZipFile(path) as archive,
            archive.open(WEIGHTS) as member,
            h5py.File(member, "r") as weights,
        ):
            weights.visititems(note)
    except (zipfile.BadZipFile, OSError, KeyError, RuntimeError, ValueError):
        return ""
    named = ", ".join(places[:NAMED_PLACES])
    windows = " on Windows" if any(SEPARATOR in place for place in places) else ""
    return (
        f"; its {len(places)} weights are called {named}…, which is no layout of Keras "
        f"{keras_version or 2}{windows}; load it where it was made and save it as .h5"
    )
