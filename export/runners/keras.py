"""The source model in Keras itself, for the row that exports are compared with.

Light to import; TensorFlow is imported when the runner is entered.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Self

import numpy as np

from export.runners.runner import Runner
from train.errors import ArtifactError
from train.native_output import captured_native_output

TRIAL_CALLS = 20
PREDICT_BATCH = 256


class KerasRunner(Runner):
    """A `.keras` file, called the faster of two ways: `model(x)` or `model.predict(x)`.

    Attributes:
        call: which way that is.
    """

    call: str

    def __init__(self, path: Path, *, threads: int) -> None:
        self._path = path
        self._threads = threads

    def __enter__(self) -> Self:
        with captured_native_output():
            import keras
            import tensorflow as tf

            tf.config.threading.set_intra_op_parallelism_threads(self._threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
            try:
                self._model = keras.saving.load_model(self._path, compile=False)
            except (ValueError, TypeError, OSError) as error:
                raise ArtifactError(f"Keras cannot load {self._path}: {error}") from error
        self.inputs = tuple(_spec(tensor.name, tensor) for tensor in self._model.inputs)
        named = zip(self._model.output_names, self._model.outputs, strict=True)
        self.outputs = tuple(_spec(name, tensor) for name, tensor in named)
        value = np.zeros((1, *self._model.input_shape[1:]), np.float32)
        ways = {"model(x)": self._called, "model.predict(x)": self._predicted}
        self.call = min(ways, key=lambda name: _seconds_a_call(ways[name], value))
        self.invoke = ways[self.call]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del self._model, self.invoke

    def invoke_each(self, values: np.ndarray) -> np.ndarray:
        """Returns all outputs, computed in batches: one by one would take a minute."""
        batches: np.ndarray = self._model.predict(values[:, 0], batch_size=PREDICT_BATCH, verbose=0)
        return batches

    def _called(self, value: np.ndarray) -> np.ndarray:
        result: np.ndarray = self._model(value, training=False).numpy()
        return result

    def _predicted(self, value: np.ndarray) -> np.ndarray:
        result: np.ndarray = self._model.predict(value, verbose=0)
        return result


def _seconds_a_call(call: Callable[[np.ndarray], np.ndarray], value: np.ndarray) -> float:
    for _ in range(3):
        call(value)
    seconds = []
    for _ in range(TRIAL_CALLS):
        started = time.perf_counter()
        call(value)
        seconds.append(time.perf_counter() - started)
    return median(seconds)
