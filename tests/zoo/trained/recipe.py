"""`python -m tests.zoo.trained.recipe NAME FOLDER [DATA]`: trains a network, writes its data too.

Adam, a cosine decay to zero, batches of 128, no augmentation. Three parts of Fashion-MNIST: the
training images that it is fitted to, those of `calibration.npz`, which it is not, and the test.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from tests.zoo.trained.networks import NETWORKS, SHAPE
from train.data import fashion_mnist

EPOCHS = 3
BATCH = 128
LEARNING_RATE = 3e-3
BATCH_NORM_MOMENTUM = 0.9
CALIBRATION_IMAGES = 5_500
MODEL, CALIBRATION, TEST = "model.keras", "calibration.npz", "test.npz"
BORDER = ((0, 0), (2, 2), (2, 2))  # of 28 pixels to 32


def main(arguments: Sequence[str]) -> int:
    """Trains, and writes `model.keras`, `calibration.npz` and `test.npz`."""
    name, folder, *data = arguments
    place = Path(data[0]) if data else None
    keras.utils.set_random_seed(0)
    model = NETWORKS[name]()
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # Keras's 0.99 and 0.999 are for long trainings: after three epochs the averages lag
            layer.momentum = BATCH_NORM_MOMENTUM
    training, test = fashion_mnist.load_train(place), fashion_mnist.load_test(place)
    order = np.random.RandomState(0).permutation(len(training.labels))
    apart, fitted = np.split(order, [CALIBRATION_IMAGES])
    steps = EPOCHS * -(-len(fitted) // BATCH)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=20,
    )
    x, y = pictures(training.images[fitted]), training.labels[fitted]
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=2)
    model.save(Path(folder, MODEL))
    other = training.take(apart)
    _, accuracy = model.evaluate(pictures(other.images), other.labels, verbose=0)
    print(f"{name}: {accuracy:.4f} of the images that it was not fitted to", flush=True)
    parts = ((CALIBRATION, other), (TEST, test))
    for file, part in parts:
        np.savez(Path(folder, file), x=pictures(part.images), y=part.labels)
    return 0


def pictures(images: np.ndarray) -> np.ndarray:
    """Returns (N, 28, 28) uint8 as (N, 32, 32, 3) float32 in -1…1."""
    padded = np.pad(images, BORDER).astype(np.float32) / 127.5 - 1
    return np.repeat(padded[..., np.newaxis], SHAPE[-1], axis=-1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
