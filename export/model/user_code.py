"""The user's own Python: functions that return a model or data, custom classes of layers."""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from train.common.errors import ToolkitError

MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
MODULE_EXPECTED = "a module that can be imported in the current folder"


def custom_objects(module_name: str | None) -> dict[str, Any]:
    """Returns the public classes and functions that a module, or a package's parts, define.

    Importing it also registers what it decorates with `register_keras_serializable`.

    Raises:
        ToolkitError: the module does not exist, or fails.
    """
    if module_name is None:
        return {}
    if not MODULE.fullmatch(module_name):
        raise ToolkitError(
            f"got --custom-objects {module_name}, expected a module's name as in package.module"
        )
    with _user_code(f"--custom-objects {module_name}", MODULE_EXPECTED), current_folder_first():
        module = importlib.import_module(module_name)
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and f"{value.__module__}.".startswith(f"{module.__name__}.")
    }


def call_function(path: str) -> Any:
    """Returns what the callable at `package.module:callable` returns.

    Raises:
        ToolkitError: the function does not exist, or fails.
    """
    module_name, _, name = path.partition(":")
    expected = f"{MODULE_EXPECTED}, and a function that returns a Keras model"
    with _user_code(path, expected), current_folder_first():
        module = importlib.import_module(module_name)
    function: Callable[[], Any] | None = getattr(module, name, None)
    if not callable(function):
        raise ToolkitError(
            f"{path}: the module {module_name} has no function {name}; name one that returns a "
            "Keras model"
        )
    with _user_code(path, expected), current_folder_first():
        return function()


@contextmanager
def current_folder_first() -> Iterator[None]:
    """Lets modules be imported from the current folder, as `python -m` does."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


@contextmanager
def _user_code(name: str, expected: str) -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit) as error:
        lines = str(error).strip().splitlines() or ["no message"]
        raise ToolkitError(
            f"{name} fails with {type(error).__name__}: {lines[0]}; expected {expected}"
        ) from error
