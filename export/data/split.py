"""Which of a user's examples calibrate, and which ones exports are verified on."""

import numpy as np

from export.settings import DEFAULT_CALIBRATION_SAMPLES
from train.common.errors import DataError
from train.data.fashion_mnist import SPLIT_SEED

HELD_OUT_SHARE = 5  # a fifth
MAX_HELD_OUT = 1_000


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
