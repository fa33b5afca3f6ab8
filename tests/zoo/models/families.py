"""Small models of the usual layer families, not yet trained."""

import keras
import tf_keras
from keras import layers

WORDS = 50  # what an integer input counts to
CLASSES = 10
UNITS = 32


def mlp() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((64,), name="features"),
            layers.Dense(128, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(64, activation="relu"),
            layers.Dense(CLASSES, activation="softmax", name="head"),
        ]
    )


def _block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    shortcut = layers.Conv2D(filters, 1, strides=2)(x)
    x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(layers.Add()([x, shortcut]))


def residual_cnn() -> keras.Model:
    image = layers.Input((24, 24, 3), name="image")
    x = _block(_block(image, 16), 32)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax", name="head")(x))


def separable_cnn() -> keras.Model:
    image = layers.Input((24, 24, 3), name="image")
    x = layers.SeparableConv2D(16, 3, strides=2, padding="same")(image)
    x = layers.LeakyReLU()(layers.BatchNormalization()(x))
    x = layers.SeparableConv2D(32, 3, strides=2, padding="same", activation="swish")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="hard_swish")(x)
    x = layers.PReLU(shared_axes=[1, 2])(x)
    x = layers.GlobalMaxPooling2D()(x)
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax", name="head")(x))


def conv1d() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((64, 6), name="signal"),
            layers.Conv1D(16, 5, activation="relu", padding="causal"),
            layers.MaxPooling1D(2),
            layers.Conv1D(32, 3, dilation_rate=2, activation="elu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(CLASSES, activation="softmax", name="head"),
        ]
    )


def autoencoder() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((16, 16, 1), name="image"),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="head"),
        ]
    )


def unet() -> keras.Model:
    image = layers.Input((32, 32, 3), name="image")
    first = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    second = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.MaxPooling2D()(first))
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(layers.MaxPooling2D()(second))
    x = layers.Concatenate()([layers.UpSampling2D()(x), second])
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = layers.Concatenate()([layers.UpSampling2D(interpolation="bilinear")(x), first])
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    return keras.Model(image, layers.Conv2D(4, 1, activation="softmax", name="head")(x))


def lstm() -> keras.Model:
    return _recurrent(layers.LSTM(UNITS))


def gru() -> keras.Model:
    return _recurrent(layers.GRU(UNITS))


def bidirectional() -> keras.Model:
    return _recurrent(layers.Bidirectional(layers.LSTM(UNITS)))


def _recurrent(layer: layers.Layer) -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((20, 8), name="signal"),
            layer,
            layers.Dense(CLASSES, activation="softmax", name="head"),
        ]
    )


def embedding() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((16,), dtype="int32", name="words"),
            layers.Embedding(WORDS, UNITS),
            layers.GlobalAveragePooling1D(),
            layers.Dense(UNITS, activation="relu"),
            layers.Dense(CLASSES, activation="softmax", name="head"),
        ]
    )


def attention() -> keras.Model:
    """A transformer's encoder: attention, layer normalization, the exact GELU."""
    words = layers.Input((16,), dtype="int32", name="words")
    x = layers.Embedding(WORDS, UNITS)(words)
    x = layers.Add()([x, layers.MultiHeadAttention(2, UNITS // 2)(x, x)])
    x = layers.LayerNormalization()(x)
    hidden = layers.Dense(2 * UNITS)(x)
    hidden = layers.Activation(keras.activations.gelu)(hidden)
    x = layers.LayerNormalization()(layers.Add()([x, layers.Dense(UNITS)(hidden)]))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(words, layers.Dense(CLASSES, activation="softmax", name="head")(x))


def two_in_two_out() -> keras.Model:
    image = layers.Input((16, 16, 3), name="image")
    weather = layers.Input((5,), name="weather")
    x = layers.Conv2D(16, 3, strides=2, activation="relu")(image)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Concatenate()([x, layers.Dense(16, activation="relu")(weather)])
    x = layers.Dense(UNITS, activation="relu")(x)
    kind = layers.Dense(CLASSES, activation="softmax", name="head_kind")(x)
    price = layers.Dense(1, name="head_price")(x)
    return keras.Model([image, weather], {"kind": kind, "price": price})


@keras.saving.register_keras_serializable("zoo")
class Subclassed(keras.Model):
    """Layers and a `call`; any size of image."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self.convolution = layers.Conv2D(16, 3, activation="relu", padding="same")
        self.pool = layers.GlobalAveragePooling2D()
        self.hidden = layers.Dense(UNITS, activation="tanh")
        self.head = layers.Dense(CLASSES, activation="softmax", name="head")

    def call(self, image: keras.KerasTensor) -> keras.KerasTensor:
        x = self.pool(self.convolution(image))
        return self.head(keras.ops.concatenate([self.hidden(x), keras.ops.square(x)], axis=-1))


def subclassed() -> keras.Model:
    model = Subclassed()
    model(keras.ops.zeros((1, 16, 16, 3)))
    return model


def legacy_h5() -> tf_keras.Model:
    """A model of Keras 2, in the file that Keras 3 cannot read: its depthwise layer has groups."""
    old = tf_keras.layers
    return tf_keras.Sequential(
        [
            old.Input((24, 24, 3), name="image"),
            old.Conv2D(16, 3, strides=2, use_bias=False),
            old.BatchNormalization(),
            old.ReLU(6.0),
            old.DepthwiseConv2D(3, padding="same", use_bias=False),
            old.BatchNormalization(),
            old.ReLU(6.0),
            old.GlobalAveragePooling2D(),
            old.Dense(CLASSES, activation="softmax", name="head"),
        ]
    )


def saved_model() -> keras.Model:
    return residual_cnn()
