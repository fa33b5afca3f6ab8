"""Makes operators and tensors of a float `.tflite` file."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.tflite.inputs_outputs import operator_code

CODES = schema.BuiltinOperator
FLOAT32 = schema.TensorType.FLOAT32
OPTIONS = {
    CODES.ADD: schema.AddOptionsT,
    CODES.DIV: schema.DivOptionsT,
    CODES.MEAN: schema.ReducerOptionsT,
    CODES.MUL: schema.MulOptionsT,
    CODES.EXP: schema.ExpOptionsT,
    CODES.RELU: None,
    CODES.SELECT_V2: schema.SelectV2OptionsT,
    CODES.SLICE: schema.SliceOptionsT,
    CODES.SQRT: None,
    CODES.SUB: schema.SubOptionsT,
}


class Editor:
    """Makes operators and tensors of a model's first subgraph."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree
        self.graph = tree.subgraphs[0]

    def made(self, code: int, inputs: list[int], like: int) -> tuple[Any, int]:
        """Returns a new operator, and its result: a tensor like another."""
        model = self.graph.tensors[like]
        tensor = schema.TensorT()
        tensor.shape, tensor.shapeSignature = model.shape, model.shapeSignature
        tensor.type = model.type
        tensor.name = f"{model.name.decode()}/{len(self.graph.tensors)}".encode()
        tensor.buffer = 0
        self.graph.tensors.append(tensor)
        result = len(self.graph.tensors) - 1
        return self.operator(code, inputs, result), result

    def operator(self, code: int, inputs: list[int], output: int) -> Any:
        """Returns a new operator that writes a tensor there is."""
        made = schema.OperatorT()
        made.opcodeIndex = operator_code(self.tree, code)
        made.inputs = np.asarray(inputs, np.int32)
        made.outputs = np.asarray([output], np.int32)
        options = OPTIONS[code]
        if options is not None:
            made.builtinOptions = options()
            name = options.__name__.removesuffix("T")
            made.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        return made

    def constant(self, values: Any, dtype: type = np.float32) -> int:
        """Returns a new stored tensor."""
        array: np.ndarray = np.asarray(values, dtype)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self.tree.buffers.append(buffer)
        tensor = schema.TensorT()
        tensor.shape = np.asarray(array.shape, np.int32)
        tensor.type = FLOAT32 if dtype is np.float32 else schema.TensorType.INT32
        tensor.name = f"constant/{len(self.graph.tensors)}".encode()
        tensor.buffer = len(self.tree.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def code(self, operator: Any) -> int:
        """Returns what kind of operator one is."""
        return int(self.tree.operatorCodes[operator.opcodeIndex].builtinCode)

    def store(self, index: int, values: np.ndarray) -> None:
        """Replaces the numbers of a stored tensor alone: its buffer may be others' too."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.tree.buffers.append(buffer)
        self.graph.tensors[index].buffer = len(self.tree.buffers) - 1

    def stored(self, index: int) -> np.ndarray | None:
        """Returns the numbers of a stored float tensor; None if it is computed."""
        tensor = self.graph.tensors[index]
        data = self.tree.buffers[tensor.buffer].data
        if tensor.type not in (FLOAT32, schema.TensorType.INT32) or data is None or not len(data):
            return None
        kind = np.float32 if tensor.type == FLOAT32 else np.int32
        return np.asarray(data, np.uint8).view(kind)
