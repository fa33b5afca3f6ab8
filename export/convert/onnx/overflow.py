"""Processors whose sums of 8-bit products overflow.

On x86-64 without VNNI, ONNX Runtime's kernels for signed weights add two products of 8 bits in 16
bits, and saturate (`vpmaddubsw`). Unsigned weights, and signed ones of 7 bits, never overflow.
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html#when-and-why-do-i-need-to-try-u8u8
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
import onnx
import onnxruntime

from export.convert.onnx.graph.arrange import bodies

LENGTH, WIDTH = 64, 32  # of a product that is large enough for the runtime's kernels
HALF = 128  # between int8 and uint8


@cache
def overflows_here() -> bool:
    """Returns whether sums overflow on this processor, by multiplying the largest numbers."""
    weights = np.full((LENGTH, WIDTH), 127, np.int8)
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMulInteger", ["a", "b"], ["sums"])],
        "product",
        [info("a", onnx.TensorProto.UINT8, [1, LENGTH])],
        [info("sums", onnx.TensorProto.INT32, [1, WIDTH])],
        [onnx.numpy_helper.from_array(weights, "b")],
    )
    opset = onnx.helper.make_opsetid("", 13)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (sums,) = session.run(None, {"a": np.full((1, LENGTH), 255, np.uint8)})
    return bool(np.any(sums != LENGTH * 255 * 127))


def unsigned_twin(content: bytes) -> bytes:
    """Returns a quantized model with uint8 for int8 throughout, which computes the same exactly.

    What a processor without overflow gives for the model itself, any gives for the twin.
    """
    model = onnx.load_from_string(content)
    in_float = {node.input[0] for node in model.graph.node if node.op_type == "Cast"}
    for graph in _graphs(model.graph):
        for tensor in graph.initializer:
            if tensor.data_type == onnx.TensorProto.INT8 and tensor.name not in in_float:
                values = onnx.numpy_helper.to_array(tensor).astype(np.int16) + HALF
                tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.uint8), tensor.name))
        for value in graph.value_info:
            if value.type.tensor_type.elem_type == onnx.TensorProto.INT8:
                value.type.tensor_type.elem_type = onnx.TensorProto.UINT8
    return bytes(model.SerializeToString(deterministic=True))


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for body in bodies(node):
            yield from _graphs(body)
