"""The converter calls of an export and nothing else: the other side of `make bench`'s ratio.

One import of TensorFlow, one load of the model, one representative dataset; no verification,
no choice of calibration, no manifest.
"""

import sys
from pathlib import Path

from export.convert import onnx, tflite
from export.convert.inputs import reference_material
from export.convert.source import SourceModel
from export.formats import FORMATS
from export.settings import ExportOptions, resolve
from train.common.record import read_model_record


def main(folder: Path, names: list[str]) -> None:
    """Converts the model in a folder to each format, by every calibration method it can use."""
    material = reference_material(read_model_record(folder), None, None)
    source = SourceModel(
        material.model,
        representative=material.representative,
        training=material.training,
        folder=folder,
    )
    formats = [FORMATS[name] for name in names]
    for entry in formats:
        settings = resolve(formats, ExportOptions())[entry.name]
        converter = tflite if entry.family == "tflite" else onnx
        for method in settings.calibration_methods or (None,):
            converter.convert(entry, settings, method, source)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
