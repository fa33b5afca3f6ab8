"""`python -m tests.searches tutorial|ours FOLDER`: one Hyperband search, for `tests.ratios`.

The same search space, number of trials and epochs, the same images to fit to and to be judged by.
`tutorial` is the loop of Keras's own tutorial on keras-tuner
(https://www.tensorflow.org/tutorials/keras/keras_tuner): batches of 32, every default.
"""

import sys
from dataclasses import replace
from pathlib import Path

import keras
import keras_tuner
import numpy as np

from train.common.command.progress import progress
from train.config import UNITS_CHOICES, TrainConfig
from train.data import fashion_mnist as dataset
from train.data.fit_data import FitData
from train.recipes.recipe import LEARNING_RATE_CHOICES, RECIPES
from train.search.tune import search

MAX_EPOCHS = 10
FACTOR = 3


def main(kind: str, folder: Path) -> None:
    """Searches and prints the number of trials and the best validation accuracy."""
    training = dataset.load_train(None)
    parts = dataset.split(training.labels)
    train, validation = training.take(parts.train), training.take(parts.validation)
    found = (tutorial if kind == "tutorial" else ours)(train, validation, folder)
    print(len(found), max(found))


def tutorial(
    train: dataset.LabelledImages, validation: dataset.LabelledImages, folder: Path
) -> list[float]:
    """Returns the validation accuracy of every trial of the tutorial's loop."""
    choices = UNITS_CHOICES["mlp"]

    def model_builder(hp: keras_tuner.HyperParameters) -> keras.Model:
        model = keras.Sequential()
        model.add(keras.layers.Input(dataset.IMAGE_SHAPE))
        model.add(keras.layers.Flatten())
        units = hp.Int("units", choices[0], choices[-1], step=choices[0])
        model.add(keras.layers.Dense(units=units, activation="relu"))
        model.add(keras.layers.Dense(10))
        rate = hp.Choice("learning_rate", values=list(LEARNING_RATE_CHOICES))
        model.compile(
            optimizer=keras.optimizers.Adam(learning_rate=rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        return model

    tuner = keras_tuner.Hyperband(
        model_builder,
        objective="val_accuracy",
        max_epochs=MAX_EPOCHS,
        factor=FACTOR,
        directory=folder,
        project_name="tutorial",
    )
    tuner.search(
        train.images.astype("float32") / 255.0,
        train.labels,
        epochs=50,
        validation_data=(validation.images.astype("float32") / 255.0, validation.labels),
        callbacks=[keras.callbacks.EarlyStopping(monitor="val_loss", patience=5)],
        verbose=0,
    )
    return [float(trial.score) for trial in tuner.oracle.trials.values()]


def ours(
    train: dataset.LabelledImages, validation: dataset.LabelledImages, folder: Path
) -> list[float]:
    """Returns the validation accuracy of every trial of `python -m train`'s search."""
    recipe = replace(RECIPES["default"], learning_rates=LEARNING_RATE_CHOICES)
    config = TrainConfig(artifacts=folder, recipe=recipe, search_epochs=MAX_EPOCHS)
    with progress() as report:
        found = search(config, FitData.of(train, validation), report, data_sha256="")
    return [float(np.asarray(trial["validation_accuracy"])) for trial in found.trials]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
