"""Which input or output of a bare file is which of the model's: converters rename them.

Light: numpy.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from export.verify.distance import distance

Shape = Sequence[int | None]
CORE = re.compile(r"^(?:serving_default_)?(.+?)(?::\d+)?$")


def pairs(given: Mapping[str, Shape], wanted: Mapping[str, Shape]) -> dict[str, str]:
    """Returns the name in a file of each tensor of a model, by its own name.

    Args:
        given: shapes by the file's names, sizes that are open -1 or None.
        wanted: shapes by the model's names, in the model's order.

    Raises:
        ValueError: a tensor has no counterpart.
    """
    by_core = {core_of(name): name for name in given}
    found = {name: by_core[name] for name in wanted if name in by_core}
    left = [name for name in given if name not in found.values()]
    for name, shape in wanted.items():
        if name not in found:
            fitting = [other for other in left if list(given[other][1:]) == list(shape[1:])]
            if not fitting:
                raise ValueError(f"no tensor of {', '.join(given)} is {name!r} {tuple(shape)}")
            found[name] = fitting[0]
            left.remove(fitting[0])
    return found


def core_of(name: str) -> str:
    """Returns a tensor's name without what TensorFlow puts around it."""
    matched = CORE.match(name)
    return matched[1] if matched else name


def matched_outputs(
    given: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns a bare file's outputs by the model's names: of those of a shape, the nearest.

    Args:
        given: (N, …) by the file's names.
        reference: the model's own outputs.

    Raises:
        ValueError: an output has no counterpart.
    """
    left, found = dict(given), {}
    for name, values in reference.items():
        fitting = {k: v for k, v in left.items() if v.shape == values.shape}
        if not fitting:
            raise ValueError(f"no output of {', '.join(given)} is {name!r} {values.shape[1:]}")
        nearest = max(fitting, key=lambda k: distance(fitting[k], values, None).snr_db)
        found[name] = left.pop(nearest)
    return found
