"""Small recurrent networks as integer files, and loops alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from export.convert.calibrate.calibration import RepresentativeDataset
from export.convert.candidates.trials import convert
from export.convert.source import SourceModel
from export.convert.tflite.recurrent.ranges import ranges_of
from export.formats.settings import ExportOptions
from export.formats.table import FORMATS
from export.model.load import load_model
from export.model.request import ModelRequest
from tests.export.conftest import settings_of
from tests.export.convert.tflite.recurrent.layers import layer_of, loop_file, sequences
from tests.export.deploy.c.files import WORDS

INT8 = FORMATS["tflite-int8"]
STEPS, FEATURES = 20, 4
L = keras.layers
Part = Callable[[Any], Any]


def _handed_on(x: Any) -> Any:
    """Reads the sequence again, from the states of the first time on."""
    _, h, c = L.LSTM(6, return_state=True)(x)
    return L.LSTM(6)(x, initial_state=[h, c])


MODELS: dict[str, Callable[[], list[Part]]] = {
    "stacked": lambda: [L.LSTM(6, return_sequences=True), L.GRU(5)],
    "lstm": lambda: [L.LSTM(7)],
    "bidirectional": lambda: [L.Bidirectional(L.LSTM(6, return_sequences=True)), L.LSTM(5)],
    "both_ways": lambda: [L.Bidirectional(L.GRU(5), merge_mode="mul")],
    "masked": lambda: [L.Masking(), L.Bidirectional(L.LSTM(6, return_sequences=True)), L.GRU(5)],
    "handed_on": lambda: [_handed_on],
    "words": lambda: [L.Embedding(WORDS, 5, mask_zero=True), L.GRU(6)],
    "all_words": lambda: [L.Embedding(WORDS, 5), L.LSTM(6)],
}

OF_WORDS = ("words", "all_words")


def model_file(kind: str, folder: Path, steps: int = STEPS) -> Path:
    """Returns `tflite-int8` of a network, as `--recurrent auto` makes it."""
    keras.utils.set_random_seed(1)
    words = kind in OF_WORDS
    x = y = keras.Input(
        (steps,) if words else (steps, FEATURES), dtype="int32" if words else None, name="x"
    )
    for layer in MODELS[kind]():
        y = layer(y)
    keras.Model(x, L.Dense(3, name="head")(y)).save(folder / "model.keras")
    source = SourceModel(
        load_model(ModelRequest(path=str(folder / "model.keras"))),
        representative=RepresentativeDataset(
            inputs={"x": examples(kind, 50, steps)}, sha256="", examples=()
        ),
        training=None,
        folder=folder,
    )
    path = folder / f"{kind}.tflite"
    path.write_bytes(convert(INT8, settings_of(INT8, ExportOptions()), "min-max", source))
    return path


def examples(kind: str, count: int, steps: int = STEPS) -> np.ndarray:
    """Returns sequences (count, steps, FEATURES) float32, or of words (count, steps) int32.

    They end with zeros.
    """
    random = np.random.default_rng(2)
    found = random.normal(size=(count, steps, FEATURES)).astype(np.float32)
    if kind in OF_WORDS:
        found = random.integers(1, WORDS, (count, steps)).astype(np.int32)
    for example in found:
        example[random.integers(1, steps + 1) :] = 0
    return found


def of_cell(kind: str, path: Path, **options: Any) -> Path:
    """Writes the file of a loop alone."""
    _, cell = layer_of(kind)
    backwards = bool(options.get("go_backwards"))
    ranges = ranges_of(cell, sequences(1), None, go_backwards=backwards)
    path.write_bytes(loop_file(cell, ranges, **options))
    return path
