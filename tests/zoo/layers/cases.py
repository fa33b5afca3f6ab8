"""Every layer of `keras.layers` alone, with default arguments or the least that it takes."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from keras import layers as kl

Shapes = tuple[tuple[int, ...], tuple[int, ...]]
Kind = Literal["floats", "tokens", "text"]
ROWS: Shapes = ((8,), (5, 4))
SIGNALS: Shapes = ((16, 4), (9, 1))
IMAGES: Shapes = ((16, 16, 3), (9, 7, 1))
PICTURES: Shapes = ((16, 16, 3), (12, 20, 3))
VOLUMES: Shapes = ((6, 6, 6, 2), (7, 5, 4, 1))
FILMS: Shapes = ((4, 8, 8, 2), (3, 7, 6, 1))
WORDS: Shapes = ((6,), (4, 3))
NUMBERS: Shapes = ((6,), (1,))  # one feature each
WAVES: Shapes = ((512,), (700,))
VOCABULARY = 20


@dataclass(frozen=True, kw_only=True)
class Case:
    """A layer alone.

    Attributes:
        make: returns the layer, or a function of its inputs.
        shapes: of each input, without the batch: two to try.
        inputs: how many inputs.
        kind: what they hold: standard normal numbers, integers below `VOCABULARY`, or text.
    """

    make: Callable[[], Callable[..., Any]]
    shapes: Shapes
    inputs: int = 1
    kind: Kind = "floats"

    def model(self, shape: tuple[int, ...]) -> keras.Model:
        """Returns the layer as a model of inputs of a shape."""
        dtype = {"floats": "float32", "tokens": "int32", "text": "string"}[self.kind]
        inputs = [kl.Input(shape, dtype=dtype, name=f"x{n}") for n in range(self.inputs)]
        return keras.Model(inputs, self.make()(inputs if self.inputs > 1 else inputs[0]))

    def data(self, shape: tuple[int, ...], count: int) -> dict[str, np.ndarray]:
        """Returns random values for the model's inputs, (count, …) by name."""
        random = np.random.RandomState(0)
        names = [f"x{n}" for n in range(self.inputs)]
        size = (count, *shape)
        if self.kind == "floats":
            return {name: random.normal(size=size).astype(np.float32) for name in names}
        values = {name: random.randint(1, VOCABULARY, size).astype(np.int32) for name in names}
        return {k: v.astype(str) for k, v in values.items()} if self.kind == "text" else values


def _case(make: Callable[[], Callable[..., Any]], shapes: Shapes, inputs: int = 1) -> Case:
    return Case(make=make, shapes=shapes, inputs=inputs)


def _tokens(make: Callable[[], Callable[..., Any]], shapes: Shapes, inputs: int = 1) -> Case:
    return Case(make=make, shapes=shapes, inputs=inputs, kind="tokens")


def _by_rank(name: str, *arguments: Any) -> dict[str, Case]:
    """Returns the layers of one, two and three dimensions of a name."""
    found = {}
    for rank, shapes in ((1, SIGNALS), (2, IMAGES), (3, VOLUMES)):
        cls = getattr(kl, f"{name}{rank}D", None) or getattr(kl, f"{name[:-9]}{rank}DTranspose")
        found[cls.__name__] = _case(lambda cls=cls: cls(*arguments), shapes)  # type: ignore[misc]
    return found


def _attention(layer: Callable[..., Any]) -> Callable[..., Any]:
    return lambda inputs: layer(*inputs)  # query and value


def _labelled(layer: Callable[..., Any]) -> Callable[..., Any]:
    """A layer that mixes images and their labels, which it takes in a dict."""
    return lambda image: layer({"images": image, "labels": image[:, 0, 0, :]})["images"]


