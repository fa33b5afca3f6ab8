"""TimeDistributed as one call of its layer, on time and batch together, instead of one per step.

Keras 3 writes a step of its own for each: 200 times the operators, and kernels of one example.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import keras
from keras import layers, ops
from keras.src.models.functional import Functional

from export.model.keras.inputs import is_a

KERAS_2_FOLDS = "_always_use_reshape"  # tf-keras's TimeDistributed, also where the batch is known
LIBRARIES = ("keras", "tf_keras")


@contextmanager
def time_in_batch(model: Any) -> Iterator[None]:
    """Has the TimeDistributed layers of a model fold time into the batch while it is traced.

    Those do whose layer treats each example by itself; the others, and those that pass a mask on,
    stay as they are.

    Args:
        model: of Keras 3 or tf-keras; it is not changed.
    """
    with ExitStack() as stack:
        if isinstance(model, keras.Model):
            call = layers.TimeDistributed.call
            stack.enter_context(mock.patch.object(layers.TimeDistributed, "call", _folded(call)))
        else:
            for layer in model._flatten_layers():
                if is_a(layer, "TimeDistributed") and treats_each_alone(layer.layer):
                    stack.enter_context(mock.patch.object(layer, KERAS_2_FOLDS, True))
        yield


def treats_each_alone(layer: Any) -> bool:
    """Returns whether a layer's output for an example follows from that example, as far as known.

    Layers of Keras itself do so at inference, unless they keep a state, and so do models of
    nothing else; of a user's own layers or functions this is not known.
    """
    if getattr(layer, "stateful", False) is True or is_a(layer, "Lambda"):
        return False
    if isinstance(layer, Functional | keras.Sequential):
        parts = layer.operations if isinstance(layer, Functional) else layer.layers
        own = all(isinstance(part, keras.layers.Layer) for part in parts)
        return own and all(map(treats_each_alone, parts))
    if is_a(layer, "Functional") or is_a(layer, "Sequential"):
        return all(map(treats_each_alone, layer.layers))
    if type(layer).__module__.partition(".")[0] not in LIBRARIES:
        return False
    inner = [getattr(layer, name, None) for name in ("layer", "cell", "forward_layer")]
    return all(treats_each_alone(each) for each in inner if each is not None)


def _folded(call: Callable[..., Any]) -> Callable[..., Any]:
    """Returns what replaces the `call` of Keras 3's TimeDistributed, itself given."""

    def folded(
        self: layers.TimeDistributed, inputs: Any, training: bool | None = None, mask: Any = None
    ) -> Any:
        layer = self.layer
        takes_mask = mask is not None and layer._call_has_mask_arg
        if training or takes_mask or not treats_each_alone(layer):
            return call(self, inputs, training=training, mask=mask)
        flags = {"training": training} if layer._call_has_training_arg else {}
        if isinstance(layer, layers.Dense):  # on the last axis, whatever is before it
            return layer.call(inputs, **flags)
        batch, steps, *sizes = ops.shape(inputs)
        together = batch * steps if isinstance(batch, int) and isinstance(steps, int) else -1
        outputs = layer.call(ops.reshape(inputs, (together, *sizes)), **flags)
        first = batch if isinstance(batch, int) else -1
        return ops.reshape(outputs, (first, steps, *ops.shape(outputs)[1:]))

    return folded
