"""Operators that copy integers: what they copy in the scale of what they write.

The quantizer gives both a scale of their own, and the kernels copy what is stored: what ONE_HOT
writes for one and zero becomes the ends of whatever the output's range is, such as 1.74 and -1.72.
"""

from typing import Any

import numpy as np

from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.recurrent.builder import CODES, NUMPY, TYPES, Builder

COPIED = {CODES.ONE_HOT: (2, 3), CODES.REVERSE_V2: (0,)}  # the places of what they copy
LIMITS = {TYPES.INT8: (-128, 127), TYPES.INT16: (-32768, 32767)}


def in_scale_of_output(content: bytes) -> bytes:
    """Returns a quantized model whose copying operators write what they read."""
    tree = unpack(content)
    changed = False
    for graph in tree.subgraphs:
        on = Builder(tree, graph, "copied")
        for operator in graph.operators:
            for place in COPIED.get(on.code_of(operator), ()):
                changed |= _rescale(on, operator, place)
            on.made.append(operator)
        graph.operators = on.made
    return pack(tree, len(content)) if changed else content


def _has_scale(tensor: Any) -> bool:
    """Returns whether a tensor's integers stand for real numbers."""
    found = tensor.quantization
    return found is not None and found.scale is not None and len(found.scale) == 1


def _rescale(on: Builder, operator: Any, place: int) -> bool:
    """Has an operator read integers of its output's scale; returns whether others were needed."""
    given, output = int(operator.inputs[place]), int(operator.outputs[0])
    dtype = on.type_of(output)
    if (
        dtype not in LIMITS
        or on.type_of(given) != dtype
        or on.scale_of(given) == on.scale_of(output)
    ):
        return False
    scale, zero_point = on.scale_of(output)
    places = operator.inputs.copy()
    stored = on.stored(given)
    if stored is None:
        places[place] = on.tensor(on.shape_of(given), dtype, scale, zero_point)
        on.add(CODES.QUANTIZE, [given], [places[place]])
    else:
        own_scale, own_zero = on.scale_of(given)
        values = (stored.view(NUMPY[dtype]).astype(np.float64) - own_zero) * own_scale
        levels = np.clip(np.rint(values / scale + zero_point), *LIMITS[dtype])
        places[place] = on.constant(levels.reshape(on.shape_of(given)), dtype, scale, zero_point)
    operator.inputs = places
    return True
