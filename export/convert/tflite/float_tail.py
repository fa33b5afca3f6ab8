"""Leaves in float what puts an output together, where one scale cannot hold all of its channels.

Boxes of 0…640 beside scores of 0…1 in one tensor: as int8, every score is the same. Where the
output is float anyway, values are turned back into numbers of float before the last concatenation
or the last sum or product with a constant, and so have scales of their own. The channels of a last
dense layer or convolution are quantized in a unit of each.
"""

import copy
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.calibrate.calibration import tflite_values
from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.inputs_outputs import operator_code
from export.convert.tflite.rewrites.editor import CODES, Editor
from export.verify.channels import MOST_PROBABLE, channel_axes

JOINING = (CODES.CONCATENATION, CODES.PACK)
MOVING = (*JOINING, CODES.RESHAPE, CODES.TRANSPOSE)
ARITHMETIC = (CODES.ADD, CODES.DIV, CODES.MUL, CODES.SUB)  # with a constant
LINEAR = (CODES.CONV_2D, CODES.FULLY_CONNECTED)
ACTIVATIONS = schema.ActivationFunctionType
STEPS = 255  # of 8 bits
FEW_STEPS = 4.0  # a channel whose standard deviation is as many is 23 dB above the rounding
UNLIKE = 2.0  # times as wide: a bit is lost
LAST_DIGIT = 1e-6  # of float32


@dataclass(frozen=True, kw_only=True)
class Tail:
    """What was taken off a model before it is quantized.

    Attributes:
        tree: the model.
        operators: the operators, in order.
        meanwhile: the model's outputs without them.
        outputs: the tensors that its outputs were.
        names: their names in the signature.
    """

    tree: Any
    operators: list[Any]
    meanwhile: list[int]
    outputs: list[int]
    names: list[bytes]


def take_off(tree: Any, calibrated: bytes, inputs: Mapping[str, np.ndarray]) -> Tail | None:
    """Takes the operators that put outputs together off a model that is to be quantized.

    Only of outputs with a channel that one scale for all would hold in a few steps.

    Args:
        tree: the model, with the ranges of its activations; changed in place.
        calibrated: the same as a file.
        inputs: calibration examples (N, …) by name.
    """
    edit = Editor(tree)
    outputs = list(map(int, edit.graph.outputs))
    ends = {output: _end(edit, output) for output in outputs}
    makers = [each for each in edit.graph.operators if {*map(int, each.outputs)} & {*outputs}]
    if not any(ends.values()) and not any(_code(tree, each) in LINEAR for each in makers):
        return None
    wanted = {*outputs, *_cuts(edit, [operator for end in ends.values() for operator in end])}
    values = _values(edit, calibrated, inputs, wanted)
    found: list[Any] = []
    for output, end in ends.items():
        cuts = _cuts(edit, end) if end else [output]
        needs_float = output in values and _loses_channels(values[output])
        if needs_float and not {*cuts} & {*map(int, edit.graph.inputs)}:
            found += [operator for operator in end if operator not in found]
            found[:0] = [each for cut in cuts for each in _own_units(edit, cut, values.get(cut))]
    made = {int(index) for operator in found for index in operator.outputs}
    if not found:
        return None
    rest = [index for index in outputs if index not in made]
    meanwhile = [*dict.fromkeys([*_cuts(edit, found), *rest])]
    edit.graph.operators = [each for each in edit.graph.operators if each not in found]
    names = _rename(
        tree, meanwhile, [f"part_{number}".encode() for number in range(len(meanwhile))]
    )
    taken = copy.copy(tree)
    taken.subgraphs = [copy.copy(edit.graph)]
    return Tail(tree=taken, operators=found, meanwhile=meanwhile, outputs=outputs, names=names)


def put_on(content: bytes, tail: Tail) -> bytes:
    """Returns the quantized model, of float outputs, with its tail."""
    tree = unpack(content)
    edit, before = Editor(tree), tail.tree.subgraphs[0]
    place = dict(zip(tail.meanwhile, map(int, edit.graph.outputs), strict=True))

    def placed(indices: Iterable[int]) -> np.ndarray:
        for index in map(int, indices):
            if index not in place:
                tensor = copy.copy(before.tensors[index])
                data = tail.tree.buffers[tensor.buffer].data
                tensor.quantization, tensor.buffer = None, 0
                if data is not None and len(data):
                    tree.buffers.append(schema.BufferT(data=data))
                    tensor.buffer = len(tree.buffers) - 1
                edit.graph.tensors.append(tensor)
                place[index] = len(edit.graph.tensors) - 1
        return np.asarray([place[int(index)] for index in indices], np.int32)

    for operator in tail.operators:
        added = copy.copy(operator)
        added.opcodeIndex = operator_code(tree, _code(tail.tree, operator))
        added.inputs, added.outputs = placed(operator.inputs), placed(operator.outputs)
        edit.graph.operators.append(added)
    _rename(tree, list(placed(tail.outputs)), tail.names)
    return pack(tree, len(content))


def _loses_channels(values: np.ndarray) -> bool:
    """Returns whether (N, …) values have a channel that varies by few steps of one scale."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    if low == 0 and high <= MOST_PROBABLE:  # probabilities share a unit
        return False
    step = (high - low) / STEPS
    for axis in channel_axes(values.ndim):
        deviations = _by_channel(values, axis)[2]
        varying = deviations > LAST_DIGIT * max(high, -low)
        if np.any(varying & (deviations < FEW_STEPS * step)):
            return True
    return False


def _by_channel(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns lowest value, highest value and standard deviation over the examples, (C,) each."""
    others = tuple(i for i in range(1, values.ndim) if i != axis)
    variance = values.var(axis=0, dtype=np.float64, keepdims=True).mean(axis=others)[0]
    return values.min(axis=(0, *others)), values.max(axis=(0, *others)), np.sqrt(variance)


