"""Which model is asked for: a file, a SavedModel folder or a function that returns one."""

import argparse
import hashlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Annotated, Any, Literal

from train.common.command.cli import AddArgument
from train.common.errors import ArtifactError, ToolkitError
from train.common.files.decode import Between, Decoder
from train.common.files.open import is_regular, is_there, open_regular

Kind = Literal["keras", "h5", "saved-model", "callable"]
Shape = tuple[Annotated[int, Between(1, 2**31)] | None, ...]

CALLABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
SUFFIXES: dict[str, Kind] = {".keras": "keras", ".h5": "h5", ".hdf5": "h5"}
# What a file is, whatever its name: up to 2.12, `model.save("model.keras")` wrote HDF5.
FIRST_BYTES: dict[bytes, Kind] = {b"\x89HDF": "h5", b"PK\x03\x04": "keras"}
EXPECTED = "expected a .keras, .h5 or .hdf5 file, a SavedModel folder or package.module:callable"


@dataclass(frozen=True, kw_only=True)
class ModelRequest:
    """What to load and what is known of it besides.

    Attributes:
        path: a file, a folder, or `package.module:callable`.
        shapes: by an input's name its shape, the batch first, which is 1 or None; sizes fix
            dimensions that the model leaves open.
        custom_objects: a module whose classes and functions the model may use.
        unsafe: whether code that comes with the model may be run.
        split_outputs: whether what outputs concatenate last are the outputs.
        extract_preprocessing: whether what scales inputs first is left to whoever feeds the model.
    """

    path: str
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    custom_objects: str | None = None
    unsafe: bool = False
    split_outputs: bool = False
    extract_preprocessing: bool = False

    @property
    def kind(self) -> Kind:
        """What kind of model the path names.

        Raises:
            ArtifactError: nothing is there, or it is of no kind that is known.
        """
        path = Path(self.path)
        if not is_there(path):
            if CALLABLE.fullmatch(self.path):
                return "callable"
            raise ArtifactError(f"{path} is not there; {EXPECTED}")
        if path.is_dir():
            return _folder_kind(path)
        if not is_regular(path):
            raise ArtifactError(f"{path} is a pipe or a device; {EXPECTED}")
        kind = _kind_by_content(path) or SUFFIXES.get(path.suffix.lower())
        if kind is None:
            raise ArtifactError(f"got {path}, {EXPECTED}")
        if path.stat().st_size == 0:
            raise ArtifactError(f"{path} is empty; save the model again")
        return kind


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What the command line of a run allows; nothing in a file adds to it.

    Attributes:
        model: where the model is that exports were made from; None for where `model.json` says,
            unless that is a function.
        custom_objects, unsafe: as in `ModelRequest`.
    """

    model: str | None = None
    custom_objects: str | None = None
    unsafe: bool = False


NO_TRUST = Trust()


def add_trust_options(add: AddArgument) -> None:
    """Adds the options that `trust_of` reads, `--custom-objects` and `--unsafe`."""
    add("--custom-objects", metavar="MODULE", help="whose layers and functions the model uses")
    add(
        "--unsafe",
        action="store_true",
        help="run code that is inside the model's file, as of Lambda layers",
    )


def trust_of(options: argparse.Namespace) -> Trust:
    """Returns what a command line allows."""
    return Trust(model=options.model, custom_objects=options.custom_objects, unsafe=options.unsafe)


def request_from_json(fields: Mapping[str, Any]) -> ModelRequest:
    """Returns the request that a model's record holds.

    Raises:
        ArtifactError: a field is not what a request holds.
    """
    return Decoder(remedy="export the model again").decode(
        ModelRequest, fields, "model.json: request"
    )


def parse_shape(text: str) -> tuple[str, Shape]:
    """An argparse type: `name=1,96,96,3`, where `?` stands for a size that stays open."""
    name, equals, sizes = text.partition("=")
    shape = tuple(_size(size.strip(), text) for size in sizes.split(","))
    if not name.strip() or not equals or shape[0] not in (1, None):
        raise argparse.ArgumentTypeError(
            f"got {text!r}, expected an input's name and its shape, the batch (1 or ?) first, "
            "as in image=1,96,96,3"
        )
    return name.strip(), shape


def _size(text: str, whole: str) -> int | None:
    if text == "?":
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"got {whole!r}, expected sizes of 1 or more, or ?, as in image=1,96,96,3"
        )
    return int(text)


def file_sha256_of(request: ModelRequest) -> str:
    """Returns a SHA-256 by which a change of the model is noticed, in hexadecimal.

    Of a file, its own; of a folder, over the names and contents of all files in it. Of a callable,
    that of the module's source file: what the module itself reads or imports is not covered, and
    its weights cannot be had without running it.

    Raises:
        ArtifactError: the model does not exist.
        ToolkitError: the callable's module is not found.
    """
    from train.common.files.artifact import (
        file_sha256,  # imports numpy, which the command line does without
    )

    kind = request.kind
    if kind == "callable":
        return file_sha256(module_file(request.path.partition(":")[0]))
    path = Path(request.path)
    if path.is_file():
        return file_sha256(path)
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        name = file.relative_to(path).as_posix()
        digest.update(f"{name}\0{file_sha256(file)}\n".encode())
    return digest.hexdigest()


def module_file(name: str) -> Path:
    """Returns the source file of a module, looked up in the current folder too; imports nothing.

    Raises:
        ToolkitError: it does not exist.
    """
    places: list[str] | None = [str(Path.cwd()), *sys.path]
    parts = name.split(".")
    spec = None
    for count in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:count]), places)
        if spec is None:
            break
        places = list(spec.submodule_search_locations or ())
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise ToolkitError(
            f"there is no module {name} in the current folder or among the installed packages; "
            "run the command where it can be imported"
        )
    return Path(spec.origin)


def _kind_by_content(path: Path) -> Kind | None:
    try:
        with open_regular(path) as file:
            return FIRST_BYTES.get(file.read(4))
    except OSError:
        return None  # whoever reads it says why it cannot be read


def _folder_kind(path: Path) -> Kind:
    if (path / "saved_model.pb").is_file():
        return "saved-model"
    if (path / "config.json").is_file():
        return "keras"  # a .keras file unpacked, as `model.save(zipped=False)` writes it
    raise ArtifactError(f"{path} is a folder without saved_model.pb; {EXPECTED}")
