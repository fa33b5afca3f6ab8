"""A model as a function of named tensors, whatever library it came from."""

import math
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from export.model.reason import reason_of
from train.common.command.native_output import captured_native_output
from train.common.errors import ToolkitError
from train.common.preprocessing import InputPreprocessing
from train.common.tensors import TensorSpec

SIGNATURE = "serving_default"
GATES = "implementation"  # of a Keras cell: 1 computes each gate by itself, 2 all at once
WHOLE = "_could_use_gpu_kernel"  # of tf-keras's LSTM and GRU: a function that kernels stand for
PREDICT_BATCH = 8  # examples; a large model's activations have to fit into memory
SMALL_EXAMPLE = 10_000  # numbers; of examples this small more go into a batch
SMALL_BATCH = 1_000
Tensors = Mapping[str, tf.Tensor]


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model for inference, its inputs and outputs by name.

    Attributes:
        path: where it came from, for messages.
        inputs: names unique and fit for signatures; the first size of a shape is the batch that
            the model declares, or None.
        outputs: likewise; of dtype float32 where the model computes in another precision.
        call: returns the outputs of inputs, in inference mode.
        variables: what the model learned, by name.
        resources: what else a SavedModel of it has to hold: lookup tables, a reloaded SavedModel.
        fixed_batch: how many examples the model takes at once if it does not take any number.
        layers: all layers of Keras or tf-keras, those in others too.
        recurrent: layers of Keras or tf-keras that loop over time steps, unless unrolled.
        keras_model: the model itself where Keras 3 holds it.
        tf_keras_model: the model itself where tf-keras holds it.
        extracted: by an input's name, what layers that were left out did to it first.
    """

    path: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    call: Callable[[Tensors], dict[str, tf.Tensor]]
    variables: tuple[tuple[str, tf.Variable], ...]
    resources: tuple[Any, ...] = ()
    fixed_batch: int | None = None
    layers: tuple[Any, ...] = ()
    recurrent: tuple[Any, ...] = ()
    keras_model: keras.Model | None = None
    tf_keras_model: Any | None = None
    extracted: InputPreprocessing = field(default_factory=dict)

    def weights(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yields the values of the variables by name, one at a time."""
        for name, variable in self.variables:
            yield name, variable.numpy()

    @property
    def parameters(self) -> int:
        """How many numbers the variables hold."""
        return sum(int(np.prod(variable.shape)) for _, variable in self.variables)

    def save(
        self,
        folder: Path,
        batch: int | None,
        *,
        unroll: Collection[Any] = (),
        gates_apart: bool = False,
    ) -> None:
        """Writes a SavedModel with one signature, `serving_default`, of these inputs and outputs.

        Args:
            folder: where to.
            batch: the fixed batch size, or None for an open one.
            unroll: recurrent layers that are written out step by step, instead of as loops.
            gates_apart: whether their steps compute each gate by itself.

        Raises:
            ToolkitError: the model does not take this batch size, or TensorFlow cannot save it.
        """
        self.check_batch(batch)
        try:
            with (
                captured_native_output(),
                self.unrolled(unroll, gates_apart=gates_apart, composed=True),
            ):
                function = traced(self.call, self.inputs, batch)
                module = tf.Module()
                # The variables themselves, not the model that has them: below a Keras 3 model
                # TFLite's converter does not find them, leaves them unfrozen, and the file,
                # whose variables nothing sets, knows nothing.
                module.tracked = list(function.graph.variables)
                module.resources = list(self.resources)
                tf.saved_model.save(module, str(folder), signatures={SIGNATURE: function})
        except (ValueError, TypeError, AssertionError, RuntimeError, tf.errors.OpError) as error:
            raise ToolkitError(
                f"{self.path} cannot be saved by TensorFlow: {reason_of(error)}"
            ) from error

    def check_batch(self, batch: int | None) -> None:
        """Raises ToolkitError if the model does not take a batch size, None for any."""
        if self.fixed_batch not in (None, batch):
            raise ToolkitError(
                f"{self.path} takes {self.fixed_batch} examples at once, got --batch "
                f"{batch or 'dynamic'}; leave that out, or build the model for that batch"
            )

    @contextmanager
    def unrolled(
        self, unroll: Collection[Any], *, gates_apart: bool = False, composed: bool = False
    ) -> Iterator[None]:
        """Has recurrent layers write their steps out, or not, while they are traced.

        Args:
            unroll: those that do; the others are loops.
            gates_apart: whether each gate is computed by itself: larger and slower.
            composed: whether tf-keras's LSTM and GRU are made of other operators at least: of their
                function TFLite makes an operator whose state outlives a call.
        """
        layers = [each for each in self.recurrent if any(each is other for other in unroll)]
        changes: list[tuple[Any, str, Any]] = [(layer, "unroll", True) for layer in layers]
        whole = self.recurrent if composed else layers
        changes += [(layer, WHOLE, False) for layer in whole if hasattr(layer, WHOLE)]
        if gates_apart:
            cells = [getattr(layer, "cell", None) for layer in layers]
            changes += [(cell, GATES, 1) for cell in cells if hasattr(cell, GATES)]
        before = [getattr(owner, name) for owner, name, _ in changes]
        for change in changes:
            setattr(*change)
        try:
            yield
        finally:
            for (owner, name, _), was in zip(changes, before, strict=True):
                setattr(owner, name, was)

    def predict(self, inputs: Mapping[str, np.ndarray], batch_size: int) -> dict[str, np.ndarray]:
        """Returns the outputs by name for inputs (N, …) by name, computed in batches.

        A model with a fixed batch is given that many examples, the last one repeated to fill the
        last batch.

        Raises:
            ToolkitError: the inputs are not the model's, or the model fails on them.
        """
        wanted = {spec.name: spec for spec in self.inputs}
        if set(inputs) != set(wanted):
            raise ToolkitError(
                f"got data for {', '.join(sorted(inputs)) or 'no input'}, expected it for every "
                f"input of the model: {', '.join(wanted)}"
            )
        size = self.fixed_batch or batch_size
        count = len(next(iter(inputs.values())))
        batches = []
        try:
            for start in range(0, count, size):
                length = min(size, count - start)
                batch = {
                    name: _batch(values[start : start + size], self.fixed_batch, wanted[name])
                    for name, values in inputs.items()
                }
                outputs = self._function(**batch)
                batches.append({name: value.numpy()[:length] for name, value in outputs.items()})
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise ToolkitError(f"{self.path} fails on its inputs: {reason_of(error)}") from error
        return {
            spec.name: np.concatenate([batch[spec.name] for batch in batches])
            for spec in self.outputs
        }

    @cached_property
    def _function(self) -> tf.types.experimental.ConcreteFunction:
        return traced(self.call, self.inputs, self.fixed_batch)


