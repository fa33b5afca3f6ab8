"""The converter calls of an export and nothing else: the other side of `make bench`'s ratio.

One import of TensorFlow, one load of the model, one representative dataset; no verification,
no choice of calibration, no manifest.
"""

import sys
from pathlib import Path

from export.convert.job.job import ReferenceJob
from export.convert.onnx import converter as onnx
from export.convert.source import SourceModel
from export.convert.tflite import converter as tflite
from export.formats.settings import ExportOptions, resolve
from export.formats.table import FORMATS
from export.model.load import load_model


def main(folder: Path, names: list[str]) -> None:
    """Converts the model in a folder to each format, by every calibration method it can use."""
    job = ReferenceJob(artifacts=folder)
    model = load_model(job.request)
    inputs = job.conversion_inputs(model.inputs, model.outputs, folder)
    source = SourceModel(
        model,
        representative=inputs.representative,
        training=inputs.training,
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
