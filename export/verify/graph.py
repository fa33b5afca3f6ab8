"""What is inside an exported file: operators, which of them compute in float, stored weights.

The schemas (of `ai_edge_litert` and `onnx`) are imported when a file is read.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from train.common.errors import ArtifactError

# The operator that only exists because a dimension is not fixed, with STRIDED_SLICE and PACK after
# it; without it those two are the model's own.
SHAPE_ARITHMETIC = ("SHAPE",)
# Operators that convert between real and quantized values are float on one side by nature.
CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
# Operators of either family that add up products; each layer's roundings add to the last one's.
PRODUCTS = {
    *("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_3D", "FULLY_CONNECTED"),
    *("BATCH_MATMUL", "UNIDIRECTIONAL_SEQUENCE_LSTM", "Conv", "ConvTranspose", "ConvInteger"),
    *("Gemm", "MatMul", "MatMulInteger", "LSTM", "GRU", "DynamicQuantizeLSTM", "RNN", "Einsum"),
}
# ONNX's operators that hold a recurrent layer or a loop; integer formats have no such thing.
RECURRENT = ("LSTM", "GRU", "RNN", "Loop", "Scan")


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A model's graph in the order of execution.

    Attributes:
        operators: their names.
        float_operators: those that compute in float where an integer model should not.
        foreign_operators: those that the plain runtime lacks (Select-TF, custom).
        products: how many of them multiply by weights, or values by each other.
        kernels: the stored weights of matrix products, of the dtype they are stored in.
        channels: how many channels of a `.tflite` file have a scale, a zero point and a bias.
    """

    operators: tuple[str, ...]
    float_operators: tuple[str, ...]
    foreign_operators: tuple[str, ...]
    products: int
    kernels: tuple[np.ndarray, ...]
    channels: int = 0


def read_graph(path: Path) -> Graph:
    """Returns the graph in a `.tflite` or `.onnx` file.

    Raises:
        ArtifactError: the file is not what its suffix says.
    """
    return _read_tflite(path) if path.suffix == ".tflite" else _read_onnx(path)


def _read_tflite(path: Path) -> Graph:
    from ai_edge_litert import schema_py_generated as schema

    content = path.read_bytes()
    if len(content) < 8 or not schema.Model.ModelBufferHasIdentifier(content, 0):
        raise ArtifactError(f"{path} does not carry TFLite's file identifier")
    model = schema.ModelT.InitFromPackedBuf(content)
    names = {v: name for name, v in vars(schema.BuiltinOperator).items() if name.isupper()}
    operators, floats, foreign, kernels = [], [], [], []
    # loops and conditions have subgraphs of their own
    for graph, operator in ((part, found) for part in model.subgraphs for found in part.operators):
        code = model.operatorCodes[operator.opcodeIndex]
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        operators.append(name)
        if name == "CUSTOM":
            foreign.append(code.customCode.decode())
        used = [graph.tensors[i] for i in (*operator.inputs, *operator.outputs) if i >= 0]
        if name not in CONVERSIONS and any(t.type == schema.TensorType.FLOAT32 for t in used):
            floats.append(name)
        if name in ("FULLY_CONNECTED", "CONV_2D"):
            tensor = graph.tensors[operator.inputs[1]]
            data = model.buffers[tensor.buffer].data
            if data is not None:  # float16 weights pass through an operator of their own
                is_float = tensor.type == schema.TensorType.FLOAT32
                kernels.append(np.asarray(data, np.uint8).view(np.float32 if is_float else np.int8))
    return Graph(
        operators=tuple(operators),
        float_operators=tuple(floats),
        foreign_operators=tuple(foreign),
        products=sum(name in PRODUCTS for name in operators),
        kernels=tuple(kernels),
        channels=sum(_channels(tensor) for tensor in model.subgraphs[0].tensors),
    )


def _channels(tensor: Any) -> int:
    """Returns how many scales a tensor has, 0 for one or none."""
    found = tensor.quantization and tensor.quantization.scale
    return 0 if found is None or len(found) < 2 else len(found)


def _read_onnx(path: Path) -> Graph:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model: Any = onnx.load(path)
    except DecodeError as error:
        raise ArtifactError(f"{path} is not an ONNX file: {error}") from error
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    made_by = {output: node for node in model.graph.node for output in node.output}
    products = [node for node in model.graph.node if node.op_type in ("MatMul", "Gemm", "Conv")]
    floats = [node.op_type for node in model.graph.node if node.op_type in RECURRENT]
    kernels = []
    for node in products:
        sources = [made_by.get(name) for name in node.input[:2]]
        if any(source is None or source.op_type != "DequantizeLinear" for source in sources):
            floats.append(node.op_type)
        weight = sources[1].input[0] if sources[1] is not None else node.input[1]
        if weight in stored:
            kernels.append(onnx.numpy_helper.to_array(stored[weight]))
    domains = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
    return Graph(
        operators=tuple(node.op_type for node in model.graph.node),
        float_operators=tuple(floats),
        products=sum(node.op_type in PRODUCTS for node in model.graph.node),
        foreign_operators=tuple(n.op_type for n in model.graph.node if n.domain not in domains),
        kernels=tuple(kernels),
    )
