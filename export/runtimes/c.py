"""A model as C without an interpreter, compiled for this machine."""

import ctypes
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from export.runtimes.runner import Runner, Values, pack, unpack
from train.common.errors import ArtifactError
from train.common.tensors import TensorSpec

LIBRARY_FILE, TENSORS_FILE = "model.so", "tensors.json"
FUNCTION = "model_run"


class CRunner(Runner):
    """A shared library with `model_run`, and `tensors.json` beside it; it has one thread."""

    modes: ClassVar[tuple[str, ...]] = ("native",)

    def __enter__(self) -> Self:
        try:
            # PyDLL does not let go of the interpreter's lock, which takes a while itself
            function = getattr(ctypes.PyDLL(str(self._path)), FUNCTION)
        except (OSError, AttributeError) as error:
            raise ArtifactError(f"c: cannot load {self._path}: {error}") from error
        self.inputs, self.outputs = read_tensors(self._path)
        given, made = (
            [np.empty([size or 1 for size in spec.shape], spec.dtype) for spec in specs]
            for specs in (self.inputs, self.outputs)
        )
        sizes = [array.nbytes for array in given]
        function.restype = None
        to = [ctypes.byref(ctypes.c_char.from_buffer(array.data)) for array in made]
        if (len(sizes), len(made)) == (1, 1):
            self.invoke = _one_to_one(function, sizes[0], made[0], to[0])
        else:
            self.invoke = _many_to_many(function, sizes, made, to)
        return self

    def __exit__(self, *details: object) -> None:
        del self.invoke


# An array's bytes go in as they are, and references to the outputs' memory: of what crosses into C,
# ctypes passes these the fastest.


def _one_to_one(
    function: Callable[..., None], size: int, made: np.ndarray, to: Any
) -> Callable[[Values], Values]:
    copy = made.copy

    def invoke(value: Values) -> Values:
        given = value.tobytes()  # type: ignore[union-attr]
        if len(given) != size:
            raise ValueError(f"got an input of {len(given)} bytes, expected {size}")
        function(given, to)
        return copy()

    return invoke


def _many_to_many(
    function: Callable[..., None],
    sizes: Sequence[int],
    made: Sequence[np.ndarray],
    to: Sequence[Any],
) -> Callable[[Values], Values]:
    def invoke(values: Values) -> Values:
        given = [value.tobytes() for value in unpack(values)]
        if [len(each) for each in given] != sizes:
            raise ValueError(
                f"got inputs of {[len(each) for each in given]} bytes, expected {sizes}"
            )
        function(*given, *to)
        return pack([array.copy() for array in made])

    return invoke


def write_tensors(
    folder: Path, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> None:
    """Writes what `read_tensors` reads beside a program: its inputs and outputs, in order."""
    content = {"inputs": [asdict(each) for each in inputs], "outputs": list(map(asdict, outputs))}
    folder.joinpath(TENSORS_FILE).write_text(json.dumps(content), encoding="utf-8")


def read_tensors(program: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Returns the inputs and outputs of a program, from the file beside it."""
    content = json.loads(program.with_name(TENSORS_FILE).read_text(encoding="utf-8"))
    inputs, outputs = (
        tuple(TensorSpec(**{**spec, "shape": tuple(spec["shape"])}) for spec in content[kind])
        for kind in ("inputs", "outputs")
    )
    return inputs, outputs
