"""Random examples with a structure, so that a network gives different answers. Light: numpy."""

from collections.abc import Iterable

import numpy as np

from train.common.tensors import TensorSpec

KINDS = 10  # prototypes that the examples are mixed from
FINENESS = (2, 3, 6, 12)  # patches along an axis; each kind has its own
NOISE = 0.03


def examples(
    specs: Iterable[TensorSpec], count: int, *, high: float, words: int, seed: int = 0
) -> dict[str, np.ndarray]:
    """Returns examples for a model's inputs, (count, …) by name.

    Args:
        specs: the inputs, all sizes but the batch known.
        count: how many.
        high: the largest value of float inputs; the least is 0.
        words: integer inputs are in 0…words − 1.
        seed: of the random numbers.
    """
    random = np.random.RandomState(seed)
    kinds = np.arange(count) % KINDS
    found = {}
    for spec in specs:
        shape = tuple(size or 1 for size in spec.shape[1:])
        if spec.is_float:
            values = _patches(random, kinds, shape)
            noisy = values + random.normal(0, NOISE, values.shape)
            found[spec.name] = (np.clip(noisy, 0, 1) * high).astype(np.float32)
        else:
            # each kind has a few words of its own, and half of the rest are any
            own = random.randint(0, words, (KINDS, 4))
            chosen = own[kinds[:, np.newaxis], random.randint(0, 4, (count, int(np.prod(shape))))]
            values = np.where(
                random.random_sample(chosen.shape) < 0.5,
                chosen,
                random.randint(0, words, chosen.shape),
            )
            found[spec.name] = values.reshape(count, *shape).astype(spec.dtype)
    return found


def _patches(
    random: np.random.RandomState, kinds: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Returns mixtures of two prototypes each, about 0…1.

    A prototype has a level and a contrast of its own, and patches of random values: examples differ
    as a whole, not only in where what is, which a network that averages over an image does not see.
    """
    prototypes = np.stack([_prototype(random, number, shape) for number in range(KINDS)])
    others = random.randint(0, KINDS, len(kinds))
    share = random.uniform(0.6, 1, (len(kinds), *(1 for _ in shape)))
    mixed: np.ndarray = share * prototypes[kinds] + (1 - share) * prototypes[others]
    return mixed


def _prototype(random: np.random.RandomState, number: int, shape: tuple[int, ...]) -> np.ndarray:
    coarse = tuple(min(size, FINENESS[number % len(FINENESS)]) for size in shape[:-1])
    level = random.uniform(0.2, 0.8, shape[-1:])
    values: np.ndarray = level + random.uniform(0, 1) * (
        random.random_sample((*coarse, shape[-1])) - 0.5
    )
    for axis, size in enumerate(shape[:-1]):
        values = values.take(np.arange(size) * coarse[axis] // size, axis=axis)
    return values
