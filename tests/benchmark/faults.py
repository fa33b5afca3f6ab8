"""Faults to plant in real exports, and how each is sealed so that its manifest hides it."""

import gzip
import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import flatbuffers
import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.candidates.trials import convert
from export.convert.job.inputs import ConversionInputs
from export.convert.source import SourceModel
from export.convert.tflite.file.builder import FILE_IDENTIFIER
from export.formats.settings import ExportOptions, resolve
from export.formats.table import FORMATS
from export.model.loaded import LoadedModel
from export.runtimes.open import open_runner
from train.common.files.artifact import file_sha256, sealed, write_json
from train.common.record import MODEL_FILE
from train.data import fashion_mnist as dataset
from train.data.fashion_mnist import INPUT_NAME, OUTPUT_NAME

FLOAT, INT8, PRUNED, ONNX = "tflite-float32", "tflite-int8", "tflite-int8-pruned", "onnx-float32"
INT16 = "tflite-int16x8"
RANDOM = np.random.RandomState(0)


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Honest exports, a copy in which another model was trained since, and what both are of."""

    honest: Path
    stale: Path
    loaded: LoadedModel
    inputs: ConversionInputs

    def file(self, like: str) -> bytes:
        return (self.honest / f"{like}{FORMATS[like].suffix}").read_bytes()

    def model(self, folder: Path | None = None) -> Any:
        return keras.saving.load_model((folder or self.honest) / MODEL_FILE, compile=False)

    def convert(self, like: str, model: Any, calibration: "Change" = np.array) -> bytes:
        """Converts a model as `python -m export` does, without verifying what comes out."""
        honest = self.inputs.representative
        assert honest is not None
        folder = Path(tempfile.mkdtemp(dir=self.stale.parent))
        found = replace(
            self.loaded,
            call=lambda named: {OUTPUT_NAME: model(named[INPUT_NAME], training=False)},
            keras_model=None,
        )
        inputs = {name: calibration(v).astype(np.float32) for name, v in honest.inputs.items()}
        source = SourceModel(
            found,
            representative=replace(honest, inputs=inputs),
            training=self.inputs.training,
            folder=folder,
        )
        settings = resolve([FORMATS[like]], ExportOptions())[like]
        method = settings.calibration_methods[0] if settings.calibration_methods else None
        return convert(FORMATS[like], settings, method, source)


Change = Callable[[np.ndarray], np.ndarray]
MakeFile = Callable[[str, Folders], bytes]
Edit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Fault:
    likes: tuple[str, ...]  # the formats whose files and manifests it starts from
    symptom: str  # a pattern that the reasons must match
    file: MakeFile = lambda like, folders: folders.file(like)
    edit: Edit = lambda manifest: None
    declared: bool = True  # whether the manifest states the file's tensors, or the honest file's
    sealed: bool = True  # whether the manifest is sealed after the edit


def other_weights(like: str, folders: Folders) -> bytes:
    return folders.convert(INT8 if like == PRUNED else like, folders.model(folders.stale))


def last_layer(change: Change) -> MakeFile:
    """Changes the last kernel, (units, 10), and the last bias, (10,)."""

    def make(like: str, folders: Folders) -> bytes:
        model = folders.model()
        model.layers[-1].set_weights([change(old) for old in model.layers[-1].get_weights()])
        return folders.convert(like, model)

    return make


def without_softmax(like: str, folders: Folders) -> bytes:
    """The classes stay the same; the outputs are no probabilities."""
    model = folders.model()
    model.layers[-1].activation = keras.activations.linear
    return folders.convert(like, model)


def bytes_of(other: str) -> MakeFile:
    """Takes the file of another format."""
    return lambda like, folders: folders.file(other)


def in_front(layer: Any) -> MakeFile:
    """Puts a layer between the input and the model."""

    def make(like: str, folders: Folders) -> bytes:
        image = keras.Input(dataset.IMAGE_SHAPE, name="image")
        return folders.convert(like, keras.Model(image, folders.model()(layer(image))))

    return make


def calibrated_on(change: Change) -> MakeFile:
    """Changes the inputs, (N, 28, 28), that the ranges are taken from."""
    return lambda like, folders: folders.convert(like, folders.model(), change)


def input_quantization(*, factor: float = 1, shift: int = 0) -> MakeFile:
    """Changes scale and zero point of the input in a `.tflite` file, and packs it anew."""

    def make(like: str, folders: Folders) -> bytes:
        tree = schema.ModelT.InitFromPackedBuf(bytearray(folders.file(like)))
        graph = tree.subgraphs[0]
        found = graph.tensors[graph.inputs[0]].quantization
        found.scale, found.zeroPoint = [found.scale[0] * factor], [found.zeroPoint[0] + shift]
        builder = flatbuffers.Builder(0)
        builder.Finish(tree.Pack(builder), file_identifier=FILE_IDENTIFIER)
        return bytes(builder.Output())

    return make


def update(*keys: str | int, **fields: Any) -> Edit:
    """Changes fields of the manifest, or of what is under these keys in it."""

    def change(found: Any) -> None:
        for key in keys:
            found = found[key]
        found.update(fields)

    return change


def some_test_images(manifest: dict[str, Any]) -> None:
    found = dataset.load_evaluation(None).take(slice(3)).short_hashes()
    manifest["calibration"]["examples"][:3] = found


UNDECLARED = r"got input .*, expected image \(1, 28, 28\) int8 scale 0\.00392157 zero -128"
SWAPPED = last_layer(lambda old: old[..., [0, 1, 4, 3, 2, 5, 6, 7, 8, 9]])
NOISE = calibrated_on(lambda inputs: RANDOM.uniform(0, 50, inputs.shape))
SHIFTED = last_layer(lambda old: np.roll(old, 1, axis=-1))
ONLY_BIAS = last_layer(lambda old: old * (old.ndim == 1))
NAN_BIAS = last_layer(lambda old: old * (1 if old.ndim > 1 else np.nan))
SHIFTED_LABELS = [*dataset.LABELS[1:], dataset.LABELS[0]]
TWICE, UNDONE = (in_front(keras.layers.Rescaling(scale)) for scale in (1 / 255, 255))
TRANSPOSED = in_front(keras.layers.Permute((2, 1)))
SCALE_OFF, ZERO_OFF = input_quantization(factor=2), input_quantization(shift=20)
FAULTS = {
    "other-weights": Fault((FLOAT, INT8, PRUNED, ONNX), "other weights", other_weights),
    "swapped": Fault((FLOAT, INT8), "Coat comes out as Pullover", SWAPPED),
    "scale": Fault((INT8,), "input quantization", SCALE_OFF),
    "zero-point": Fault((INT8,), "wrong input quantization", ZERO_OFF),
    "undeclared-scale": Fault((INT8,), UNDECLARED, SCALE_OFF, declared=False),
    "undeclared-zero-point": Fault((INT8,), UNDECLARED, ZERO_OFF, declared=False),
    "declared-raw": Fault(
        (FLOAT,), "normalization is not", edit=update("preprocessing", "image", scale=1)
    ),
    "declared-twice": Fault(
        (INT8,), "normalization is not", edit=update("preprocessing", "image", scale=1 / 255**2)
    ),
    "normalized-twice": Fault((FLOAT, ONNX), "normalization doubled", TWICE),
    "unnormalized": Fault((FLOAT, ONNX), "normalization missing", UNDONE),
    # an input that holds 0…1 and no more cannot be given what would show the cause
    "integer-normalized-twice": Fault((INT8,), "nearly constant", TWICE),
    "integer-unnormalized": Fault((INT8,), "are saturated", UNDONE),
    "axes": Fault((FLOAT, INT8, ONNX), "axis order changed", TRANSPOSED),
    "calibrated-on-noise": Fault((INT8, INT16), "calibrated on other data", NOISE),
    "calibrated-on-raw": Fault((INT8,), "input quantization", calibrated_on(lambda x: x * 255)),
    "calibrated-on-zeros": Fault((INT8,), "outside the range", calibrated_on(np.zeros_like)),
    "saturated": Fault((FLOAT, INT8), "are saturated", last_layer(lambda old: old * 50)),
    "constant": Fault((FLOAT, INT8), "output is constant", ONLY_BIAS),
    "nan": Fault((FLOAT, ONNX), "NaN", NAN_BIAS),
    "shifted": Fault((FLOAT, INT8), "all shifted by 1", SHIFTED),
    "shifted-names": Fault((INT8,), "labels are not", edit=update(labels=SHIFTED_LABELS)),
    "edited-check": Fault((INT8,), "edited", edit=update("checks", -1, value=0.5), sealed=False),
    "edited-accuracy": Fault((INT8,), "edited", edit=update("source", accuracy=1), sealed=False),
    "overlap": Fault((INT8,), "overlaps .*: 3 of its 500", edit=some_test_images),
}
# Planted under the format's own name, which promises types of weights, activations and input.
BROKEN_PROMISES = {
    "tflite-float32": "tflite-int8",
    "tflite-float16": "tflite-float32",
    "tflite-dynamic": "tflite-float32",
    "tflite-int8": "tflite-float32",
    "tflite-int16x8": "tflite-int8",
    "tflite-int8-pruned": "tflite-dynamic",
    "tflite-int8-qat": "tflite-int16x8",
    "tflite-int4": "tflite-float16",
    "onnx-float32": "onnx-float16",
    "onnx-float16": "onnx-float32",
    "onnx-dynamic": "onnx-float32",
    "onnx-int8": "onnx-dynamic",
}
UNRECORDED = update(checks=[], observations=[])
# Planted under the format's own name, with a manifest that recorded no check.
UNCHECKED = (
    {FLOAT: without_softmax, INT8: without_softmax, ONNX: without_softmax, INT16: NOISE},
    {FLOAT: SWAPPED, INT8: SCALE_OFF, ONNX: TRANSPOSED, INT16: ONLY_BIAS},
    {FLOAT: other_weights, INT8: ONLY_BIAS, ONNX: ONLY_BIAS, INT16: SWAPPED},
)
CONTROLS = {
    "converted": Fault((FLOAT, INT8, ONNX), "", last_layer(np.array)),
    "packed": Fault((INT8,), "", input_quantization()),
}


def plant(name: str, like: str, fault: Fault, folders: Folders, rows: Path) -> None:
    """Writes a row's file, and a manifest that fits it as far as the fault allows."""
    path = rows / f"{name}{FORMATS[like].suffix}"
    path.write_bytes(fault.file(like, folders))
    manifest = json.loads((folders.honest / f"{like}.json").read_text())
    manifest |= {
        "format": name,
        "file": path.name,
        "sha256": file_sha256(path),
        "size_bytes": path.stat().st_size,
        "gzip_bytes": len(gzip.compress(path.read_bytes(), mtime=0)),
    }
    if fault.declared:
        with open_runner(manifest["runtime"], path, threads=1) as runner:
            for side in ("inputs", "outputs"):
                manifest[side] = [asdict(spec) for spec in getattr(runner, side)]
    manifest = sealed(manifest)
    fault.edit(manifest)
    write_json(rows / f"{name}.json", sealed(manifest) if fault.sealed else manifest)


def rows_of(faults: dict[str, Fault]) -> dict[str, tuple[str, Fault]]:
    """Returns each row's format and fault."""
    return {
        f"{name}-{like}": (like, found) for name, found in faults.items() for like in found.likes
    }
