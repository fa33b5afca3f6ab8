"""Small models of every shape, untrained, and what is needed to fine-tune them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from export.convert.calibrate.calibration import representative_dataset
from export.convert.job.inputs import Training
from export.convert.source import SourceModel
from export.model.keras.call import open_keras
from export.model.loaded import LoadedModel
from export.model.request import ModelRequest
from train.common.samples import Samples

WORDS = 20  # different ones, in the models that read text
SPREAD = keras.initializers.RandomNormal(stddev=2.0, seed=1)  # else all outputs are much alike


def loaded(model: Any, **shapes: tuple[int | None, ...]) -> LoadedModel:
    return open_keras(model, ModelRequest(path="model.keras", shapes=shapes), lambda _: None)


def inputs_of(model: LoadedModel, count: int) -> dict[str, np.ndarray]:
    random = np.random.RandomState(1)
    inputs = {}
    for spec in model.inputs:
        shape = [count, *(size or 1 for size in spec.shape[1:])]
        real = random.normal(size=shape).astype(np.float32)
        words = random.randint(0, WORDS, shape).astype(spec.dtype)
        inputs[spec.name] = real if spec.is_float else words
    return inputs


def source_of(
    model: Any, folder: Path, count: int = 60, targets: Mapping[str, np.ndarray] | None = None
) -> SourceModel:
    opened = loaded(model)
    samples = Samples(inputs=inputs_of(opened, count), targets=targets or {})
    return SourceModel(
        opened,
        representative=representative_dataset(
            samples, np.arange(min(count, 40)), {}, opened.inputs
        ),
        training=Training(samples=samples, preprocessing={}),
        folder=folder,
    )


def with_statistics(model: keras.Model) -> keras.Model:
    """Gives batch normalizations something to fold."""
    random = np.random.RandomState(1)
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return model


def chain() -> keras.Model:
    x = image = keras.Input((8, 8), name="image")
    x = layers.Reshape((8, 8, 1))(x)
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(6, 3, use_bias=False)(x)))
    x = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D(3)(x)))
    x = layers.Dropout(0.1)(layers.GlobalAveragePooling2D()(x))
    x = layers.Dense(4, activation="softmax", kernel_initializer=SPREAD, name="kind")(x)
    return with_statistics(keras.Model(image, x))


def residual() -> keras.Model:
    """With a batch normalization that can be folded into nothing, and a frozen nested model."""
    stem = keras.Sequential(
        [
            keras.Input((10, 10, 3)),
            layers.Rescaling(0.5),
            layers.Conv2D(8, 3, padding="same"),
            layers.BatchNormalization(),
            layers.SpatialDropout2D(0.5),
        ],
        name="stem",
    )
    stem.trainable = False
    image = keras.Input((10, 10, 3), name="image")
    x = layers.ReLU(6.0)(stem(image, training=False))
    y = layers.SeparableConv2D(8, 3, padding="same", use_bias=False)(x)
    y = layers.Activation("relu")(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(y))
    x = layers.BatchNormalization()(layers.ReLU()(layers.Add()([x, y])))
    x = layers.Flatten()(layers.AveragePooling2D(2)(x))
    x = layers.Dense(5, activation="softmax", kernel_initializer=SPREAD, name="kind")(x)
    return with_statistics(keras.Model(image, x))


def two_by_two() -> keras.Model:
    """Two inputs, one of words, and two outputs; a model and a layer that are used twice."""
    words, numbers = keras.Input((6,), dtype="int32", name="words"), keras.Input((4,), name="z")
    embed = layers.Embedding(WORDS, 4, embeddings_initializer=SPREAD)
    inner = layers.Dense(8, activation="tanh", name="z")  # as an input
    twin = keras.Sequential([keras.Input((4,)), inner], name="twin")
    shared = layers.Dense(8, name="shared")
    x = twin(layers.GlobalAveragePooling1D()(embed(words)))
    y = layers.LeakyReLU(negative_slope=0.1)(twin(numbers))
    x = layers.Concatenate()([shared(x), shared(y), layers.Multiply()([x, y])])
    x = layers.Dense(16, activation="relu")(x)
    alarm = layers.Dense(1, activation="sigmoid", kernel_initializer=SPREAD, name="alarm")(x)
    return keras.Model([words, numbers], {"where": layers.Dense(3)(x), "alarm": alarm})


def recurrent() -> keras.Model:
    words = keras.Input((2,), name="words")  # Keras declares it as float
    x = layers.Embedding(WORDS, 4, mask_zero=True, embeddings_initializer=SPREAD)(words)
    x = layers.LSTM(4, return_sequences=True, dropout=0.1, recurrent_dropout=0.1)(x)
    x = layers.Bidirectional(layers.GRU(3))(x)
    x = layers.RepeatVector(2)(layers.LayerNormalization()(x))
    return keras.Model(words, layers.Dense(2)(layers.SimpleRNN(5)(x)))


def attentive() -> keras.Model:
    sequence = keras.Input((6, 4), name="sequence")
    x = layers.BatchNormalization()(layers.SeparableConv1D(8, 3, padding="same")(sequence))
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, value=x)])
    x = layers.TimeDistributed(layers.Dense(8, activation="gelu"))(x)
    x = layers.BatchNormalization()(layers.Dense(6)(layers.MaxPooling1D(2)(x)))
    x = layers.Conv1D(4, 2, padding="causal", activation="elu")(layers.ZeroPadding1D()(x))
    return with_statistics(keras.Model(sequence, layers.Softmax()(layers.Flatten()(x))))


def upscaling() -> keras.Model:
    image = keras.Input((8, 8, 2), name="image")
    x = a = layers.Conv2D(6, 3, padding="same", activation="relu6")(image)
    x = layers.Conv2DTranspose(6, 2, strides=2, use_bias=False)(layers.MaxPooling2D(2)(x))
    x = layers.PReLU(shared_axes=[1, 2])(layers.BatchNormalization()(x))
    x = layers.Concatenate()([layers.Average()([a, x]), layers.Subtract()([a, x])])
    x = layers.UpSampling2D(interpolation="bilinear")(layers.Cropping2D()(x))
    x = layers.ELU()(layers.Permute((2, 1, 3))(layers.GaussianNoise(0.5)(x)))
    return with_statistics(keras.Model(image, layers.Conv2D(2, 1, activation="softmax")(x)))


ALL: tuple[Callable[[], keras.Model], ...] = (
    chain,
    residual,
    two_by_two,
    recurrent,
    attentive,
    upscaling,
)
