"""`python -m tests.zoo.trained.recipe NAME FOLDER [DATA]`: trains a network, writes its data too.

Adam, a cosine decay to zero, batches of 128, mirrored pictures and smoothed labels. Three parts of
Fashion-MNIST: the training images that it is fitted to, those of `calibration.npz`, which it is
not, and the test.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tests.zoo.trained.networks import CLASSES, NETWORKS, SHAPE
from tests.zoo.trained.run import CALIBRATION, FACTS, MODEL, TEST, recipe_sha256
from train.data import fashion_mnist

EPOCHS = 10
BATCH = 128
LEARNING_RATE = 3e-3
SMOOTHING = 0.1  # of labels: outputs of moderate size lose less by rounding
BATCH_NORM_MOMENTUM = 0.9
APART = 20_000  # training images that calibrate and verify
SEED = 0
BORDER = ((0, 0), (2, 2), (2, 2))  # of 28 pixels to 32


def main(arguments: Sequence[str]) -> int:
    """Trains, and writes the model, `calibration.npz`, `test.npz` and what is known of it."""
    name, folder, *data = arguments
    place = Path(data[0]) if data else None
    started = time.monotonic()
    keras.utils.set_random_seed(SEED)
    model = NETWORKS[name]()
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # Keras's 0.99 and 0.999 are for long trainings: after few epochs the averages lag
            layer.momentum = BATCH_NORM_MOMENTUM
    training, test = fashion_mnist.load_train(place), fashion_mnist.load_test(place)
    order = np.random.RandomState(SEED).permutation(len(training.labels))
    apart, fitted = np.split(order, [APART])
    steps = EPOCHS * -(-len(fitted) // BATCH)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)),
        keras.losses.CategoricalCrossentropy(label_smoothing=SMOOTHING),
        metrics=["accuracy"],
        steps_per_execution=20,
    )
    x, y = numbers(pictures(training.images[fitted])), training.labels[fitted]
    examples = tf.data.Dataset.from_tensor_slices((x, tf.one_hot(y, CLASSES)))
    mirrored = examples.shuffle(len(x), SEED).map(
        lambda image, label: (tf.image.random_flip_left_right(image, SEED), label)
    )
    model.fit(mirrored.batch(BATCH).prefetch(2), epochs=EPOCHS, verbose=2)
    model.save(Path(folder, MODEL))
    for file, part in ((CALIBRATION, training.take(apart)), (TEST, test)):
        np.savez(Path(folder, file), x=pictures(part.images), y=part.labels)
    given = model.predict(numbers(pictures(test.images)), batch_size=500, verbose=0)
    facts = {
        "recipe": recipe_sha256(),
        "accuracy": float(np.mean(given.argmax(axis=1) == test.labels)),
        "parameters": model.count_params(),
        "seconds": round(time.monotonic() - started),
    }
    Path(folder, FACTS).write_text(json.dumps(facts))
    print(f"{name}: {facts['accuracy']:.4f} of the test images, {facts['seconds']} s", flush=True)
    return 0


def pictures(images: np.ndarray) -> np.ndarray:
    """Returns (N, 28, 28) uint8 as (N, 32, 32, 3) uint8."""
    return np.repeat(np.pad(images, BORDER)[..., np.newaxis], SHAPE[-1], axis=-1)


def numbers(found: np.ndarray) -> np.ndarray:
    """Returns bytes as float32 in -1…1, as `run.PREPROCESS` says."""
    return found.astype(np.float32) / 127.5 - 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
