"""The converter calls of an export and nothing else: the other side of `make bench`'s ratio.

One import of TensorFlow, one load of the model, one representative dataset; no verification,
no choice of calibration, no manifest.
"""

import sys
from pathlib import Path

from export.calibration import representative_dataset
from export.converters import onnx, tflite
from export.formats import FORMATS
from export.settings import ExportOptions, resolve
from export.source import SourceModel
from train import data as dataset


def main(folder: Path, names: list[str]) -> None:
    """Converts the model in a folder to each format, by every calibration method it can use."""
    training = dataset.load_train(None)
    parts = dataset.split(training.labels)
    source = SourceModel(
        folder / "model.keras",
        representative=representative_dataset(training, parts, dataset.PREPROCESSING),
        training=training.take(parts.train),
        preprocessing=dataset.PREPROCESSING,
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