def traced(
    call: Callable[[Tensors], Any], inputs: Sequence[TensorSpec], batch: int | None
) -> tf.types.experimental.ConcreteFunction:
    """Returns a function of named inputs as a graph, with a fixed or open batch."""

    @tf.function(autograph=False)
    def serve(**tensors: tf.Tensor) -> Any:
        return call(tensors)

    specs = {
        spec.name: tf.TensorSpec((batch, *spec.shape[1:]), spec.dtype, name=spec.name)
        for spec in inputs
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on how the model was built, and each time it is traced
        return serve.get_concrete_function(**specs)


def _batch(values: np.ndarray, fixed: int | None, spec: TensorSpec) -> tf.Tensor:
    dtype = tf.as_dtype(spec.dtype)
    values = np.asarray(values, dtype.as_numpy_dtype)
    if fixed is not None and len(values) < fixed:
        values = np.concatenate([values, np.repeat(values[-1:], fixed - len(values), axis=0)])
    return tf.constant(values, dtype)


def batch_size(inputs: Sequence[TensorSpec]) -> int:
    """Returns how many examples of some inputs a model computes at a time."""
    largest = max(math.prod(size or 1 for size in spec.shape[1:]) for spec in inputs)
    return SMALL_BATCH if largest <= SMALL_EXAMPLE else PREDICT_BATCH
