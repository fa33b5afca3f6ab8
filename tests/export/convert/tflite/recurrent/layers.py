"""Recurrent layers of Keras, their files, and how far apart the two are."""

from typing import Any

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from export.convert.recurrent.description import Cell, describe
from export.convert.tflite.file.builder import pack
from export.convert.tflite.recurrent.builder import TYPES, Builder
from export.convert.tflite.recurrent.loop import add_loop
from export.convert.tflite.recurrent.ranges import Ranges

STEPS, FEATURES, UNITS, EXAMPLES = 9, 5, 6, 40
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "lstm": (keras.layers.LSTM, {}),
    "gru": (keras.layers.GRU, {}),
    "gru-reset-before": (keras.layers.GRU, {"reset_after": False}),
    "gru-hard": (keras.layers.GRU, {"recurrent_activation": "hard_sigmoid"}),
    "simple": (keras.layers.SimpleRNN, {}),
    "simple-relu": (keras.layers.SimpleRNN, {"activation": "relu"}),
}


def layer_of(kind: str, **options: Any) -> tuple[keras.layers.Layer, Cell]:
    """Returns a layer with weights that make its states vary, and its cell."""
    made, own = KINDS[kind]
    layer = made(UNITS, **own, **options)
    layer.build((None, STEPS, FEATURES))
    random = np.random.default_rng(sum(map(ord, kind)))
    for weights in layer.weights:
        spread = 0.2 if "bias" in weights.path else 1 / np.sqrt(weights.shape[0])
        weights.assign(random.normal(size=weights.shape) * spread)
    return layer, describe(layer).cells[0]


def sequences(seed: int = 1) -> np.ndarray:
    """Returns (EXAMPLES, STEPS, FEATURES) float32."""
    found = np.random.default_rng(seed).normal(size=(EXAMPLES, STEPS, FEATURES))
    return found.astype(np.float32)


def empty_model() -> Builder:
    """Returns what adds to the only graph of a new model."""
    tree, graph = schema.ModelT(), schema.SubGraphT()
    tree.version, tree.operatorCodes, tree.subgraphs = 3, [], [graph]
    tree.buffers = [schema.BufferT()]
    graph.tensors, graph.operators, graph.name = [], [], b"main"
    return Builder(tree, graph, "layer")


def file_of(on: Builder, inputs: list[int], output: int) -> bytes:
    """Returns the file of what was added to a new model."""
    on.graph.operators = on.made
    on.graph.inputs = np.asarray(inputs, np.int32)
    on.graph.outputs = np.asarray([output], np.int32)
    return pack(on.tree, 100_000)


def loop_file(
    cell: Cell,
    ranges: Ranges | None,
    *,
    masked: bool = False,
    whole: bool = False,
    go_backwards: bool = False,
    zeros: bool = False,
    steps: int = STEPS,
) -> bytes:
    """Returns the file of a cell's loop, in float without ranges."""
    on, dtype = empty_model(), TYPES.FLOAT32 if ranges is None else TYPES.INT8
    largest = float(np.abs(sequences(1)).max())
    units: list[tuple[float | None, int]] = [(None, 0), (None, 0)]
    if ranges is not None:
        units = [scale_between(-largest, largest), scale_between(*ranges.outputs)]
    x = on.tensor((1, steps, FEATURES), dtype, *units[0])
    mask = on.tensor((1, steps), TYPES.BOOL) if masked else None
    output = on.tensor((1, steps, UNITS) if whole else (1, UNITS), dtype, *units[1])
    add_loop(
        on,
        cell,
        x=x,
        mask=mask,
        output=output,
        sequences=whole,
        go_backwards=go_backwards,
        ranges=ranges,
        weights=TYPES.FLOAT32 if ranges is None else TYPES.INT8,
        zeros=zeros,
    )
    return file_of(on, [x] if mask is None else [x, mask], output)


def scale_between(low: float, high: float) -> tuple[float, int]:
    """Returns scale and zero point of int8 values between two."""
    scale = (max(high, 0) - min(low, 0)) / 255
    return scale, round(-128 - min(low, 0) / scale)


def run(content: bytes, *inputs: np.ndarray, reference: bool = False) -> np.ndarray:
    """Returns the outputs of a file for examples one by one, as real numbers."""
    kind = "BUILTIN_REF" if reference else "BUILTIN_WITHOUT_DEFAULT_DELEGATES"
    interpreter = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType[kind]
    )
    interpreter.allocate_tensors()
    given, (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for example in zip(*inputs, strict=True):
        for details, value in zip(given, example, strict=True):
            interpreter.set_tensor(details["index"], stored(value[np.newaxis], details))
        interpreter.invoke()
        found.append(real(interpreter.get_tensor(wanted["index"])[0], wanted["quantization"]))
    return np.array(found)


def stored(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Returns real values as an input takes them."""
    scale, zero_point = details["quantization"]
    if details["dtype"] != np.int8 or not scale:
        return values.astype(details["dtype"])
    found: np.ndarray = np.clip(np.rint(values / scale) + zero_point, -128, 127).astype(np.int8)
    return found


def real(values: np.ndarray, quantization: tuple[float, int]) -> np.ndarray:
    """Returns the real values that an output stands for."""
    scale, zero_point = quantization
    return np.asarray((values - np.float32(zero_point)) * scale if scale else values)


def decibels(found: np.ndarray, expected: np.ndarray) -> float:
    """Returns the centred SNR."""
    centred = expected - expected.mean(axis=0)
    return float(10 * np.log10((centred**2).sum() / ((found - expected) ** 2).sum()))
