"""Which of a user's examples calibrate, and which ones exports are verified on."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from export.formats.settings import DEFAULT_CALIBRATION_SAMPLES
from train.common.errors import DataError
from train.common.preprocessing import RAW, Preprocessing
from train.common.samples import Samples
from train.common.tensors import TensorSpec
from train.data.fashion_mnist import SPLIT_SEED

HELD_OUT_SHARE = 5  # a fifth
MAX_HELD_OUT = 1_000
MIN_EXAMPLES = 16
FEW_EXAMPLES = 200  # up to which each is held out once, instead of a fifth of them
RANDOM_EXAMPLES = 64  # where there is no data


def calibration_split(count: int, samples: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Returns which examples calibrate, and which are held out to verify on.

    The same numbers always give the same split; what is held out does not depend on `samples`.

    Args:
        count: how many examples there are.
        samples: how many calibrate; None for `DEFAULT_CALIBRATION_SAMPLES`, or all that are
            not held out where these are fewer.

    Returns:
        Indices (samples,) and (held out,), int64, ascending, disjoint.

    Raises:
        DataError: there are fewer than two examples, or fewer than `samples` to calibrate.
    """
    if count < 2:
        raise DataError(
            f"got {count} example{'' if count == 1 else 's'}, expected at least 2, to calibrate "
            "and to verify; give more data"
        )
    held_out = min(MAX_HELD_OUT, max(1, count // HELD_OUT_SHARE))
    left = count - held_out
    if samples is None:
        samples = min(DEFAULT_CALIBRATION_SAMPLES, left)
    if not 1 <= samples <= left:
        raise DataError(
            f"got {samples:,} calibration samples, expected 1 to {left:,}: of {count:,} examples, "
            f"{held_out:,} are held out to verify; ask for fewer or give more data"
        )
    order = np.random.RandomState(SPLIT_SEED).permutation(count).astype(np.int64)
    return np.sort(order[held_out : held_out + samples]), np.sort(order[:held_out])


def thinned(indices: np.ndarray, inputs: Sequence[TensorSpec], most_bytes: int) -> np.ndarray:
    """Returns as many of some indices as fit into memory, evenly spaced: classes may come in order.

    Args:
        indices: of examples.
        inputs: what each example has a float32 array for.
        most_bytes: of all of them; at least `MIN_EXAMPLES` are returned even so.
    """
    example_bytes = 4 * sum(math.prod(size or 1 for size in spec.shape[1:]) for spec in inputs)
    count = min(len(indices), max(MIN_EXAMPLES, most_bytes // example_bytes))
    found: np.ndarray = indices[np.linspace(0, len(indices) - 1, count).astype(int)]
    return found


def random_examples(inputs: Sequence[TensorSpec], how: Mapping[str, Preprocessing]) -> Samples:
    """Returns examples to verify on where there is no data: real inputs in 0…1, integers 0 or 1."""
    random = np.random.RandomState(0)
    values = {}
    for spec in inputs:
        shape = (RANDOM_EXAMPLES, *(size or 1 for size in spec.shape[1:]))
        if spec.is_float:
            done = how.get(spec.name, RAW)
            uniform = random.random_sample(shape)
            values[spec.name] = (
                (uniform - np.asarray(done.offset)) / np.asarray(done.scale)
            ).astype(np.float32)
        else:
            values[spec.name] = random.randint(0, 2, shape).astype(spec.dtype)
    return Samples(inputs=values)