def _values(
    edit: Editor, calibrated: bytes, inputs: Mapping[str, np.ndarray], wanted: set[int]
) -> dict[int, np.ndarray]:
    """Returns the values (N, …) of tensors of a batch of one."""
    names = {edit.graph.tensors[index].name.decode(): index for index in wanted}
    found: dict[int, list[np.ndarray]] = {}
    for example in tflite_values(calibrated, inputs):
        for name in names.keys() & example.keys():
            found.setdefault(names[name], []).append(example[name])
    return {index: np.concatenate(parts) for index, parts in found.items() if parts[0].ndim > 1}


def _end(edit: Editor, output: int) -> list[Any]:
    """Returns the last operators before an output that only move its values or scale them."""
    maker = {int(made): each for each in edit.graph.operators for made in each.outputs}
    readers = Counter(int(index) for each in edit.graph.operators for index in each.inputs)
    readers.update(map(int, edit.graph.outputs))
    kept: list[Any] = []

    def walk(index: int) -> bool:
        operator = maker.get(index)
        if operator is None or readers[index] != 1 or edit.stored(index) is not None:
            return False
        code, given = _code(edit.tree, operator), list(map(int, operator.inputs))
        constants = [each for each in given if edit.stored(each) is not None]
        scales = code in ARITHMETIC and len(constants) == 1
        if not scales and code not in MOVING:
            return False
        below = [walk(each) for each in given if each not in constants]
        if any(below) or scales or code in JOINING:
            kept.append(operator)
            return True
        return False

    walk(output)
    return kept


def _own_units(edit: Editor, index: int, values: np.ndarray | None) -> list[Any]:
    """Has the layer that makes a tensor give each channel in a unit of its own, about -1…1.

    Returns:
        The operators that make the tensor of that: none where all channels are alike.
    """
    makers = [each for each in edit.graph.operators if index in each.outputs]
    readers = [each for each in edit.graph.operators if index in each.inputs]
    if values is None or len(makers) != 1 or _code(edit.tree, makers[0]) not in LINEAR:
        return []
    (maker,) = makers
    activation = maker.builtinOptions.fusedActivationFunction
    kernel, bias = edit.stored(maker.inputs[1]), _bias(edit, maker)
    if kernel is None or bias is None or activation not in (ACTIVATIONS.NONE, ACTIVATIONS.RELU):
        return []
    is_output = index in edit.graph.outputs
    low, high, _ = _by_channel(values, values.ndim - 1)
    centre = (low + high) / 2 if activation == ACTIVATIONS.NONE else np.zeros_like(low)
    unit = np.maximum(high - centre, LAST_DIGIT * max(1.0, float(np.abs(values).max())))
    alike = unit.max() <= UNLIKE * unit.min() and np.all(np.abs(centre) <= UNLIKE * unit)
    if alike or len(readers) + is_output != 1:
        return []
    shape = edit.graph.tensors[maker.inputs[1]].shape
    scaled = kernel.reshape(shape[0], -1) / unit[:, np.newaxis]
    places = [maker.inputs[0], edit.constant(scaled.reshape(shape))]
    maker.inputs = np.asarray([*places, edit.constant((bias - centre) / unit)], np.int32)
    _, small = edit.made(CODES.MUL, [], like=index)
    tensor = edit.graph.tensors[small]
    tensor.quantization = copy.copy(edit.graph.tensors[index].quantization)
    tensor.quantization.min = np.asarray([centre.any() * -1.0], np.float32)
    tensor.quantization.max = np.ones(1, np.float32)
    maker.outputs = np.asarray([small], np.int32)
    product, result = edit.made(CODES.MUL, [small, edit.constant(unit)], like=index)
    return [product, edit.operator(CODES.ADD, [result, edit.constant(centre)], index)]


def _bias(edit: Editor, operator: Any) -> np.ndarray | None:
    """Returns the stored bias of a layer, zeros if it has none."""
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        return edit.stored(operator.inputs[2])
    return np.zeros(int(edit.graph.tensors[operator.inputs[1]].shape[0]), np.float32)


def _cuts(edit: Editor, operators: Iterable[Any]) -> list[int]:
    """Returns the tensors that operators read and others make."""
    operators = list(operators)
    made = {int(index) for operator in operators for index in operator.outputs}
    read = [int(index) for operator in operators for index in operator.inputs]
    return [i for i in dict.fromkeys(read) if i not in made and edit.stored(i) is None]


def _rename(tree: Any, outputs: list[int], names: list[bytes]) -> list[bytes]:
    """Gives a model other outputs; returns the names in the signature that it had."""
    tree.subgraphs[0].outputs = np.asarray(outputs, np.int32)
    before: list[bytes] = []
    for signature in tree.signatureDefs or ():
        before = [entry.name for entry in signature.outputs]
        signature.outputs = [
            schema.TensorMapT(name=name, tensorIndex=index)
            for name, index in zip(names, outputs, strict=True)
        ]
    return before


def _code(tree: Any, operator: Any) -> int:
    return int(tree.operatorCodes[operator.opcodeIndex].builtinCode)
