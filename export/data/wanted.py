"""What data is opened for, and which array of a user's data is which input or target."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from train.common.errors import DataError
from train.common.samples import Samples
from train.common.tensors import TensorSpec

MAX_LISTED = 10
# ("input", its name) or ("target", its output's name)
Role = tuple[str, str]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the data is for.

    Attributes:
        inputs: the model's inputs, at least one; the batch comes first in each shape.
        outputs: the model's outputs, at least one.
        image_size: height and width that pictures are resized to; None for the model's own.
        option: the option that named the data, for messages.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    image_size: tuple[int, int] | None
    option: str = "--data"

    def only_input(self, got: str) -> TensorSpec:
        """Returns the model's only input, for data that names none.

        Raises:
            DataError: the model has several; the message begins with `got`.
        """
        if len(self.inputs) > 1:
            names = quoted(spec.name for spec in self.inputs)
            raise DataError(
                f"got {got}, expected arrays for the inputs {names}; give an .npz with these names"
            )
        return self.inputs[0]


def input_roles(wanted: Wanted) -> dict[str, Role]:
    """Returns which input a key stands for: its name, or `x` for the only one."""
    roles = {spec.name: ("input", spec.name) for spec in wanted.inputs}
    return {"x": ("input", wanted.inputs[0].name), **roles} if len(roles) == 1 else roles


def target_roles(wanted: Wanted) -> dict[str, Role]:
    """Returns which target a key stands for: an output's name, or `y` for the first one's."""
    roles = {spec.name: ("target", spec.name) for spec in wanted.outputs}
    prefixed = {f"target:{name}": role for name, role in roles.items()}
    return {"y": ("target", wanted.outputs[0].name), **roles, **prefixed}


def all_roles(wanted: Wanted) -> dict[str, Role]:
    """Returns both together: names go before `x` and `y`, and inputs before outputs.

    Where an input and an output share a name, `target:NAME` is left for the target.
    """
    inputs = {spec.name: ("input", spec.name) for spec in wanted.inputs}
    return {**input_roles(wanted), **target_roles(wanted), **inputs}


def by_role(given: Mapping[str, T], roles: Mapping[str, Role]) -> dict[Role, T]:
    """Returns what is given under some keys by the roles of these.

    Raises:
        DataError: a key stands for nothing, or two for the same.
    """
    keys: dict[Role, str] = {}
    for key in given:
        if key not in roles:
            raise DataError(f"got the key {key!r}, expected {quoted(roles)}; rename or remove it")
        role = roles[key]
        if role in keys:
            raise DataError(
                f"got {keys[role]!r} and {key!r}, expected one array for the {role[0]} "
                f"{role[1]!r}; remove one"
            )
        keys[role] = key
    return {role: given[key] for role, key in keys.items()}


def check_complete(found: Iterable[Role], wanted: Wanted) -> None:
    """Raises DataError unless there is an array for each input."""
    names = [name for kind, name in found if kind == "input"]
    missing = [spec.name for spec in wanted.inputs if spec.name not in names]
    if missing:
        raise DataError(
            f"got {'arrays for ' + quoted(names) if names else 'no array for any input'}, "
            f"expected one for the input {quoted(missing)} too; add it by this name"
        )


def samples_of(arrays: Mapping[Role, np.ndarray], class_names: tuple[str, ...] = ()) -> Samples:
    """Returns arrays by their roles as examples."""
    return Samples(
        inputs={name: values for (kind, name), values in arrays.items() if kind == "input"},
        targets={name: values for (kind, name), values in arrays.items() if kind == "target"},
        class_names=class_names,
    )


def quoted(names: Iterable[object]) -> str:
    """Returns names with commas, quoted, the first few of many."""
    every = [repr(name) for name in names]
    more = f" and {len(every) - MAX_LISTED:,} more" if len(every) > MAX_LISTED else ""
    return ", ".join(every[:MAX_LISTED]) + more


@contextmanager
def error_prefix(part: str) -> Iterator[None]:
    """Puts the name of a part of the data before the message of a DataError."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{part}: {error}") from error
