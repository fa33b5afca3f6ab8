"""The source model in Keras itself, for the row that exports are compared with."""

import time
from collections.abc import Callable
from statistics import median
from typing import Self

import numpy as np

from export.model.recorded import read_request
from export.runtimes.runner import Runner, Values, pack, unpack
from train.common.command.native_output import captured_native_output

TRIAL_CALLS = 20
PREDICT_BATCH = 256


class KerasRunner(Runner):
    """A model, called the faster of two ways: eagerly or as a compiled function.

    The path is that of a file with the request to load it, which `write_request` wrote.

    Attributes:
        call: which way that is.
    """

    call: str

    def __enter__(self) -> Self:
        with captured_native_output():
            import tensorflow as tf

            from export.model.load import load_model

            tf.config.threading.set_intra_op_parallelism_threads(self._threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
            self._model = load_model(read_request(self._path))
        self.inputs, self.outputs = self._model.inputs, self._model.outputs
        value = pack(
            [np.zeros([size or 1 for size in spec.shape], spec.dtype) for spec in self.inputs]
        )
        ways = {"model(x)": self._called, "tf.function(model)(x)": self._predicted}
        self.call = min(ways, key=lambda name: _seconds_per_call(ways[name], value))
        self.invoke = ways[self.call]
        return self

    def __exit__(self, *details: object) -> None:
        del self._model, self.invoke

    def invoke_each(self, values: Values) -> Values:
        """Returns all outputs, computed in batches: one by one would take a minute."""
        examples = [array.reshape(-1, *array.shape[2:]) for array in unpack(values)]
        return self._predict(pack(examples), PREDICT_BATCH)

    def _called(self, values: Values) -> Values:
        import tensorflow as tf

        named = zip(self.inputs, map(tf.constant, unpack(values)), strict=True)
        found = self._model.call({spec.name: value for spec, value in named})
        return pack([found[spec.name].numpy() for spec in self.outputs])

    def _predicted(self, values: Values) -> Values:
        return self._predict(values, len(unpack(values)[0]))

    def _predict(self, values: Values, batch_size: int) -> Values:
        named = {spec.name: v for spec, v in zip(self.inputs, unpack(values), strict=True)}
        found = self._model.predict(named, batch_size=batch_size)
        return pack([found[spec.name] for spec in self.outputs])


def _seconds_per_call(call: Callable[[Values], Values], values: Values) -> float:
    for _ in range(3):
        call(values)
    seconds = []
    for _ in range(TRIAL_CALLS):
        started = time.perf_counter()
        call(values)
        seconds.append(time.perf_counter() - started)
    return median(seconds)
