"""Fine-tunes an integer `.tflite` file, and says how well its simulation agrees with the result."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from export.convert.qat.network import Network, refusal
from export.convert.qat.train import train
from export.convert.qat.write import write
from export.convert.source import SourceModel
from export.convert.tflite.file.builder import pack, unpack
from export.formats.settings import DEFAULT_EPOCHS, Settings
from export.model.reason import refused
from export.runtimes.predict import in_calls
from export.verify.distance import are_probabilities
from export.verify.expectation import Expectation

LEAST_AGREEMENT = 0.999
LEVELS = 255
FOLDING = "constant_folding"
ROUNDING = 1e-3  # of a step, by which float32 may miss it


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A fine-tuned file, and the network that it was trained as."""

    content: bytes
    network: Network = field(repr=False)
    batch: int

    def agreement(
        self, outputs: Mapping[str, np.ndarray], expected: Expectation, calls: int
    ) -> float:
        """Returns on what share of examples the simulation does what the file does, 0…1.

        They agree if each output's values are at most a step apart, on average, and the class
        is the same where there are classes.

        Args:
            outputs: the file's, (N, …) by name, on the expected examples.
            expected: the examples.
            calls: how many are simulated at a time.
        """
        simulated = self.outputs(expected.inputs, calls)
        agrees = [
            _agrees(simulated[name], found, expected, name, self.network.steps[name])
            for name, found in outputs.items()
        ]
        return float(np.mean(np.all(agrees, axis=0)))

    def outputs(self, inputs: Mapping[str, np.ndarray], calls: int) -> dict[str, np.ndarray]:
        """Returns the simulated outputs, (N, …) by name; of so many examples at a time."""
        with unfolded():
            return self._outputs(inputs, calls)

    def _outputs(self, inputs: Mapping[str, np.ndarray], calls: int) -> dict[str, np.ndarray]:
        # without autograph, which would translate all that runs while a network is traced
        compute = tf.function(
            lambda given: self.network(given)[0], autograph=False, reduce_retracing=True
        )
        count, size = len(next(iter(inputs.values()))), max(calls // self.batch, 1) * self.batch
        parts = []
        for start in range(0, count, size):
            given = {
                name: tf.constant(in_calls(values[start : start + size], self.batch))
                for name, values in inputs.items()
            }
            parts.append(
                {name: v.numpy().reshape(-1, *v.shape[2:]) for name, v in compute(given).items()}
            )
        return {name: np.concatenate([part[name] for part in parts])[:count] for name in parts[0]}


@contextmanager
def unfolded() -> Iterator[None]:
    """Keeps TensorFlow from pushing factors through sums and convolutions as it folds constants.

    Sums of whole numbers are then sums of fractions, and no longer exact: of a small ResNet's
    outputs 3 % were a step off.
    """
    options = tf.config.optimizer
    before = options.get_experimental_options().get(FOLDING, True)
    options.set_experimental_options({FOLDING: False})
    try:
        yield
    finally:
        options.set_experimental_options({FOLDING: before})


def _agrees(
    simulated: np.ndarray, found: np.ndarray, expected: Expectation, name: str, step: float
) -> np.ndarray:
    """Returns which examples' outputs agree, (N,) bool."""
    if expected.is_exact(name):
        return np.asarray((simulated == found).reshape(len(found), -1).all(axis=1))
    unit = step or float(np.ptp(found)) / LEVELS
    away = np.abs(simulated - found).reshape(len(found), -1).mean(axis=1)
    agrees = away <= unit * (1 + ROUNDING)
    if name in expected.labels or are_probabilities(expected.outputs[name]):
        agrees &= simulated.argmax(axis=1) == found.argmax(axis=1)
    return np.asarray(agrees)


def tune(content: bytes, source: SourceModel, settings: Settings) -> Tuned:
    """Fine-tunes a file.

    Args:
        content: the file, with 8-bit integers.
        source: the model that it was made of, and what it is trained with.
        settings: of the format.

    Raises:
        ToolkitError: it cannot be simulated, and why; or there is no training data.
    """
    batch = settings.batch or 1
    with unfolded(), refused("quantization-aware training failed"):
        network = Network(unpack(content))
        if not network.weights.kernels:
            raise refusal("finds no weights of 8 bits to train")
        train(network, source, settings.epochs or DEFAULT_EPOCHS["qat"], batch)
        tree: Any = unpack(content)
        write(tree, network)
        return Tuned(content=pack(tree, len(content)), network=network, batch=batch)
