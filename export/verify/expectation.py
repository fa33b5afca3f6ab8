"""What an exported file is verified against: the Keras model's outputs on held-out examples."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from export.verify.distance import Distance, classes_in, distance
from train.common.tensors import TensorSpec


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a file is verified against.

    Attributes:
        input_specs: the model's inputs; batch and dtype are the settings'.
        output_specs: the same of the outputs.
        weights: how many numbers the model's weights hold.
        inputs: (N, …) by name, preprocessed: examples that calibrated nothing.
        labels: (N,) integer classes by the output's name, where they are known; of outputs
            (N, classes), and of exact ones with a single value each.
        outputs: (N, …) by name, the Keras model's outputs on them.
        rounded_otherwise: returns outputs that are as right as those, as far as float32 can tell,
            (N, …) by name; None where that is not known.
    """

    input_specs: tuple[TensorSpec, ...]
    output_specs: tuple[TensorSpec, ...]
    weights: int
    inputs: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    outputs: Mapping[str, np.ndarray]
    rounded_otherwise: Callable[[], Iterable[Mapping[str, np.ndarray]]] | None = None

    @property
    def count(self) -> int:
        """How many examples there are."""
        return len(next(iter(self.inputs.values())))

    def is_exact(self, output: str) -> bool:
        """Returns whether an output holds indices or classes, which are the same or another."""
        return any(spec.name == output and spec.is_exact for spec in self.output_specs)

    def suffix(self, output: str) -> str:
        """Returns what follows the names of an output's checks: nothing for the model's first."""
        return "" if output == self.output_specs[0].name else f":{output}"

    def distances(self, outputs: Mapping[str, np.ndarray]) -> dict[str, Distance]:
        """Returns how far outputs on these examples are from the Keras model's, by name."""
        return {
            name: distance(
                outputs[name], reference, self.labels.get(name), exact=self.is_exact(name)
            )
            for name, reference in self.outputs.items()
        }

    @cached_property
    def own_rounding(self) -> Mapping[str, tuple[Distance, ...]]:
        """How far the Keras model's outputs are from the same, rounded otherwise, by name."""
        others = [] if self.rounded_otherwise is None else list(self.rounded_otherwise())
        found = [self.distances(outputs) for outputs in others]
        return {name: tuple(each[name] for each in found) for name in self.outputs}

    def share_correct(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """Returns the share of outputs that name the class of each example, (N,).

        None without labels.
        """
        if not self.labels:
            return None
        hits = [
            classes_in(outputs[name], exact=self.is_exact(name)) == known
            for name, known in self.labels.items()
        ]
        shares: np.ndarray = np.mean(hits, axis=0)
        return shares

    def errors(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns the squared differences from the Keras model's outputs, over what these vary by.

        (M, N) of M outputs, for each example.
        """
        errors = np.zeros((len(self.outputs), self.count))
        for row, (name, reference) in zip(errors, self.outputs.items(), strict=True):
            wanted = reference.reshape(self.count, -1).astype(np.float64)
            varies = float(np.mean(np.sum((wanted - wanted.mean(axis=0)) ** 2, axis=1)))
            if varies > 0:
                found = np.nan_to_num(outputs[name].reshape(self.count, -1).astype(np.float64))
                row += np.sum((found - wanted) ** 2, axis=1) / varies
        return errors

    def score(self, outputs: Mapping[str, np.ndarray]) -> float:
        """Returns how good outputs are, to choose the best of several files by.

        The mean accuracy, 0…1, where labels are known; else the mean centred SNR against the Keras
        model's outputs, in decibels; of exact outputs alone, the share of equal values.
        """
        found = {k: v for k, v in self.distances(outputs).items() if not v.is_constant}
        accuracies = [item.accuracy for item in found.values() if item.accuracy is not None]
        ratios = [item.centred_snr_db for k, item in found.items() if not self.is_exact(k)]
        shares = [item.agreement for item in found.values() if item.agreement is not None]
        return float(np.mean(accuracies or ratios or shares or [0.0]))
