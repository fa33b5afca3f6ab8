"""Tables of what kernels of 16 bits give for each of the 65,536 numbers that they can be given."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from export.convert.qat.values import straight_through
from export.convert.tflite.flatbuffer import pack
from export.convert.tflite.recurrent.builder import CODES, TYPES, Builder

LEAST, MOST = -(1 << 15), (1 << 15) - 1
SCHEMA_VERSION = 3
CODE_OF = {"LOGISTIC": CODES.LOGISTIC, "TANH": CODES.TANH}


def looked_up(
    compute: Callable[[tf.Tensor], tf.Tensor],
    steps: tf.Tensor,
    unit: Any,
    table: np.ndarray,
    made: Any,
) -> tf.Tensor:
    """Returns what a table says, with the gradient of the function that it is close to.

    Args:
        compute: the function, of real numbers.
        steps: whole numbers of 16 bits.
        unit: what they are worth.
        table: (65536,) float32, what the function gives for the least number first.
        made: what a step in the table is worth.
    """
    places = tf.cast(tf.clip_by_value(steps, LEAST, MOST), tf.int32) - LEAST
    return straight_through(compute(steps * unit) / made, tf.gather(tf.constant(table), places))


@cache
def table_of(name: str, given: float, made: float) -> np.ndarray:
    """Returns what LiteRT's operator gives for each number, (65536,) float32.

    Its kernels interpolate, and are a step or two away from the function.

    Args:
        name: the operator, LOGISTIC or TANH.
        given: the input's scale.
        made: the output's.
    """
    from ai_edge_litert.interpreter import Interpreter

    graph, shape = schema.SubGraphT(tensors=[]), (1, MOST - LEAST + 1)
    tree = schema.ModelT(
        version=SCHEMA_VERSION,
        operatorCodes=[],
        buffers=[schema.BufferT()],
        subgraphs=[graph],
        description="",
    )
    on = Builder(tree, graph, "table")
    x, y = (on.tensor(shape, TYPES.INT16, scale) for scale in (given, made))
    on.add(CODE_OF[name], [x], [y])
    graph.operators, graph.name = on.made, "table"
    graph.inputs, graph.outputs = np.asarray([x], np.int32), np.asarray([y], np.int32)
    interpreter = Interpreter(model_content=pack(tree, 1 << 10))
    interpreter.allocate_tensors()
    numbers = np.arange(LEAST, MOST + 1).astype(np.int16).reshape(shape)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], numbers)
    interpreter.invoke()
    found: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return found.ravel().astype(np.float32)
