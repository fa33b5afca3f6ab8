"""A model as C without an interpreter, compiled for this machine."""

import ctypes
import json
from pathlib import Path
from typing import ClassVar, Self

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
            function = getattr(ctypes.CDLL(str(self._path)), FUNCTION)
        except (OSError, AttributeError) as error:
            raise ArtifactError(f"c: cannot load {self._path}: {error}") from error
        tensors = json.loads(self._path.with_name(TENSORS_FILE).read_text(encoding="utf-8"))
        self.inputs, self.outputs = (
            tuple(TensorSpec(**{**spec, "shape": tuple(spec["shape"])}) for spec in tensors[kind])
            for kind in ("inputs", "outputs")
        )
        given, made = (
            [np.empty([size or 1 for size in spec.shape], spec.dtype) for spec in specs]
            for specs in (self.inputs, self.outputs)
        )
        function.restype = None
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (*given, *made)]

        def invoke(values: Values) -> Values:
            for buffer, value in zip(given, unpack(values), strict=True):
                np.copyto(buffer, value)
            function(*pointers)
            return pack([array.copy() for array in made])

        self.invoke = invoke
        return self

    def __exit__(self, *details: object) -> None:
        del self.invoke


def write_tensors(folder: Path, inputs: object, outputs: object) -> None:
    """Writes what `CRunner` reads beside a library.

    Args:
        folder: the library's.
        inputs: specs of them as JSON objects, in the order of the function's arguments.
        outputs: the same of the outputs.
    """
    content = json.dumps({"inputs": inputs, "outputs": outputs})
    folder.joinpath(TENSORS_FILE).write_text(content, encoding="utf-8")
