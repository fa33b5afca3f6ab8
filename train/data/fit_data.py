"""What networks are fitted to: images kept as bytes, and how they are seen. Heavy."""

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from train.data.fashion_mnist import PREPROCESSING, LabelledImages

EVALUATION_BATCH = 2_000
# Where an image is looked at: as it is, and moved by one pixel up, down, left, right.
VIEWS = np.array([[1, 1], [0, 1], [2, 1], [1, 0], [1, 2]], np.int32)


@dataclass(frozen=True, kw_only=True)
class FitData:
    """Training and validation data, placed once and shared by every fit.

    `images` (N, 28, 28) uint8, `labels` (N,) int32, and the same held out.
    """

    images: tf.Tensor
    labels: tf.Tensor
    validation_images: tf.Tensor
    validation_labels: tf.Tensor

    @classmethod
    def of(cls, train: LabelledImages, validation: LabelledImages) -> "FitData":
        """Places both parts."""
        return cls(
            images=tf.constant(train.images),
            labels=tf.constant(train.labels.astype(np.int32)),
            validation_images=tf.constant(validation.images),
            validation_labels=tf.constant(validation.labels.astype(np.int32)),
        )

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
        )


def kept(
    losses: np.ndarray, skipped: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns which images an epoch shows, and their weights in the loss.

    Of the images that are learnt, by a loss below the mean, a share is left out, drawn anew every
    epoch, and the rest of them counts for all (InfoBatch, Qin et al. 2024, arXiv:2303.04947).

    Args:
        losses: (N,) float32 of every image when it was last seen, inf of one that never was.
        skipped: the share of the learnt that is left out, 0 up to below 1.
        random: draws it.

    Returns:
        Numbers of images, ascending int32, and as many weights, float32.
    """
    known = losses[np.isfinite(losses)]
    learnt = losses < (known.mean() if skipped and len(known) else 0)
    shown = np.flatnonzero(~learnt | (random.random(len(losses)) >= skipped)).astype(np.int32)
    return shown, np.where(learnt[shown], 1 / (1 - skipped), 1).astype(np.float32)


def preprocessed(images: tf.Tensor) -> tf.Tensor:
    """Returns the model's input of raw images, as `data.PREPROCESSING` does."""
    return tf.cast(images, tf.float32) * PREPROCESSING.scale + PREPROCESSING.offset


def seen(images: tf.Tensor, view: tf.Tensor) -> tf.Tensor:
    """Returns images (N, 28, 28) as they are seen in one of `VIEWS`, black where nothing is."""
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1]])
    top, left = tf.unstack(tf.constant(VIEWS)[view])
    height, width = images.shape[1:]
    moved = padded[:, top : top + height, left : left + width]
    return tf.ensure_shape(moved, images.shape)
