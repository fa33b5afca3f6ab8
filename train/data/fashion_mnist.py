"""Fashion-MNIST as arrays, and the fixed split that every stage shares.

Preprocessing is declared here once: a raw pixel p (uint8) becomes the model's input p / 255
(float32 in 0…1), which a full-integer export turns into exactly p − 128 (scale 1/255, zero point
−128), with no float arithmetic on the device.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from train.common.environment import DATA_FOLDER, ROOT, in_bundle
from train.common.errors import DataError
from train.common.files.artifact import array_sha256
from train.common.files.npy import open_npy
from train.common.files.open import is_there
from train.common.preprocessing import Preprocessing
from train.common.samples import Samples
from train.common.tensors import TensorSpec
from train.data import sources

LABELS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
IMAGE_SHAPE = (28, 28)
# A part of the test data in a folder, as a bundle carries it.
SLICE_IMAGES, SLICE_LABELS = "images.npy", "labels.npy"
SPLIT_SEED = 20170825  # the day the data set's paper appeared; fixed, never the training seed
VALIDATION_PER_CLASS = 600
CALIBRATION_PER_CLASS = 50


INPUT_NAME, OUTPUT_NAME = "image", "probabilities"  # of the networks that are trained on it
INPUT = TensorSpec(name=INPUT_NAME, shape=(None, *IMAGE_SHAPE), dtype="float32")
OUTPUT = TensorSpec(name=OUTPUT_NAME, shape=(None, len(LABELS)), dtype="float32")
PREPROCESSING = Preprocessing(scale=1 / 255, offset=0.0)


@dataclass(frozen=True, kw_only=True)
class LabelledImages:
    """`images` (N, 28, 28) uint8 and `labels` (N,) uint8 in 0…9."""

    images: np.ndarray
    labels: np.ndarray

    def take(self, indices: np.ndarray) -> "LabelledImages":
        """Returns the images and labels at `indices`, in that order."""
        return LabelledImages(images=self.images[indices], labels=self.labels[indices])

    def sha256(self) -> str:
        """Returns the hash that results on this data are keyed by."""
        return array_sha256(self.images, self.labels)


@dataclass(frozen=True, kw_only=True)
class Split:
    """Disjoint index sets into the 60,000 training images, each (N,) int64, ascending."""

    train: np.ndarray
    validation: np.ndarray
    calibration: np.ndarray  # a subset of `train`

    def record(self) -> dict[str, Any]:
        """Returns how the split was made, its counts and hashes, for the model's record."""
        return {
            "seed": SPLIT_SEED,
            "method": "class-balanced, RandomState(seed) permutation within each class",
            **{
                name: {"count": int(indices.size), "sha256": array_sha256(indices)}
                for name, indices in asdict(self).items()
            },
        }


def load_train(data: Path | None) -> LabelledImages:
    """Returns the 60,000 training images; `data` and errors as in `sources.read_files`."""
    return _load(sources.TRAIN_IMAGES, sources.TRAIN_LABELS, data)


def load_evaluation(data: Path | None) -> Samples:
    """Returns the 10,000 test images with their labels, if `data` is not a folder without them.

    A folder that holds `images.npy` in place of the IDX files gives these images; in a bundle,
    its own folder of that kind is taken where `data` is None.

    Raises:
        DataError: as in `sources.read_files`; or the arrays are no images and labels.
    """
    if data is None and in_bundle():
        data = ROOT / DATA_FOLDER
    if data is not None and is_there(data / SLICE_IMAGES):
        return _load_slice(data)
    labelled = data is None or sources.has_file(data, sources.TEST_LABELS)
    names = (sources.TEST_IMAGES, *((sources.TEST_LABELS,) if labelled else ()))
    content = sources.read_files(names, data)
    labels = _labels(content[sources.TEST_LABELS]) if labelled else None
    return as_samples(_images(content[sources.TEST_IMAGES]), labels)


def as_samples(images: np.ndarray, labels: np.ndarray | None) -> Samples:
    """Returns images (N, 28, 28) uint8 and, if known, their labels (N,) as examples."""
    return Samples(
        inputs={INPUT_NAME: images},
        targets={} if labels is None else {OUTPUT_NAME: labels},
        class_names=LABELS,
    )


