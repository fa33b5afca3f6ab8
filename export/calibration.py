"""The representative dataset that post-training quantization takes its ranges from. Light."""

from dataclasses import dataclass

import numpy as np

from export.manifest import Calibration
from train.artifact import array_sha256
from train.data import LabelledImages, Preprocessing, Split


@dataclass(frozen=True, kw_only=True)
class RepresentativeDataset:
    """Preprocessed `inputs` (N, …) float32 from the training split, and their record."""

    inputs: np.ndarray
    record: Calibration


def representative_dataset(
    training: LabelledImages, parts: Split, preprocessing: Preprocessing
) -> RepresentativeDataset:
    """Returns the split's fixed, class-balanced calibration images, preprocessed.

    Ranges are the minimum and maximum seen (both converters' default).
    """
    return RepresentativeDataset(
        inputs=preprocessing.apply(training.take(parts.calibration).images),
        record=Calibration(
            count=int(parts.calibration.size),
            sha256=array_sha256(parts.calibration),
            method="min-max",
        ),
    )
