"""The Keras model that is exported, loaded once and shared by every format. Heavy."""

import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from export.calibration import RepresentativeDataset, halves_difference
from train.data import LabelledImages, Preprocessing
from train.errors import ArtifactError
from train.model import INPUT_NAME, OUTPUT_NAME


class SourceModel:
    """A loaded Keras model with one input and one output, and what converters need of it.

    Attributes:
        model: the Keras model.
        representative: the calibration inputs.
        folder: a temporary folder for converters' intermediate files.
        float_twins: float32 TFLite files by batch, which other formats are derived from.
    """

    def __init__(
        self,
        path: Path,
        *,
        representative: RepresentativeDataset,
        training: LabelledImages,
        preprocessing: Preprocessing,
        folder: Path,
    ) -> None:
        """Loads the model; nothing in the file is executed.

        Args:
            path: the `.keras` file.
            representative: the calibration inputs.
            training: the training split, for formats that fine-tune.
            preprocessing: what turns its images into the model's input.
            folder: a temporary folder.

        Raises:
            ArtifactError: the file is not a Keras model that can be loaded safely, or its
                weights are not finite numbers.
        """
        try:
            self.model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ArtifactError(
                f"{path} is not a Keras model that can be loaded ({reason}); "
                "run `python -m train` again"
            ) from error
        found, wanted = representative.inputs.shape[1:], tuple(self.model.input_shape[1:])
        if found != wanted:
            raise ArtifactError(
                f"{path}: got calibration images of shape {found}, expected {wanted}, the model's "
                "input; give data of that shape, or train the model on these images"
            )
        for weight in self.model.weights:
            if not np.isfinite(np.asarray(weight)).all():
                raise ArtifactError(
                    f"{path}: weight {weight.path} holds NaN or infinity, expected finite numbers; "
                    "train the model again, with a lower learning rate"
                )
        self.representative = representative
        self.folder = folder
        self._training = training
        self._preprocessing = preprocessing
        self._teacher: tuple[np.ndarray, np.ndarray] | None = None
        self.float_twins: dict[int | None, bytes] = {}
        self._saved_models: dict[int | None, Path] = {}
        self._halves_difference: float | None = None

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

    def halves_difference(self) -> float:
        """Returns how far the ranges of two halves of the calibration images differ, 0…1."""
        if self._halves_difference is None:
            outputs = {layer.name: layer.output for layer in self.model.layers}
            activations = keras.Model(self.model.inputs, outputs)
            values = activations.predict(self.representative.inputs, verbose=0)
            self._halves_difference = halves_difference(values)
        return self._halves_difference

    def training_count(self) -> int:
        """Returns how many training images there are."""
        return int(self._training.labels.size)

    def distillation(self, teacher_share: float) -> tuple[np.ndarray, np.ndarray]:
        """Returns what a copy of the model is fine-tuned on, from the training split.

        Returns:
            Inputs (N, …) float32, preprocessed, and targets (N, classes) float32: the model's
            own outputs in their share, mixed with the labels' one-hot vectors.
        """
        if self._teacher is None:
            inputs = self._preprocessing.apply(self._training.images)
            self._teacher = inputs, self.outputs(inputs)
        inputs, outputs = self._teacher
        labels = np.eye(outputs.shape[1], dtype=np.float32)[self._training.labels]
        return inputs, teacher_share * outputs + (1 - teacher_share) * labels

    def saved_model(self, batch: int | None) -> Path:
        """Returns the model's SavedModel with a fixed or open batch, written when first asked for.

        TFLite's converter reads it rather than a concrete function, whose variables it leaves
        unfrozen for a Keras 3 model: that succeeds, and the 3 kB file knows nothing. A fixed
        batch keeps SHAPE, STRIDED_SLICE and PACK out of the graph.
        """
        if batch not in self._saved_models:
            folder = self.folder / f"saved_model-{batch or 'dynamic'}"
            archive = keras.export.ExportArchive()
            archive.track(self.model)
            archive.add_endpoint(
                "serving_default", self.serve, input_signature=[self.signature(batch)]
            )
            archive.write_out(str(folder), verbose=False)
            self._saved_models[batch] = folder
        return self._saved_models[batch]
