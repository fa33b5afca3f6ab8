"""Networks of `keras.applications` with random weights, at small images."""

import keras
from keras import applications, layers

from tests.zoo.models.families import CLASSES

SHAPE = (96, 96, 3)


def MobileNet() -> keras.Model:  # noqa: N802 - the table's name, and that of Keras, as all here
    return applications.MobileNet(weights=None, input_shape=SHAPE, classes=CLASSES)


def MobileNetV2() -> keras.Model:  # noqa: N802
    return applications.MobileNetV2(weights=None, input_shape=SHAPE, classes=CLASSES)


def MobileNetV3Small() -> keras.Model:  # noqa: N802
    return applications.MobileNetV3Small(weights=None, input_shape=SHAPE, classes=CLASSES)


def MobileNetV3Large() -> keras.Model:  # noqa: N802
    return applications.MobileNetV3Large(weights=None, input_shape=SHAPE, classes=CLASSES)


def EfficientNetB0() -> keras.Model:  # noqa: N802
    return applications.EfficientNetB0(weights=None, input_shape=SHAPE, classes=CLASSES)


def EfficientNetV2B0() -> keras.Model:  # noqa: N802
    return applications.EfficientNetV2B0(weights=None, input_shape=SHAPE, classes=CLASSES)


def NASNetMobile() -> keras.Model:  # noqa: N802
    return applications.NASNetMobile(weights=None, input_shape=SHAPE, classes=CLASSES)


def DenseNet121() -> keras.Model:  # noqa: N802
    return applications.DenseNet121(weights=None, input_shape=SHAPE, classes=CLASSES)


def VGG16() -> keras.Model:  # noqa: N802
    """Without its three dense layers, which have 120 of its 138 million weights."""
    base = applications.VGG16(weights=None, input_shape=SHAPE, include_top=False, pooling="avg")
    head = layers.Dense(CLASSES, activation="softmax", name="head")
    return keras.Model(base.inputs, head(base.output))


def Xception() -> keras.Model:  # noqa: N802
    return applications.Xception(weights=None, input_shape=SHAPE, classes=CLASSES)


def ResNet50() -> keras.Model:  # noqa: N802
    """With a thousand classes: 25 million weights, what memory is judged by."""
    return applications.ResNet50(weights=None, input_shape=SHAPE)


def ConvNeXtTiny() -> keras.Model:  # noqa: N802
    return applications.ConvNeXtTiny(weights=None, input_shape=SHAPE, classes=CLASSES)
