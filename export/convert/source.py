"""The Keras model that is exported, loaded once and shared by every format."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from export.convert.calibrate.calibration import RepresentativeDataset, halves_difference
from export.convert.calibrate.layers import has_layers, layer_outputs
from export.convert.calibrate.rounding import Roundings
from export.convert.job.inputs import Training
from export.convert.recurrent.description import recurrent_layers
from export.convert.tflite.recurrent.choice import Choice, Layer
from export.convert.tflite.recurrent.marks import Call, calls_in, marked
from export.convert.tflite.recurrent.put_in import Marked
from export.convert.tflite.rewrites import saved_graph
from export.model.loaded import LoadedModel, batch_size
from export.model.rounding import rounded_otherwise
from train.common.errors import ArtifactError, ToolkitError
from train.common.preprocessing import preprocess


@dataclass(frozen=True, kw_only=True)
class SavedModel:
    """A SavedModel in a folder, and the recurrent layers that are put in after its conversion."""

    folder: Path
    layers: tuple[Layer, ...] = ()


class SourceModel:
    """A loaded model, and what converters need of it.

    Attributes:
        model: the model.
        inputs, outputs: its inputs and outputs.
        folder: a temporary folder for converters' intermediate files.
        saved_in: the folder that SavedModels and float32 ONNX files are written to.
        float_twins: calibrated float32 TFLite files, which integer ones are made of, by SavedModel
            and type of the activations, and their recurrent layers.
        extremes: the lowest and highest values of their activations, example by example.
        roundings: of the weights of their layers, or those of an ONNX file.
        onnx_files: float32 ONNX files by batch, opset, what recurrent layers are and whether
            normalizations are folded, likewise.
        pruned_weights: of fine-tuned copies, by sparsity and epochs; some are then clustered.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        representative: RepresentativeDataset | None,
        training: Training | None,
        folder: Path,
    ) -> None:
        """Takes what there is; without calibration inputs or training examples, None."""
        self.model = model
        self.inputs, self.outputs = model.inputs, model.outputs
        self.folder = folder
        self.saved_in = folder
        self.float_twins: dict[tuple[Path, str], tuple[bytes, Marked]] = {}
        self.extremes: dict[bytes, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
        self.roundings: dict[bytes | Path, Roundings] = {}
        self.onnx_files: dict[tuple[int | None, int | None, str, bool], Path] = {}
        self.pruned_weights: dict[tuple[float, int], list[np.ndarray]] = {}
        self._representative = representative
        self._training = training
        self._teacher: tuple[dict[str, np.ndarray], dict[str, np.ndarray]] | None = None
        self._saved_models: dict[tuple[int | None, tuple[str, ...], bool], SavedModel] = {}
        self._recurrent_calls: dict[int | None, list[Call]] = {}
        self._halves_difference: float | None = None

    def calibrated_on(self, representative: RepresentativeDataset, folder: Path) -> "SourceModel":
        """Returns the same model with other calibration inputs.

        Float files are shared; what is calibrated goes into a folder of its own.
        """
        found = SourceModel(
            self.model, representative=representative, training=self._training, folder=folder
        )
        found.onnx_files, found._saved_models = self.onnx_files, self._saved_models
        found._recurrent_calls, found.saved_in = self._recurrent_calls, self.saved_in
        return found

    @property
    def representative(self) -> RepresentativeDataset:
        """The calibration inputs.

        Raises:
            ArtifactError: there are none.
        """
        if self._representative is None:
            raise ArtifactError("got no calibration data; give it with --calibration")
        return self._representative

    def some_examples(self, count: int) -> dict[str, np.ndarray]:
        """Returns the first calibration inputs, (count, …) by name; none if there is no data."""
        found = self._representative
        return {} if found is None else {k: v[:count] for k, v in found.inputs.items()}

    def signature(self, batch: int | None) -> list[tf.TensorSpec]:
        """Returns the inputs' TensorFlow signature with a fixed or open batch dimension.

        Raises:
            ToolkitError: the model does not take that batch.
        """
        self.model.check_batch(batch)
        return [
            tf.TensorSpec((batch, *spec.shape[1:]), spec.dtype, name=spec.name)
            for spec in self.inputs
        ]

    def serve(self, *values: tf.Tensor) -> dict[str, tf.Tensor]:
        """Runs the model for inference; inputs in order, outputs by name."""
        named = {spec.name: value for spec, value in zip(self.inputs, values, strict=True)}
        return dict(self.model.call(named))

    def predict(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the model's outputs, (N, …) by name, of preprocessed inputs."""
        return self.model.predict(inputs, batch_size=batch_size(self.inputs))

    def rounded_otherwise(
        self, inputs: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]
    ) -> Iterator[Mapping[str, np.ndarray]]:
        """Yields outputs that are as right as these, as `model.rounding.rounded_otherwise`."""
        return rounded_otherwise(self.model, inputs, outputs, batch_size(self.inputs))

    def recurrent_layers(self) -> list[Any]:
        """Returns the model's recurrent layers; none where no Keras holds it."""
        return recurrent_layers(self.model.layers)

    def weight_count(self) -> int:
        """Returns how many numbers the model's weights hold."""
        return self.model.parameters

    def halves_difference(self) -> float:
        """Returns how far the ranges of two halves of the calibration inputs differ, 0…1.

        Over the outputs of all layers where Keras tells them, else over the model's own.
        """
        if self._halves_difference is None:
            inputs = self.representative.inputs
            known = has_layers(self.model.keras_model)
            self._halves_difference = halves_difference(
                layer_outputs(self.model.keras_model, inputs)
                if known and self.model.fixed_batch is None
                else [self.predict(inputs)]
            )
        return self._halves_difference

    def training_count(self) -> int:
        """Returns how many training examples there are."""
        return 0 if self._training is None else len(self._training.samples)

    def teacher(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Returns what a copy of the model is fine-tuned on: inputs and the model's own outputs.

        Raises:
            ToolkitError: there is no training data.
        """
        if self._training is None:
            raise ToolkitError(
                "got no data to fine-tune with; give it with --calibration, or use tflite-int8, "
                "which needs no fine-tuning"
            )
        if self._teacher is None:
            samples = self._training.samples
            inputs = preprocess(samples.inputs, self._training.preprocessing, self.inputs)
            self._teacher = inputs, self.predict(inputs)
        return self._teacher

    def training_targets(self) -> Mapping[str, np.ndarray]:
        """Returns the truth of the training examples by the output's name, where it is known."""
        return {} if self._training is None else self._training.samples.targets

    def recurrent_calls(self, batch: int | None) -> list[Call]:
        """Returns how the model calls its recurrent layers, with a fixed or open batch.

        Raises:
            ToolkitError: the model does not take that batch.
        """
        self.model.check_batch(batch)
        if batch not in self._recurrent_calls:
            self._recurrent_calls[batch] = calls_in(self.model, batch)
        return self._recurrent_calls[batch]

    def saved_model(self, batch: int | None, choice: Choice, *, for_integers: bool) -> SavedModel:
        """Returns the model's SavedModel with a fixed or open batch, written when first asked for.

        In integer formats recurrent layers whose steps are written out compute each gate by itself:
        of gates computed together the first step does not use all, and their SPLIT the quantizer
        leaves in float in one process and not in the next.

        TFLite's converter reads it rather than a concrete function, whose variables it leaves
        unfrozen for a Keras 3 model: that succeeds, and the 3 kB file knows nothing. A fixed
        batch keeps SHAPE, STRIDED_SLICE and PACK out of the graph.

        Args:
            batch: the fixed batch size, or None for an open one.
            choice: what becomes of recurrent layers.
            for_integers: whether operators that are inexact in integers are replaced.
        """
        if for_integers and not choice.calls:
            common = self.saved_model(batch, choice, for_integers=False)
            if not saved_graph.contains(common.folder, saved_graph.INEXACT):
                return common
        key = batch, choice.ways, for_integers
        if key not in self._saved_models:
            folder = self.saved_in / f"saved_model-{len(self._saved_models)}"
            with marked(choice.put_in) as calls:
                self.model.save(folder, batch, unroll=choice.unrolled, gates_apart=for_integers)
            saved_graph.rewrite(folder, saved_graph.LACKING)
            if for_integers:
                saved_graph.rewrite(folder, saved_graph.INEXACT)
            self._saved_models[key] = SavedModel(folder=folder, layers=choice.placed(calls))
        return self._saved_models[key]
