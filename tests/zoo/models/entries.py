"""The models of the zoo, by name."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["keras", "h5", "saved-model"]
Module = Literal["families", "tabular", "signals", "applications"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A model of the zoo.

    Attributes:
        name: its row's name.
        module: where in this package its function is; the function bears the entry's name.
        examples: how many random examples it is calibrated and verified with, a fifth of them
            to verify.
        high: the largest value of its float inputs, whose least is 0; integer inputs are below
            `families.WORDS`.
        kind: what kind of file it is exported from.
        options: what else the command line needs.
    """

    name: str
    module: Module = "families"
    examples: int = 400
    high: float = 1.0
    kind: Kind = "keras"
    options: tuple[str, ...] = ()

    @property
    def function(self) -> str:
        """`package.module:callable` that returns the model."""
        return f"tests.zoo.models.{self.module}:{self.name}"


def _of(module: Module, *names: str) -> list[Entry]:
    return [Entry(name=name, module=module) for name in names]


def _application(name: str, *, examples: int = 100, high: float = 1.0) -> Entry:
    return Entry(name=name, module="applications", examples=examples, high=high)


CUSTOM = ("--custom-objects", "tests.zoo.models.families")
ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(name="mlp"),
        Entry(name="residual_cnn"),
        Entry(name="separable_cnn"),
        Entry(name="conv1d"),
        Entry(name="autoencoder"),
        Entry(name="unet", examples=200),
        Entry(name="lstm"),
        Entry(name="gru"),
        Entry(name="bidirectional"),
        Entry(name="embedding"),
        Entry(name="attention"),
        Entry(name="two_in_two_out"),
        Entry(name="subclassed", options=(*CUSTOM, "--shape", "image=1,16,16,3")),
        Entry(name="legacy_h5", kind="h5"),
        Entry(name="saved_model", kind="saved-model"),
        *_of("tabular", "tabular", "seven_inputs", "dense_autoencoder", "unit_vectors"),
        *_of("tabular", "fuzzy_rules", "mixture"),
        *_of("signals", "separable_signal", "heartbeat", "time_distributed", "frames"),
        *_of("signals", "detector", "causal_transformer"),
        _application("MobileNet"),
        _application("MobileNetV2"),
        _application("MobileNetV3Small", high=255.0),
        _application("MobileNetV3Large", high=255.0),
        _application("EfficientNetB0", high=255.0),
        _application("EfficientNetV2B0", high=255.0),
        _application("NASNetMobile"),
        _application("DenseNet121"),
        _application("VGG16"),
        _application("Xception"),
        _application("ResNet50"),
        _application("ConvNeXtTiny", high=255.0),
    )
}
