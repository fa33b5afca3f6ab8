"""Masks before a softmax: a constant that an integer's range can hold beside the values it masks.

Keras writes the lowest float32 where attention must not look. One scale for that and for scores of
a few units leaves all scores equal: https://github.com/tensorflow/tensorflow/issues/62923
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.rewrites.editor import CODES, Editor

SELECTING = (CODES.SELECT, CODES.SELECT_V2)
# Below the lowest score that is not masked. A softmax gives such an entry less than e⁻¹⁰ of any
# other's share, a ninetieth of a step of its 8-bit output.
BELOW = 10.0


def clamp_masks(calibrated: bytes) -> bytes:
    """Returns a float model whose masks are no lower than a softmax can tell from the lowest.

    Only constants that are selected, where all that reads the result are softmaxes. A row that is
    masked throughout stays one of equal values.

    Args:
        calibrated: a `.tflite` model with the ranges of its activations; as it is where it has no
            such mask.
    """
    tree = unpack(calibrated)
    edit, changed = Editor(tree), False
    for operator in tree.subgraphs[0].operators:
        if edit.code(operator) in SELECTING and _only_softmaxes_read(edit, operator.outputs[0]):
            changed |= _clamp(edit, operator)
    return pack(tree, len(calibrated)) if changed else calibrated


def _clamp(edit: Editor, operator: schema.OperatorT) -> bool:
    """Replaces the constant that an operator selects, if it is lower than need be."""
    tensors = edit.graph.tensors
    for place, other in ((1, 2), (2, 1)):
        stored = edit.stored(operator.inputs[place])
        scores = tensors[operator.inputs[other]].quantization
        if stored is None or edit.stored(operator.inputs[other]) is not None:
            continue
        if scores is None or scores.min is None:
            continue
        lowest = float(scores.min[0]) - BELOW
        if stored.dtype != np.float32 or not stored.size or stored.min() >= lowest:
            continue
        shape = tensors[operator.inputs[place]].shape
        clamped = np.maximum(stored, np.float32(lowest))
        places = np.array(operator.inputs)
        places[place] = edit.constant(clamped.reshape(() if shape is None else tuple(shape)))
        operator.inputs = places
        tensors[operator.outputs[0]].quantization.min = np.asarray([lowest], np.float32)
        return True
    return False


def _only_softmaxes_read(edit: Editor, index: int) -> bool:
    readers = [each for each in edit.graph.operators if index in each.inputs]
    is_output = index in edit.graph.outputs
    plain = (edit.code(each) == CODES.SOFTMAX and each.builtinOptions.beta == 1 for each in readers)
    return bool(readers) and not is_output and all(plain)
