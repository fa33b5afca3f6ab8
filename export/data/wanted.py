"""What data is opened for, and which array of a user's data is which input or target."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from train.common.errors import DataError
from train.common.tensors import TensorSpec

MAX_LISTED = 10
# ("input", its name) or ("target", its output's name)
Role = tuple[str, str]


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
    alias = {"x": wanted.inputs[0]} if len(wanted.inputs) == 1 else {}
    specs = {**alias, **{spec.name: spec for spec in wanted.inputs}}
    return {key: ("input", spec.name) for key, spec in specs.items()}


def target_roles(wanted: Wanted) -> dict[str, Role]:
    """Returns which target a key stands for: an output's name, or `y` for the first one's."""
    specs = {"y": wanted.outputs[0], **{spec.name: spec for spec in wanted.outputs}}
    specs |= {f"target:{spec.name}": spec for spec in wanted.outputs}
    return {key: ("target", spec.name) for key, spec in specs.items()}


def all_roles(wanted: Wanted) -> dict[str, Role]:
    """Returns both together: names go before `x` and `y`, and inputs before outputs.

    Where an input and an output share a name, `target:NAME` is left for the target.
    """
    inputs = input_roles(wanted)
    own_names = {spec.name: inputs[spec.name] for spec in wanted.inputs}
    return {**inputs, **target_roles(wanted), **own_names}


def keys_by_role(keys: Iterable[str], roles: Mapping[str, Role]) -> dict[Role, str]:
    """Returns the key of each role that has one.

    Raises:
        DataError: a key stands for nothing, or two for the same.
    """
    found: dict[Role, str] = {}
    for key in keys:
        if key not in roles:
            raise DataError(f"got the key {key!r}, expected {quoted(roles)}; rename or remove it")
        role = roles[key]
        if role in found:
            raise DataError(
                f"got {found[role]!r} and {key!r}, expected one array for the {role[0]} "
                f"{role[1]!r}; remove one"
            )
        found[role] = key
    return found


def check_complete(found: Iterable[Role], wanted: Wanted) -> None:
    """Checks that there is an array for each input.

    Raises:
        DataError: one has none.
    """
    names = [name for kind, name in found if kind == "input"]
    missing = [spec.name for spec in wanted.inputs if spec.name not in names]
    if missing:
        raise DataError(
            f"got {'arrays for ' + quoted(names) if names else 'no array for any input'}, "
            f"expected one for the input {quoted(missing)} too; add it by this name"
        )


def arrays_of_kind(kind: str, arrays: Mapping[Role, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the arrays of a kind, `input` or `target`, by name."""
    return {name: values for (found, name), values in arrays.items() if found == kind}


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
