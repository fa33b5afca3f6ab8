"""Opens a user's own data: arrays, archives of them, folders of pictures, Python functions.

Whatever the source, arrays stay on disk and are mapped, so a
data set may be larger than memory, and all of it is checked before it is used.
"""

import re
import tempfile
from pathlib import Path

import numpy as np

from export.data.archive import open_archive
from export.data.callables import open_callable
from export.data.checks import check_samples
from export.data.pictures import read_pictures
from export.data.wanted import Wanted, error_prefix
from train.common.errors import DataError, reason_and_remedy
from train.common.files.npy import open_npy
from train.common.files.open import is_there
from train.common.samples import Samples
from train.data.fashion_mnist import SLICE_IMAGES, SLICE_LABELS

ACCEPTED = (
    f"an .npy or .npz file, a folder of pictures or with {SLICE_IMAGES}, or package.module:callable"
)
CALLABLE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def open_samples(source: str, wanted: Wanted, folder: Path) -> Samples:
    """Returns a user's examples, checked against what they are for.

    Args:
        source: one of
            `PATH.npy`: one array, for a model with one input; mapped in place;
            `PATH.npz`: arrays by the inputs' names, `x` for the only input; targets by the
            outputs' names, `y` for the first one's, `target:NAME` where an input has the name
            too; `class_names`;
            a folder of pictures, or with a folder of them for each class;
            a folder with `images.npy` and perhaps `labels.npy`;
            `package.module:callable`: run for an iterable of batches, each an array, a dict by
            the inputs' names, or a tuple (inputs, targets).
        wanted: what the data is for.
        folder: where arrays are unpacked, into a folder of their own; keep it while the samples
            are used.

    Raises:
        DataError: the data is not there, damaged, or does not fit; one line that begins with
            the option and the source.
    """
    try:
        own = Path(tempfile.mkdtemp(prefix="data-", dir=folder))
        found = _read(source, wanted, own)
        return check_samples(found, wanted)
    except (DataError, OSError) as error:
        said = str(error)
        if isinstance(error, OSError) and error.errno is not None:
            reason, remedy = reason_and_remedy(error, "look at it")
            said = f"{reason}{f' ({error.filename})' if error.filename else ''}; {remedy}"
        raise DataError(" ".join(f"{wanted.option} {source}: {said}".splitlines())) from error


def _read_slice(folder: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns what `fashion_mnist.save_slice` wrote: images and, if they are there, labels."""
    labels = None
    with error_prefix(SLICE_IMAGES):
        images = open_npy(folder / SLICE_IMAGES)
    if is_there(folder / SLICE_LABELS):
        with error_prefix(SLICE_LABELS):
            labels = open_npy(folder / SLICE_LABELS)
    return images, labels


def _read(source: str, wanted: Wanted, folder: Path) -> Samples:
    """Returns what is in the source, its names known and its values not yet looked at."""
    path = Path(source)
    suffix = path.suffix.lower() if path.is_file() else ""
    is_folder = bool(source) and path.is_dir()
    is_slice = is_folder and (path / SLICE_IMAGES).is_file()
    if suffix == ".npz":
        return open_archive(path, wanted, folder)
    if CALLABLE.fullmatch(source) and not path.exists():
        return open_callable(source, wanted, folder)
    if suffix != ".npy" and not is_folder:
        there = source and path.exists()
        wrong = "is not a kind of data that can be read" if there else "is not there"
        raise DataError(f"{wrong}; expected {ACCEPTED}")
    # These name neither inputs nor outputs.
    one = wanted.only_input("pictures" if is_folder and not is_slice else "one array")
    output = wanted.outputs[0]
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    if suffix == ".npy":
        values = open_npy(path)
    elif is_slice:
        values, labels = _read_slice(path)
    else:
        values, labels, classes = read_pictures(path, one, output, wanted.image_size, folder)
    return Samples(
        inputs={one.name: values},
        targets={} if labels is None else {output.name: labels},
        class_names=classes,
    )
