"""Every fault that the benchmark must catch, planted in a real export whose manifest is sealed anew.

No hash gives a fault away unless its row says so: what is left is what the export does. Each fault
is a row of one folder, and the benchmark runs once over all of them.
"""

import gzip
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import keras
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.calibration import RepresentativeDataset, representative_dataset
from export.converters.flatbuffer import FILE_IDENTIFIER
from export.formats import FORMATS
from export.manifest import sealed
from export.pipeline import convert, expectation, make
from export.runners import open_runner
from export.settings import ExportOptions, resolve
from export.source import SourceModel
from train import data as dataset
from train.artifact import file_sha256, write_json
from train.data import PREPROCESSING
from train.record import MODEL_FILE, read_model_record

pytestmark = pytest.mark.slow

HONEST = ("tflite-float32", "tflite-int8", "tflite-int8-pruned", "onnx-float32")
SWAPPED = [0, 1, 4, 3, 2, 5, 6, 7, 8, 9]  # Pullover and Coat
OTHER_WEIGHTS = "other weights"
Content = dict[str, Any]


class Forge:
    """Where faults are made, by the real converters, of a folder of honest exports."""

    def __init__(self, honest: Path, older: Path, folder: Path, work: Path) -> None:
        self.honest, self.older, self.folder, self._work = honest, older, folder, work
        self._training = dataset.load_train(None)
        self.test = dataset.load_test(None)
        self._serial = 0

    def model(self, folder: Path | None = None) -> Any:
        return keras.saving.load_model((folder or self.honest) / MODEL_FILE, compile=False)

    def source(self, model: Any, calibration: RepresentativeDataset | None = None) -> SourceModel:
        self._serial += 1
        work = self._work / str(self._serial)
        work.mkdir()
        model.save(work / MODEL_FILE)
        parts = dataset.split(self._training.labels)
        return SourceModel(
            work / MODEL_FILE,
            representative=calibration
            or representative_dataset(self._training, parts, PREPROCESSING),
            training=self._training,
            preprocessing=PREPROCESSING,
            folder=work,
        )

    def convert(
        self, like: str, model: Any, calibration: RepresentativeDataset | None = None
    ) -> bytes:
        entry = FORMATS[like]
        settings = resolve([entry], ExportOptions())[like]
        method = (*settings.calibration_methods, None)[0]
        return convert(entry, settings, method, self.source(model, calibration))

    def plant(self, name: str, fault: "Fault") -> None:
        """Writes a fault's file and its manifest, which fits it in every hash and size."""
        original = json.loads((self.honest / f"{fault.like}.json").read_text())
        path = self.folder / f"{name}{FORMATS[fault.like].suffix}"
        path.write_bytes(fault.file(self, fault.like))
        with open_runner(original["runtime"], path, threads=1) as runner:
            declared = {"inputs": [asdict(runner.input)], "outputs": [asdict(runner.output)]}
        manifest = sealed(
            {
                **original,
                **(declared if fault.is_declared else {}),
                "format": name,
                "file": path.name,
                "sha256": file_sha256(path),
                "size_bytes": path.stat().st_size,
                "gzip_bytes": len(gzip.compress(path.read_bytes(), mtime=0)),
            }
        )
        fault.manifest(self, manifest)
        content = sealed(manifest) if fault.is_sealed else manifest
        write_json(self.folder / f"{name}.json", content)


def untouched_file(forge: Forge, like: str) -> bytes:
    return (forge.honest / f"{like}{FORMATS[like].suffix}").read_bytes()


def untouched_manifest(forge: Forge, manifest: Content) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Fault:
    """An export's format, what is wrong with file or manifest, and a pattern of the reasons."""

    like: str
    symptom: str
    file: Callable[[Forge, str], bytes] = untouched_file
    manifest: Callable[[Forge, Content], None] = untouched_manifest
    is_declared: bool = True
    is_sealed: bool = True


def older_model(forge: Forge, like: str) -> bytes:
    return forge.convert(like, forge.model(forge.older))


