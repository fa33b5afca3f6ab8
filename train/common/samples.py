"""Examples as every stage sees them: raw inputs by name and, where they are known, targets."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from train.common.files.artifact import array_sha256


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Raw examples; the arrays may be larger than memory (`numpy.memmap`).

    Attributes:
        inputs: an array (N, …) of raw values for each of the model's inputs, by its name, N ≥ 1.
        targets: an array (N, …) for each output whose truth is known, by its name: integer classes
            (N,), or real values of the output's shape. Empty where nothing is known.
        class_names: of the classes, in the order of the outputs; empty where they have none.
    """

    inputs: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def take(self, chosen: np.ndarray | slice) -> "Samples":
        """Returns the examples at some indices, in that order, or in a slice."""
        return Samples(
            inputs={name: values[chosen] for name, values in self.inputs.items()},
            targets={name: values[chosen] for name, values in self.targets.items()},
            class_names=self.class_names,
        )

    def joined(self, others: "Samples") -> "Samples":
        """Returns these examples and others of the same inputs and targets, in memory."""
        return Samples(
            inputs={k: np.concatenate([v, others.inputs[k]]) for k, v in self.inputs.items()},
            targets={k: np.concatenate([v, others.targets[k]]) for k, v in self.targets.items()},
            class_names=self.class_names,
        )

    def short_hashes(self) -> tuple[str, ...]:
        """Returns a short hash of each raw example, to find the same one in two sets.

        Returns:
            N times the first 64 bits of the SHA-256 of the bytes of its inputs, in hexadecimal.
        """
        arrays = [values for _, values in sorted(self.inputs.items())]
        found = []
        for parts in zip(*arrays, strict=True):
            digest = hashlib.sha256()
            for part in parts:
                digest.update(np.ascontiguousarray(part).data)
            found.append(digest.hexdigest()[:16])
        return tuple(found)

    def inputs_sha256(self) -> str:
        """Returns the hash of the inputs alone, for data that comes without targets."""
        return _sha256(self.inputs)

    def sha256(self) -> str:
        """Returns the hash of inputs and targets that results on this data are keyed by."""
        return _sha256({**self.inputs, **{f"target {n}": v for n, v in self.targets.items()}})


def _sha256(arrays: Mapping[str, np.ndarray]) -> str:
    """Returns a hash of arrays by name; of a single one, of the array alone."""
    return array_sha256(*(values for _, values in sorted(arrays.items())))
