"""The architectures, at 32 × 32 pixels with 3 channels, by name. Heavy: Keras."""

from collections.abc import Callable

import keras
from keras import applications, layers

SHAPE = (32, 32, 3)
CLASSES = 10


def _application(build: Callable[..., keras.Model], **settings: object) -> keras.Model:
    """Returns a network of `keras.applications`, which halves the picture five times."""
    base = build(weights=None, input_shape=SHAPE, include_top=False, pooling="avg", **settings)
    head = layers.Dense(CLASSES, activation="softmax", name="head")
    # the layers of the base are the network's own, not a model in a model
    return keras.Model(base.inputs, head(base.output))


def mobilenet_v2() -> keras.Model:
    return _application(applications.MobileNetV2, alpha=0.35)


def mobilenet_v3() -> keras.Model:
    return _application(
        applications.MobileNetV3Small, alpha=0.75, include_preprocessing=False, dropout_rate=0
    )


def efficientnet_b0() -> keras.Model:
    """Of EfficientNetB0 a third of the channels, its depth and its squeeze-and-excitation."""
    from keras.src.applications.efficientnet import EfficientNet

    def build(**settings: object) -> keras.Model:
        return EfficientNet(
            width_coefficient=0.35,
            depth_coefficient=0.6,
            default_size=64,
            dropout_rate=0.0,
            name="efficientnet",
            **settings,
        )

    return _application(build)


def resnet() -> keras.Model:
    """Three stages of two blocks, as He et al. (2016) made for CIFAR, on half the pixels."""
    image = layers.Input(SHAPE, name="image")
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for filters, strides in ((16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        x = _block(x, filters, strides)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax", name="head")(x))


def _block(x: keras.KerasTensor, filters: int, strides: int) -> keras.KerasTensor:
    shortcut = x
    if strides > 1:
        shortcut = layers.Conv2D(filters, 1, strides=strides, use_bias=False)(x)
        shortcut = layers.BatchNormalization()(shortcut)
    x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(layers.Add()([x, shortcut]))


NETWORKS: dict[str, Callable[[], keras.Model]] = {
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3": mobilenet_v3,
    "efficientnet_b0": efficientnet_b0,
    "resnet": resnet,
}
