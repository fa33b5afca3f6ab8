"""What a network will cost, by what those that were exported did: most are not worth an export."""

from collections.abc import Mapping

import numpy as np

from train.limits import Kind
from train.recipes.networks import Mlp, Student, memory, multiplications, weights

LEAST_KNOWN = 10  # exports before anything is said


class Forecast:
    """Least squares of costs by what networks are made of."""

    def __init__(self) -> None:
        """Knows nothing yet."""
        self._networks: list[np.ndarray] = []
        self._costs: dict[Kind, list[float]] = {}

    def learn(self, network: Student, costs: Mapping[Kind, float]) -> None:
        """Takes what a network costs, if all of that is finite."""
        if not all(np.isfinite(cost) for cost in costs.values()):
            return
        self._networks.append(_features(network))
        for kind, cost in costs.items():
            self._costs.setdefault(kind, []).append(cost)

    @property
    def is_ready(self) -> bool:
        """Whether enough is known."""
        return len(self._networks) >= LEAST_KNOWN

    def of(self, network: Student) -> dict[Kind, float]:
        """Returns what a network will cost about; nothing while too little is known."""
        if not self.is_ready:
            return {}
        known = np.array(self._networks)
        scale = np.maximum(np.abs(known).max(axis=0), 1)
        features = _features(network) / scale
        return {
            kind: float(features @ np.linalg.lstsq(known / scale, np.array(costs), rcond=1e-6)[0])
            for kind, costs in self._costs.items()
            if len(costs) == len(known)
        }


def _features(network: Student) -> np.ndarray:
    """Returns what costs depend on, (6,) float64."""
    layers = list(network.layers())
    return np.array(
        [
            1,
            not isinstance(network, Mlp),
            len(layers),
            weights(network),
            memory(network),
            multiplications(network),
        ],
        np.float64,
    )
