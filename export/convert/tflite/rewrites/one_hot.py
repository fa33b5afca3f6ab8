"""What ONE_HOT writes in integers: its two constants in the scale of its output.

The quantizer gives each a scale of its own, and the kernel copies their integers: one and zero
become the ends of whatever the output's range is, such as 1.74 and -1.72.
"""

from typing import Any

import numpy as np

from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.recurrent.builder import CODES, NUMPY, TYPES, Builder

CONSTANTS = (2, 3)  # their places among the inputs: what is written where it is hot, and elsewhere
LIMITS = {TYPES.INT8: (-128, 127), TYPES.INT16: (-32768, 32767)}


def in_scale_of_output(content: bytes) -> bytes:
    """Returns a quantized model whose ONE_HOT operators write what they are to write."""
    tree = unpack(content)
    changed = False
    for graph in tree.subgraphs:
        on = Builder(tree, graph, "one_hot")
        for operator in graph.operators:
            if tree.operatorCodes[operator.opcodeIndex].builtinCode == CODES.ONE_HOT:
                changed |= _rescale(on, operator)
    return pack(tree, len(content)) if changed else content


def _rescale(on: Builder, operator: Any) -> bool:
    output = int(operator.outputs[0])
    dtype = on.type_of(output)
    if dtype not in LIMITS:
        return False
    scale, zero_point = on.scale_of(output)
    places = operator.inputs.copy()
    for place in CONSTANTS:
        tensor = int(operator.inputs[place])
        data = on.stored(tensor)
        if data is None or on.type_of(tensor) != dtype:
            continue
        own_scale, own_zero = on.scale_of(tensor)
        stored = data.view(NUMPY[dtype]).astype(np.float64)
        wanted = np.rint((stored - own_zero) * own_scale / scale + zero_point)
        wanted = np.clip(wanted, *LIMITS[dtype]).reshape(on.shape_of(tensor))
        places[place] = on.constant(wanted, dtype, scale, zero_point)
    if np.array_equal(places, operator.inputs):
        return False
    operator.inputs = places
    return True
