"""What networks are fitted to: images kept as bytes, and how an epoch shows them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from train.data.fashion_mnist import PREPROCESSING, LabelledImages, Split, load_train, split

EVALUATION_BATCH = 2_000
# Offsets into an image padded by one pixel: as it is, and shifted down, up, right, left.
VIEWS = np.array([[1, 1], [0, 1], [2, 1], [1, 0], [1, 2]], np.int32)


@dataclass(frozen=True, kw_only=True)
class FitData:
    """Training and validation data, placed once and shared by every fit.

    Attributes:
        images: (N, 28, 28) uint8 to fit to, or a model's own inputs, (N, …).
        labels: (N,) int32.
        validation_images, validation_labels: the same, held out.
        raw: whether these are images of ours, which a fit shifts, mirrors and scales.
        taught: what a teacher says of `images`, (mirrored or not, views, N, classes) float16
            logits; None without one.
    """

    images: tf.Tensor
    labels: tf.Tensor
    validation_images: tf.Tensor
    validation_labels: tf.Tensor
    raw: bool = True
    taught: tf.Tensor | None = None

    @classmethod
    def of(cls, train: LabelledImages, validation: LabelledImages) -> "FitData":
        """Places both parts."""
        return cls(
            images=tf.constant(train.images),
            labels=tf.constant(train.labels.astype(np.int32)),
            validation_images=tf.constant(validation.images),
            validation_labels=tf.constant(validation.labels.astype(np.int32)),
        )

    def inputs(self, images: tf.Tensor) -> tf.Tensor:
        """Returns what a model is given for some of the images."""
        return preprocessed(images) if self.raw else images

    def mean_input(self) -> np.ndarray:
        """Returns the mean of the training images as the model's input, (784,) float32."""
        return PREPROCESSING.apply(self.images.numpy().mean(axis=0, keepdims=True)).reshape(-1)

    def first(self, share: float) -> "FitData":
        """Returns the first share of the training images, 0…1, and all held-out ones."""
        count = int(len(self.images) * share)
        return replace(
            self,
            images=self.images[:count],
            labels=self.labels[:count],
            taught=None if self.taught is None else self.taught[:, :, :count],
        )


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """All training images, how they are split, and both parts placed for fitting."""

    images: LabelledImages
    split: Split
    fit: FitData
    sha256: str


def load_training_data(data: Path | None) -> TrainingData:
    """Returns the training images; `data` and errors as in `sources.read_files`."""
    images = load_train(data)
    parts = split(images.labels)
    fit = FitData.of(images.take(parts.train), images.take(parts.validation))
    return TrainingData(images=images, split=parts, fit=fit, sha256=images.sha256())


def kept(
    losses: np.ndarray, skipped: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns which images an epoch shows, and their weights in the loss.

    An image is learnt if its loss is below the mean. A share of those is left out, drawn anew for
    every epoch, and the others weigh more to make up for it (InfoBatch, Qin et al. 2024,
    arXiv:2303.04947).

    Args:
        losses: (N,) float32, of every image when it was last seen, inf for one that never was.
        skipped: the share of the learnt images that is left out, at least 0 and below 1.
        random: draws which ones.

    Returns:
        Indices of images, ascending int32, and as many weights, float32.
    """
    known = losses[np.isfinite(losses)]
    learnt = losses < (known.mean() if skipped and len(known) else 0)
    shown = np.flatnonzero(~learnt | (random.random(len(losses)) >= skipped)).astype(np.int32)
    return shown, np.where(learnt[shown], 1 / (1 - skipped), 1).astype(np.float32)


def preprocessed(images: tf.Tensor) -> tf.Tensor:
    """Returns the model's input for raw images, by `PREPROCESSING`."""
    return tf.cast(images, tf.float32) * PREPROCESSING.scale + PREPROCESSING.offset


def seen(images: tf.Tensor, view: tf.Tensor) -> tf.Tensor:
    """Returns images (N, 28, 28) shifted by one of `VIEWS`, black at the edge."""
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1]])
    top, left = tf.unstack(tf.constant(VIEWS)[view])
    height, width = images.shape[1:]
    moved = padded[:, top : top + height, left : left + width]
    return tf.ensure_shape(moved, images.shape)
