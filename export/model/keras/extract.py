"""What a model does to its inputs first, as preprocessing that whoever feeds it does.

One scale of an integer input cannot hold features of unlike units, such as pascals beside degrees,
whatever a `Normalization` layer would have made of them.
"""

from itertools import chain
from typing import Any

import keras
import numpy as np
from keras.src.models.functional import Functional

from export.model.keras.inputs import inputs_of
from train.common.errors import ToolkitError
from train.common.preprocessing import RAW, Factor, Preprocessing

OPTION = "--extract-preprocessing"
EXPECTED = "expected Rescaling or Normalization, which nothing else reads the input beside"


def extract_preprocessing(model: Any, path: str) -> tuple[keras.Model, dict[str, Preprocessing]]:
    """Returns a model that begins behind its first layers of scaling, and what they did.

    It takes over all other layers and weights; inputs and outputs keep their names and order. An
    input that was scaled takes float32.

    Args:
        model: the model, which is taken apart.
        path: where it is, for messages.

    Returns:
        The model, and by the name of each input that was scaled `raw * scale + offset`.

    Raises:
        ToolkitError: no input is scaled first by layers that can be seen, or not by one number for
            each index of the last axis.
    """
    whole = model._functional if isinstance(model, keras.Sequential) else model
    if not isinstance(whole, Functional):
        raise ToolkitError(
            f"{path}: got {OPTION} with a model of class {type(model).__name__}, expected one that "
            "was built by Keras 3's functional API, or a Sequential one with an Input; build it so"
        )
    behind, found = [], {}
    specs = inputs_of(model, path, {}).specs
    for spec, tensor in zip(specs, whole.inputs, strict=True):
        first, how = _scaled(whole, tensor, path)
        behind.append(first)
        if first is not tensor:
            found[spec.name] = how
    if not found:
        readers = sorted({n.operation.name for t in whole.inputs for n in _readers(whole, t)})
        raise ToolkitError(
            f"{path}: got {OPTION}, but its inputs are read first by {', '.join(readers)}, "
            f"{EXPECTED}; leave the option out"
        )
    inputs = [
        keras.Input(
            batch_shape=tensor.shape,
            dtype=tensor.dtype if first is tensor else "float32",
            name=tensor.name,
        )
        for first, tensor in zip(behind, whole.inputs, strict=True)
    ]
    rest = keras.Function(behind, whole.outputs)
    for operation in rest.operations:  # a layer that is called twice would have two outputs
        operation._inbound_nodes.clear()
        operation._outbound_nodes.clear()
    outputs = rest.call(inputs)
    shorter = keras.Model(
        keras.tree.pack_sequence_as(whole._inputs_struct, inputs),
        keras.tree.pack_sequence_as(whole._outputs_struct, keras.tree.flatten(outputs)),
        name=model.name,
    )
    shorter.output_names = list(whole.output_names)
    return shorter, found


def _scaled(model: Functional, tensor: Any, path: str) -> tuple[Any, Preprocessing]:
    """Returns what becomes of an input by the layers of scaling that read it, and how."""
    how = RAW
    while True:
        readers = _readers(model, tensor)
        if len(readers) != 1 or any(tensor is output for output in model.outputs):
            return tensor, how
        made = _preprocessing_of(readers[0].operation, path)
        if made is None:
            return tensor, how
        how = how.then(made)
        (tensor,) = readers[0].output_tensors


def _readers(model: Functional, tensor: Any) -> list[Any]:
    nodes = chain.from_iterable(model._nodes_by_depth.values())
    return [node for node in nodes if any(tensor is each for each in node.input_tensors)]


def _preprocessing_of(layer: Any, path: str) -> Preprocessing | None:
    """Returns what a layer of scaling does; None of any other layer."""
    if type(layer) is keras.layers.Rescaling:
        scale, offset = np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64)
    elif type(layer) is keras.layers.Normalization:
        mean, variance = (np.asarray(each, np.float64) for each in (layer.mean, layer.variance))
        deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
        scale, offset = 1 / deviation, -mean / deviation
        if layer.invert:
            scale, offset = deviation, mean
    else:
        return None
    return Preprocessing(scale=_factor(scale, layer, path), offset=_factor(offset, layer, path))


def _factor(values: np.ndarray, layer: Any, path: str) -> Factor:
    if values.size == 1:
        return float(values.item())
    if values.size != values.shape[-1]:
        raise ToolkitError(
            f"{path}: got {OPTION} with layer {layer.name!r}, which has numbers of shape "
            f"{tuple(values.shape)}, expected one number, or one for each index of the last axis; "
            "leave the option out"
        )
    return tuple(map(float, values.ravel()))
