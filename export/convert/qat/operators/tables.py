"""Tables of what kernels give for each number that a tensor of 8 or 16 bits can hold."""

import copy
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from export.convert.qat.graph import CODES, Operator
from export.convert.qat.values import Tensor, straight_through
from export.convert.tflite.file.builder import pack
from export.convert.tflite.recurrent.builder import TYPES, Builder

SCHEMA_VERSION = 3
TYPE_OF = {np.dtype(np.int8): TYPES.INT8, np.dtype(np.int16): TYPES.INT16}
_tables: dict[Any, np.ndarray] = {}


def looked_up(exact: tf.Tensor, stored: tf.Tensor, table: np.ndarray) -> tf.Tensor:
    """Returns what a table says, with the gradient of the function that it is close to.

    Args:
        exact: what the function gives, in the unit of the table.
        stored: the numbers that it is given, as the file holds them.
        table: (256,) or (65536,) float32, that of the least number first.
    """
    places = tf.cast(stored, tf.int32) + len(table) // 2
    return straight_through(exact, tf.gather(tf.constant(table), places))


def table_of(op: Operator) -> np.ndarray:
    """Returns what LiteRT gives for each number, in steps from zero, (256,) or (65536,) float32.

    Its kernels interpolate, or compute with few bits, and are a step or two from the function.

    Args:
        op: an operator of one input, of 8 or 16 bits.
    """
    given, made = op.given(0), op.outputs[0]
    options = {} if op.options is None else vars(op.options)
    scales = [(t.dtype, float(t.step), t.zero_point) for t in (given, made)]
    key = op.name, str(options), *scales
    if key not in _tables:
        _tables[key] = _asked(op, given, made)
    return _tables[key]


def _asked(op: Operator, given: Tensor, made: Tensor) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    limits = np.iinfo(given.dtype)
    numbers = np.arange(limits.min, limits.max + 1).astype(given.dtype)[np.newaxis]
    graph = schema.SubGraphT(tensors=[])
    tree = schema.ModelT(
        version=SCHEMA_VERSION,
        operatorCodes=[],
        buffers=[schema.BufferT()],
        subgraphs=[graph],
        description="",
    )
    on = Builder(tree, graph, "table")
    x, y = (
        on.tensor(numbers.shape, TYPE_OF[t.dtype], float(t.step), t.zero_point)
        for t in (given, made)
    )
    operator = on.add(getattr(CODES, op.name), [x], [y])
    operator.builtinOptions = copy.copy(op.source.builtinOptions)
    operator.builtinOptionsType = op.source.builtinOptionsType
    graph.operators, graph.name = on.made, "table"
    graph.inputs, graph.outputs = np.asarray([x], np.int32), np.asarray([y], np.int32)
    interpreter = Interpreter(model_content=pack(tree, 1 << 10))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], numbers)
    interpreter.invoke()
    found: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return found.ravel().astype(np.float32) - np.float32(made.zero_point)