def save_slice(test: Samples, folder: Path) -> None:
    """Writes images, and labels if there are, into a folder that `load_evaluation` reads."""
    np.save(folder / SLICE_IMAGES, test.inputs[INPUT_NAME])
    if test.targets:
        np.save(folder / SLICE_LABELS, test.targets[OUTPUT_NAME])


def load_test(data: Path | None) -> LabelledImages:
    """Returns the 10,000 test images; `data` and errors as in `sources.read_files`."""
    return _load(sources.TEST_IMAGES, sources.TEST_LABELS, data)


def split(
    labels: np.ndarray,
    *,
    validation_per_class: int = VALIDATION_PER_CLASS,
    calibration_samples: int | None = None,
) -> Split:
    """Splits training images into training and validation, with calibration from training.

    The same labels always give the same split: `RandomState`'s stream is frozen by NumPy's
    compatibility policy (NEP 19), unlike that of `default_rng`.

    Args:
        labels: (N,) integer class labels of the training images.
        validation_per_class: how many images of each class are held out from training.
        calibration_samples: how many training images calibrate quantization, the same number
            of each class; None for `CALIBRATION_PER_CLASS` of each.

    Raises:
        DataError: a class has too few images, or the samples do not divide among the classes.
    """
    classes = np.unique(labels)
    wanted = calibration_samples or CALIBRATION_PER_CLASS * classes.size
    if wanted % classes.size:
        raise DataError(
            f"got {wanted} calibration samples, expected a multiple of the {classes.size} classes "
            f"such as {max(1, wanted // classes.size) * classes.size}"
        )
    calibration_per_class = wanted // classes.size
    random = np.random.RandomState(SPLIT_SEED)
    parts: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "calibration": []}
    for label in classes:
        members = random.permutation(np.flatnonzero(labels == label))
        if members.size < validation_per_class + calibration_per_class:
            raise DataError(
                f"class {label} has {members.size} images, expected at least "
                f"{validation_per_class + calibration_per_class} ({validation_per_class} held out, "
                f"{calibration_per_class} to calibrate); ask for fewer calibration samples"
            )
        parts["validation"].append(members[:validation_per_class])
        parts["train"].append(members[validation_per_class:])
        parts["calibration"].append(members[validation_per_class:][:calibration_per_class])
    return Split(**{name: np.sort(np.concatenate(indices)) for name, indices in parts.items()})


def _load(images_name: str, labels_name: str, data: Path | None) -> LabelledImages:
    content = sources.read_files((images_name, labels_name), data)
    return LabelledImages(
        images=_images(content[images_name]), labels=_labels(content[labels_name])
    )


def _load_slice(folder: Path) -> Samples:
    images = _read_bytes_array(folder / SLICE_IMAGES)
    labelled = is_there(folder / SLICE_LABELS)
    labels = _read_bytes_array(folder / SLICE_LABELS) if labelled else None
    if images.shape[1:] != IMAGE_SHAPE or not len(images):
        raise DataError(
            f"{folder / SLICE_IMAGES}: got shape {images.shape}, expected (N, 28, 28), N ≥ 1; "
            "make the bundle again"
        )
    if labels is not None and labels.shape != images.shape[:1]:
        raise DataError(
            f"{folder / SLICE_LABELS}: got shape {labels.shape}, expected {images.shape[:1]}, one "
            "label per image; make the bundle again"
        )
    return as_samples(images, labels)


def _read_bytes_array(path: Path) -> np.ndarray:
    try:
        found = open_npy(path)
    except (OSError, DataError) as error:
        raise DataError(f"{path} cannot be read ({error}); make the bundle again") from error
    if found.dtype != np.uint8:
        raise DataError(f"{path}: got {found.dtype}, expected uint8; make the bundle again")
    return found


def _images(content: bytes) -> np.ndarray:
    # IDX: 4 bytes of type and rank, 4 bytes a dimension, then the values; content is verified.
    return np.frombuffer(content, np.uint8, offset=16).reshape(-1, *IMAGE_SHAPE)


def _labels(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8, offset=8)
