"""Minimums and maximums of a float `.tflite` file, whose limits the quantizer spreads.

What a limit leaves over has its own range, and the quantizer gives what is limited the same one.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.tflite.calibrate.ranges import ONE_SCALE
from export.convert.tflite.rewrites.editor import CODES, Editor

FLOAT32 = schema.TensorType.FLOAT32
RELU = schema.ActivationFunctionType.RELU
# What the quantizer gives one scale with what it reads.
SHARING = ONE_SCALE | {
    *(CODES.BROADCAST_TO, CODES.DEPTH_TO_SPACE, CODES.MAXIMUM, CODES.MINIMUM, CODES.MIRROR_PAD),
    *(CODES.PADV2, CODES.REDUCE_MAX, CODES.REDUCE_MIN, CODES.RESIZE_BILINEAR, CODES.SELECT),
    *(CODES.RESIZE_NEAREST_NEIGHBOR, CODES.SELECT_V2, CODES.SLICE, CODES.SPACE_TO_DEPTH),
    *(CODES.SPLIT_V, CODES.STRIDED_SLICE, CODES.TILE, CODES.TOPK_V2, CODES.UNPACK),
}


def drop_idle_limits(tree: Any) -> None:
    """Drops minimums and maximums with a number that no value of a calibrated model reaches.

    In integers they do nothing, as the values' range ends before. The quantizer to int16 gives both
    one scale, and 10¹² beside values of 0…1, as Keras writes a normalization, leaves none of those.
    """
    edit = Editor(tree)
    graph = tree.subgraphs[0]
    kept = []
    for operator in graph.operators:
        code = tree.operatorCodes[operator.opcodeIndex].builtinCode
        if code in (CODES.MINIMUM, CODES.MAXIMUM) and _is_idle(edit, operator, code):
            x, out = int(operator.inputs[0]), int(operator.outputs[0])
            for reader in graph.operators:
                reader.inputs = np.where(reader.inputs == out, x, reader.inputs)
        else:
            kept.append(operator)
    graph.operators = kept


def _is_idle(edit: Editor, operator: Any, code: int) -> bool:
    x, y = map(int, operator.inputs)
    limit, found = edit.stored(y), edit.graph.tensors[x].quantization
    if limit is None or limit.size != 1 or found is None or found.max is None:
        return False
    idle = found.max[0] <= limit[0] if code == CODES.MINIMUM else found.min[0] >= limit[0]
    return bool(idle) and int(operator.outputs[0]) not in edit.graph.outputs


def is_float(edit: Editor, operator: Any) -> bool:
    """Returns whether an operator writes real numbers."""
    return bool(edit.graph.tensors[operator.outputs[0]].type == FLOAT32)


def minimum(edit: Editor, operator: Any) -> list[Any] | None:
    """min(x, y) = x - max(x - y, 0), if others read x: the quantizer gives all three one scale.

    And what x was taken from, such as a slice of it.
    """
    return _limit(edit, operator, turned=False)


def maximum(edit: Editor, operator: Any) -> list[Any] | None:
    """max(x, y) = x + max(y - x, 0), likewise."""
    return _limit(edit, operator, turned=True)


def _limit(edit: Editor, operator: Any, *, turned: bool) -> list[Any] | None:
    x, y = map(int, operator.inputs)
    if edit.stored(x) is not None:
        x, y = y, x
    if not is_float(edit, operator) or not _is_read_elsewhere(edit, x):
        return None
    out, limit = operator.outputs[0], edit.stored(y)
    if limit is not None and not turned and not limit.any():  # 16 bits have no scale for a zero
        difference, beyond = edit.made(CODES.RELU, [x], like=out)
    else:
        difference, beyond = edit.made(CODES.SUB, [y, x] if turned else [x, y], like=out)
        difference.builtinOptions.fusedActivationFunction = RELU
    return [difference, edit.operator(CODES.ADD if turned else CODES.SUB, [x, beyond], out)]


def _is_read_elsewhere(edit: Editor, x: int) -> bool:
    """Returns whether a second operator reads a value, or one that has its scale."""
    readers = [each for each in edit.graph.operators if x in each.inputs]
    if len(readers) > 1 or x in edit.graph.outputs:
        return True
    maker = next((each for each in edit.graph.operators if x in each.outputs), None)
    if maker is None or edit.code(maker) not in SHARING:
        return False
    given = [int(i) for i in maker.inputs if edit.graph.tensors[i].type == FLOAT32]
    computed = [i for i in given if edit.stored(i) is None]
    return len(maker.outputs) > 1 or any(_is_read_elsewhere(edit, i) for i in computed)
