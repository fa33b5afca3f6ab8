"""The Keras model that is exported, loaded once and shared by every format. Heavy."""

import zipfile
from functools import cached_property
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from export.calibration import RepresentativeDataset
from train.errors import ArtifactError
from train.model import INPUT_NAME, OUTPUT_NAME


class SourceModel:
    """A loaded Keras model with one input and one output, and what converters need of it.

    Attributes:
        model: the Keras model.
        representative: the calibration inputs.
        folder: a temporary folder for converters' intermediate files.
    """

    def __init__(self, path: Path, representative: RepresentativeDataset, folder: Path) -> None:
        """Loads the model; nothing in the file is executed.

        Raises:
            ArtifactError: the file is not a Keras model that can be loaded safely.
        """
        try:
            self.model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ArtifactError(
                f"{path} is not a Keras model that can be loaded ({reason}); "
                "run `python -m train` again"
            ) from error
        self.representative = representative
        self.folder = folder

    def signature(self, batch: int | None) -> tf.TensorSpec:
        """Returns the input's TensorFlow signature with a fixed or open batch dimension."""
        return tf.TensorSpec((batch, *self.model.input_shape[1:]), tf.float32, name=INPUT_NAME)

    def serve(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Runs the model for inference, its output named as in the contract."""
        return {OUTPUT_NAME: self.model(image, training=False)}

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """Returns the model's outputs, (N, classes) float32, of preprocessed inputs."""
        return np.asarray(self.model.predict(inputs, batch_size=1_000, verbose=0))

    def weight_count(self) -> int:
        """Returns how many numbers the model's weights hold."""
        return int(self.model.count_params())

    @cached_property
    def saved_model(self) -> Path:
        """The model as a SavedModel with a batch of one, written when first asked for.

        TFLite's converter reads it rather than a concrete function, whose variables it leaves
        unfrozen for a Keras 3 model: that succeeds, and the 3 kB file knows nothing. The fixed
        batch keeps SHAPE, STRIDED_SLICE and PACK out of the graph.
        """
        folder = self.folder / "saved_model"
        archive = keras.export.ExportArchive()
        archive.track(self.model)
        archive.add_endpoint("serving_default", self.serve, input_signature=[self.signature(1)])
        archive.write_out(str(folder), verbose=False)
        return folder