RANDOM: Mapping[str, tuple[Any, ...]] = {
    **dict.fromkeys(("RandomBrightness", "RandomColorDegeneration", "RandomContrast"), (0.2,)),
    **dict.fromkeys(("RandomHue", "RandomRotation"), (0.2,)),
    "RandomPosterization": (4,),
    **dict.fromkeys(("RandomSaturation", "RandomSharpness", "RandomZoom"), (0.2,)),
    **dict.fromkeys(("AugMix", "AutoContrast", "RandAugment"), ()),
    **dict.fromkeys(("RandomColorJitter", "RandomElasticTransform", "RandomErasing"), ()),
    **dict.fromkeys(("RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomInvert"), ()),
    **dict.fromkeys(("RandomPerspective", "RandomShear", "Solarization"), ()),
    "ContrastLimitedAdaptiveHistogramEqualization": (),
    "RandomTranslation": (0.2, 0.2),
    "RandomCrop": (8, 8),
    "CenterCrop": (8, 8),
    "Resizing": (8, 8),
}
MERGING = ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")
PLAIN = (
    *("ActivityRegularization", "BatchNormalization", "ELU", "Flatten", "Identity"),
    *("LayerNormalization", "LeakyReLU", "PReLU", "ReLU", "RMSNormalization", "Softmax"),
    "UnitNormalization",
)
NOISE = ("AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise")
CASES: dict[str, Case] = {
    **{name: _case(getattr(kl, name), ROWS) for name in PLAIN},
    **{name: _case(lambda n=name: getattr(kl, n)(0.2), ROWS) for name in NOISE},  # type: ignore[misc]
    **{name: _case(getattr(kl, name), ROWS, 2) for name in MERGING},
    **{
        name: _case(lambda n=name, a=arguments: getattr(kl, n)(*a), PICTURES)  # type: ignore[misc]
        for name, arguments in RANDOM.items()
    },
    "CutMix": _case(lambda: _labelled(kl.CutMix()), PICTURES),
    "MixUp": _case(lambda: _labelled(kl.MixUp()), PICTURES),
    **_by_rank("AdaptiveAveragePooling", 2),
    **_by_rank("AdaptiveMaxPooling", 2),
    **_by_rank("AveragePooling", 2),
    **_by_rank("MaxPooling"),
    **_by_rank("GlobalAveragePooling"),
    **_by_rank("GlobalMaxPooling"),
    **_by_rank("Conv", 4, 3),
    **_by_rank("ConvTranspose", 4, 3),
    **_by_rank("Cropping"),
    **_by_rank("SpatialDropout", 0.2),
    **_by_rank("UpSampling"),
    **_by_rank("ZeroPadding"),
    "DepthwiseConv1D": _case(lambda: kl.DepthwiseConv1D(3), SIGNALS),
    "DepthwiseConv2D": _case(lambda: kl.DepthwiseConv2D(3), IMAGES),
    "SeparableConv1D": _case(lambda: kl.SeparableConv1D(4, 3), SIGNALS),
    "SeparableConv2D": _case(lambda: kl.SeparableConv2D(4, 3), IMAGES),
    "ConvLSTM1D": _case(lambda: kl.ConvLSTM1D(4, 3), ((4, 8, 2), (3, 7, 1))),
    "ConvLSTM2D": _case(lambda: kl.ConvLSTM2D(4, 3), FILMS),
    "ConvLSTM3D": _case(lambda: kl.ConvLSTM3D(2, 2), ((3, 4, 4, 4, 1), (2, 5, 4, 3, 2))),
    "Activation": _case(lambda: kl.Activation("tanh"), ROWS),
    "Dense": _case(lambda: kl.Dense(4), ROWS),
    "EinsumDense": _case(lambda: kl.EinsumDense("abc,cd->abd", (None, 4)), ((5, 8), (3, 4))),
    "Dot": _case(lambda: kl.Dot(axes=-1), ((8,), (5, 5)), 2),
    "AdditiveAttention": _case(lambda: kl.AdditiveAttention(), SIGNALS, 2),
    "Attention": _case(lambda: kl.Attention(), SIGNALS, 2),
    "MultiHeadAttention": _case(lambda: _attention(kl.MultiHeadAttention(2, 4)), SIGNALS, 2),
    "GroupedQueryAttention": _case(lambda: _attention(kl.GroupQueryAttention(4, 4, 2)), SIGNALS, 2),
    "GroupNormalization": _case(lambda: kl.GroupNormalization(2), ((8,), (9, 7, 4))),
    "SpectralNormalization": _case(lambda: kl.SpectralNormalization(kl.Dense(4)), ROWS),
    "Normalization": _case(lambda: kl.Normalization(mean=0.5, variance=4.0), ROWS),
    "Rescaling": _case(lambda: kl.Rescaling(1 / 255), ROWS),
    "Masking": _case(lambda: kl.Masking(), SIGNALS),
    "Permute": _case(lambda: kl.Permute((2, 1)), SIGNALS),
    "Reshape": _case(lambda: kl.Reshape((2, -1)), ((8,), (6, 4))),
    "RepeatVector": _case(lambda: kl.RepeatVector(3), ((8,), (5,))),
    "TimeDistributed": _case(lambda: kl.TimeDistributed(kl.Dense(4)), SIGNALS),
    "Bidirectional": _case(lambda: kl.Bidirectional(kl.LSTM(4)), SIGNALS),
    "GRU": _case(lambda: kl.GRU(4), SIGNALS),
    "LSTM": _case(lambda: kl.LSTM(4), SIGNALS),
    "SimpleRNN": _case(lambda: kl.SimpleRNN(4), SIGNALS),
    "RNN": _case(lambda: kl.RNN(kl.SimpleRNNCell(4)), SIGNALS),
    "GRUCell": _case(lambda: kl.RNN(kl.GRUCell(4)), SIGNALS),
    "LSTMCell": _case(lambda: kl.RNN(kl.LSTMCell(4)), SIGNALS),
    "SimpleRNNCell": _case(lambda: kl.RNN(kl.SimpleRNNCell(4)), SIGNALS),
    "StackedRNNCells": _case(lambda: kl.RNN(kl.StackedRNNCells([kl.LSTMCell(3)] * 1)), SIGNALS),
    "MelSpectrogram": _case(lambda: kl.MelSpectrogram(256, 128), WAVES),
    "STFTSpectrogram": _case(lambda: kl.STFTSpectrogram(), ((512, 1), (700, 2))),
    "Pipeline": _case(lambda: kl.Pipeline([kl.Rescaling(0.5), kl.Resizing(8, 8)]), PICTURES),
    "Lambda": _case(lambda: kl.Lambda(keras.ops.abs), ROWS),
    "Discretization": _case(lambda: kl.Discretization([-1.0, 0.0, 1.0]), ROWS),
    "Embedding": _tokens(lambda: kl.Embedding(VOCABULARY, 4), WORDS),
    "ReversibleEmbedding": _tokens(lambda: kl.ReversibleEmbedding(VOCABULARY, 4), WORDS),
    "CategoryEncoding": _tokens(lambda: kl.CategoryEncoding(VOCABULARY), NUMBERS),
    "IntegerLookup": _tokens(lambda: kl.IntegerLookup(vocabulary=[1, 2, 3]), WORDS),
    "Hashing": _tokens(lambda: kl.Hashing(5), WORDS),
    "HashedCrossing": _tokens(lambda: kl.HashedCrossing(5), ((1,), (1,)), 2),
    "StringLookup": Case(
        make=lambda: kl.StringLookup(vocabulary=["1", "2"]), shapes=WORDS, kind="text"
    ),
    "TextVectorization": Case(
        make=lambda: kl.TextVectorization(vocabulary=["1", "2"], output_sequence_length=3),
        shapes=((1,), ()),
        kind="text",
    ),
}
# No layers by themselves, of another framework, or of more than arrays; and one that gives back its
# input, of which Keras makes no model.
WITHOUT = {
    *("InputLayer", "Layer", "Wrapper", "Equalization"),
    *("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"),
    "MaxNumBoundingBoxes",
}


def every_layer() -> set[str]:
    """Returns the names of the layers that Keras has."""
    found = (value for value in vars(kl).values() if inspect.isclass(value))
    return {value.__name__ for value in found if issubclass(value, kl.Layer)}
