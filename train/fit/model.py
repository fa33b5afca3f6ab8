"""Builds the networks and computes their outputs."""

import keras
import numpy as np
import tensorflow as tf

from train.data.fashion_mnist import IMAGE_SHAPE, INPUT_NAME, LABELS, OUTPUT_NAME, PREPROCESSING
from train.data.fit_data import EVALUATION_BATCH
from train.fit.build import hidden
from train.recipes.recipe import Hyperparameters

tf.config.list_logical_devices()  # looks for devices now, while what the import prints is held back


def build_model(
    hyperparameters: Hyperparameters, mean_input: np.ndarray | None = None
) -> keras.Model:
    """Returns the compiled network: (N, 28, 28) float32 in 0…1 → (N, 10) float32 softmax.

    Given the mean of its inputs, (784,) float32, it is the network to fit, which subtracts the
    mean if the recipe has an `input_deviation`; `deployed` makes of it the network that ships.

    The optimizer has its variables already, because Keras restores its state from a checkpoint
    only then. `jit_compile` stays off: XLA compiles dropout and gathering on the CPU to code
    many times slower than TensorFlow's own kernels, and "auto" would choose it.
    """
    recipe, network = hyperparameters.recipe, hyperparameters.built
    image = keras.Input(IMAGE_SHAPE, name=INPUT_NAME)
    centre = None
    if mean_input is not None and recipe.input_deviation is not None:
        centre = mean_input.reshape(IMAGE_SHAPE), recipe.input_deviation
    x = hidden(image, network, recipe.dropout_of(network.width), centre)
    probabilities = keras.layers.Dense(len(LABELS), activation="softmax", name=OUTPUT_NAME)(x)
    model = keras.Model(image, probabilities, name="classifier")
    return compiled(model, hyperparameters)


def compiled(model: keras.Model, hyperparameters: Hyperparameters) -> keras.Model:
    """Returns a model that is ready to be fitted, at the peak learning rate."""
    optimizer = keras.optimizers.get(hyperparameters.recipe.optimizer)
    optimizer.learning_rate = hyperparameters.learning_rate
    model.compile(
        optimizer=optimizer,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    optimizer.build(model.trainable_variables)
    return model


def deployed(model: keras.Model, hyperparameters: Hyperparameters) -> keras.Model:
    """Returns the network that ships, with the centring of its inputs folded into its weights.

    Args:
        model: one that `build_model` returned, with the mean of its inputs or without.
        hyperparameters: the ones that it was built with.
    """
    plain = build_model(hyperparameters)
    weights = model.get_weights()
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            mean, deviation = (np.ravel(value) for value in (layer.mean, layer.variance**0.5))
            kernel = weights[0] / deviation[:, np.newaxis]
            weights[:2] = [kernel, weights[1] - mean @ kernel]
    plain.set_weights(weights)
    return plain


def outputs_of(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Returns the model's outputs, (N, 10) float32, for raw images (N, 28, 28) uint8."""
    inputs = PREPROCESSING.apply(images)
    return np.asarray(model.predict(inputs, batch_size=EVALUATION_BATCH, verbose=0))


def accuracy_of(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Returns the share of rows of (N, 10) outputs whose largest value is at the label."""
    return float(np.mean(outputs.argmax(axis=1) == labels))