def classes(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Forge, str], bytes]:
    """Changes the last layer's kernel, (units, 10), and bias, (10,)."""

    def file(forge: Forge, like: str) -> bytes:
        model = forge.model()
        layer = model.layers[-1]
        layer.set_weights([change(weights) for weights in layer.get_weights()])
        return forge.convert(like, model)

    return file


def in_front(layer: Any) -> Callable[[Forge, str], bytes]:
    """Puts a layer between the input and the model."""

    def file(forge: Forge, like: str) -> bytes:
        image = keras.Input((28, 28), name="image")
        return forge.convert(like, keras.Model(image, forge.model()(layer(image))))

    return file


def calibrated_on(inputs: np.ndarray) -> Callable[[Forge, str], bytes]:
    """Takes the ranges from these inputs, (N, 28, 28) float32."""
    garbage = RepresentativeDataset(inputs=inputs.astype(np.float32), sha256="", images=())
    return lambda forge, like: forge.convert(like, forge.model(), garbage)


def edited_tflite(change: Callable[[Any], None]) -> Callable[[Forge, str], bytes]:
    """Changes the flatbuffer's tree."""

    def file(forge: Forge, like: str) -> bytes:
        content = untouched_file(forge, like)
        tree = schema.ModelT.InitFromPackedBuf(bytearray(content))
        change(tree)
        builder = flatbuffers.Builder(len(content))
        builder.Finish(tree.Pack(builder), file_identifier=FILE_IDENTIFIER)
        return bytes(builder.Output())

    return file


def input_quantization(*, factor: float = 1, shift: int = 0) -> Callable[[Forge, str], bytes]:
    def change(tree: Any) -> None:
        graph = tree.subgraphs[0]
        found = graph.tensors[graph.inputs[0]].quantization
        found.scale = [found.scale[0] * factor]
        found.zeroPoint = [found.zeroPoint[0] + shift]

    return edited_tflite(change)


def nan_in_tflite(tree: Any) -> None:
    graph = tree.subgraphs[0]
    (bias,) = (tensor for tensor in graph.tensors if list(tensor.shape) == [10])
    values = np.asarray(tree.buffers[bias.buffer].data, np.uint8).view(np.float32).copy()
    values[0] = np.nan
    tree.buffers[bias.buffer].data = values.view(np.uint8)


def nan_in_onnx(forge: Forge, like: str) -> bytes:
    model = onnx.load_from_string(untouched_file(forge, like))
    (bias,) = (item for item in model.graph.initializer if list(item.dims) == [10])
    values = onnx.numpy_helper.to_array(bias).copy()
    values[0] = np.nan
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    return bytes(model.SerializeToString())


def normalized_by(scale: float) -> Callable[[Forge, Content], None]:
    def change(forge: Forge, manifest: Content) -> None:
        manifest["preprocessing"]["scale"] = scale

    return change


def shifted_labels(forge: Forge, manifest: Content) -> None:
    manifest["labels"] = [*manifest["labels"][1:], manifest["labels"][0]]


def better_check(forge: Forge, manifest: Content) -> None:
    (check,) = (check for check in manifest["checks"] if check["name"] == "agreement")
    check["value"] = 0.5


def better_accuracy(forge: Forge, manifest: Content) -> None:
    manifest["source"]["accuracy"] = 0.9


def some_test_images(forge: Forge, manifest: Content) -> None:
    manifest["calibration"]["images"][:3] = dataset.image_hashes(forge.test.images[:3])


def calibrated_on_test_images(forge: Forge, manifest: Content) -> None:
    """A real export, verified and audited, that was given the test images to calibrate on."""
    entry = FORMATS["tflite-int8"]
    parts = dataset.split(forge.test.labels)
    images = representative_dataset(forge.test, parts, PREPROCESSING)
    source = forge.source(forge.model(), images)
    expected = expectation(
        source, forge.test.take(parts.validation), read_model_record(forge.honest)
    )
    settings = resolve([entry], ExportOptions())[entry.name]
    made = make(entry, settings, source, expected, source.folder)
    assert made.calibration is not None
    made.path.replace(forge.folder / manifest["file"])
    path = forge.folder / manifest["file"]
    manifest |= {
        "sha256": file_sha256(path),
        "size_bytes": path.stat().st_size,
        "calibration": asdict(made.calibration),
    }
