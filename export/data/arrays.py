"""Arrays in .npy files, mapped in place: one for the only input, or images with their labels.

Light: standard library and numpy.
"""

from pathlib import Path

from export.data.npy import open_npy
from export.data.wanted import Wanted, naming
from train.common.samples import Samples
from train.data.fashion_mnist import SLICE_IMAGES, SLICE_LABELS


def open_array(path: Path, wanted: Wanted) -> Samples:
    """Returns the examples in a .npy file, for a model with one input.

    Raises:
        DataError: the model has several inputs, or as in `npy.read_header`.
    """
    spec = wanted.only_input("one array")
    return Samples(inputs={spec.name: open_npy(path)})


def open_slice(folder: Path, wanted: Wanted) -> Samples:
    """Returns what `train.data.save_slice` wrote: images and, if they are there, labels.

    Raises:
        DataError: the model has several inputs, or as in `npy.read_header`.
    """
    spec = wanted.only_input("one array")
    with naming(SLICE_IMAGES):
        inputs = {spec.name: open_npy(folder / SLICE_IMAGES)}
    targets = {}
    if (folder / SLICE_LABELS).is_file():
        with naming(SLICE_LABELS):
            targets[wanted.outputs[0].name] = open_npy(folder / SLICE_LABELS)
    return Samples(inputs=inputs, targets=targets)
