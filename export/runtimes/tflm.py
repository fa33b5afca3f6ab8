"""TensorFlow Lite for Microcontrollers' own interpreter, on this machine.

Its wheel exists for x86-64 Linux only, as pre-releases: https://github.com/tensorflow/tflite-micro
"""

import platform
import sys
from pathlib import Path
from typing import Self

from export.runtimes.runner import Runner, Values, load_error, pack, unpack
from train.common.command.native_output import captured_native_output
from train.common.errors import ArtifactError


def is_published_here() -> bool:
    """Returns whether TFLM's wheel exists for this kind of machine."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


class TFLMRunner(Runner):
    """A `.tflite` file in TFLM's interpreter; the file needs a fixed batch of one."""

    def __init__(self, path: Path, like: Runner) -> None:
        """Takes the specs that LiteRT found, `like`: TFLM tells no tensor names."""
        self._path = path
        self.inputs, self.outputs = like.inputs, like.outputs

    def __enter__(self) -> Self:
        from tflite_micro import runtime

        try:
            with captured_native_output() as output:  # it explains itself from C++ only
                self._interpreter = runtime.Interpreter.from_file(str(self._path))
        except (RuntimeError, ValueError) as error:
            raise load_error("TFLM", self._path, output.text.strip() or str(error)) from error
        self.invoke = self._run
        return self

    def __exit__(self, *details: object) -> None:
        del self._interpreter, self.invoke

    def _run(self, values: Values) -> Values:
        for index, value in enumerate(unpack(values)):
            self._interpreter.set_input(value, index)
        try:
            self._interpreter.invoke()
        except RuntimeError as error:  # a kernel finds what it lacks only now
            raise ArtifactError(f"TFLM cannot run {self._path}: {error}") from error
        return pack([self._interpreter.get_output(index) for index in range(len(self.outputs))])
