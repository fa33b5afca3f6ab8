"""Makes tensors and operators in one graph of a `.tflite` model, of any type."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.tflite.inputs_outputs import operator_code

CODES = schema.BuiltinOperator
TYPES = schema.TensorType
HIGHEST_8 = 127
YES_OR_NO = (0.5, 0)  # scale, which comparisons want below 1 (LiteRT 2.3 aborts), and zero point
TINY = 1e-9  # the least scale of weights is this much, if all are zero
NUMPY = {
    TYPES.FLOAT32: np.float32,
    TYPES.FLOAT16: np.float16,
    TYPES.INT8: np.int8,
    TYPES.INT16: np.int16,
    TYPES.INT32: np.int32,
    TYPES.INT64: np.int64,
}
OPTIONS = {
    CODES.ADD: schema.AddOptionsT,
    CODES.CAST: schema.CastOptionsT,
    CODES.CONCATENATION: schema.ConcatenationOptionsT,
    CODES.DEQUANTIZE: schema.DequantizeOptionsT,
    CODES.FILL: schema.FillOptionsT,
    CODES.FULLY_CONNECTED: schema.FullyConnectedOptionsT,
    CODES.GATHER: schema.GatherOptionsT,
    CODES.GREATER_EQUAL: schema.GreaterEqualOptionsT,
    CODES.LESS: schema.LessOptionsT,
    CODES.MUL: schema.MulOptionsT,
    CODES.NOT_EQUAL: schema.NotEqualOptionsT,
    CODES.QUANTIZE: schema.QuantizeOptionsT,
    CODES.RESHAPE: schema.ReshapeOptionsT,
    CODES.REVERSE_V2: schema.ReverseV2OptionsT,
    CODES.SELECT_V2: schema.SelectV2OptionsT,
    CODES.SPLIT: schema.SplitOptionsT,
    CODES.STRIDED_SLICE: schema.StridedSliceOptionsT,
    CODES.SUB: schema.SubOptionsT,
    CODES.UNIDIRECTIONAL_SEQUENCE_LSTM: schema.UnidirectionalSequenceLSTMOptionsT,
    CODES.WHILE: schema.WhileOptionsT,
}


class Builder:
    """Adds to a graph.

    Attributes:
        tree: the model.
        graph: one of its graphs.
        made: the operators that were made, in order; they are in the graph once it is told so.
        prefix: what the names of new tensors begin with.
    """

    def __init__(self, tree: Any, graph: Any, prefix: str) -> None:
        self.tree, self.graph, self.prefix = tree, graph, prefix
        self.made: list[Any] = []

    def tensor(
        self,
        shape: Sequence[int],
        dtype: int,
        scale: float | None = None,
        zero_point: int = 0,
        *,
        variable: bool = False,
    ) -> int:
        """Returns the number of a new tensor that something computes."""
        tensor = schema.TensorT()
        tensor.name = f"{self.prefix}/{len(self.graph.tensors)}".encode()
        tensor.shape, tensor.type, tensor.buffer = np.asarray(shape, np.int32), dtype, 0
        tensor.isVariable = variable
        if scale is not None:
            tensor.quantization = schema.QuantizationParametersT(
                scale=np.asarray([scale], np.float32), zeroPoint=np.asarray([zero_point], np.int64)
            )
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(
        self, values: Any, dtype: int, scale: float | None = None, zero_point: int = 0
    ) -> int:
        """Returns the number of a new stored tensor."""
        array: np.ndarray = np.asarray(values, NUMPY[dtype])
        index = self.tensor(array.shape, dtype, scale, zero_point)
        self.tree.buffers.append(schema.BufferT(data=np.frombuffer(array.tobytes(), np.uint8)))
        self.graph.tensors[index].buffer = len(self.tree.buffers) - 1
        return index

    def weights(self, values: np.ndarray, dtype: int) -> int:
        """Returns stored weights (in, out), the other way round, as TFLite has them.

        Args:
            values: the weights.
            dtype: float32; float16, which an operator turns into float32; or int8, of one scale.
        """
        turned = np.ascontiguousarray(values.T)
        if dtype == TYPES.INT8:
            scale = max(float(np.abs(turned).max(initial=0)), TINY) / HIGHEST_8
            return self.constant(np.rint(turned / scale), dtype, scale)
        stored = self.constant(turned, dtype)
        if dtype == TYPES.FLOAT32:
            return stored
        full = self.tensor(turned.shape, TYPES.FLOAT32)
        self.add(CODES.DEQUANTIZE, [stored], [full])
        return full

    def add(self, code: int, inputs: Sequence[int], outputs: Sequence[int], **options: Any) -> Any:
        """Makes an operator; its options are those of the schema by name."""
        made = schema.OperatorT()
        made.opcodeIndex = operator_code(self.tree, code)
        made.inputs = np.asarray(inputs, np.int32)
        made.outputs = np.asarray(outputs, np.int32)
        if code in OPTIONS:
            made.builtinOptions = OPTIONS[code]()
            name = OPTIONS[code].__name__.removesuffix("T")
            made.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            for option, value in options.items():
                setattr(made.builtinOptions, option, value)
        self.made.append(made)
        return made

    def slice_last(self, sequence: int, output: int) -> None:
        """Makes an output of the last step of a sequence (batch, steps, numbers)."""
        ends = (np.array([0, -1, 0]), np.zeros(3), np.ones(3))
        places = [self.constant(values, TYPES.INT32) for values in ends]
        self.add(
            CODES.STRIDED_SLICE,
            [sequence, *places],
            [output],
            beginMask=0b101,
            endMask=0b111,
            shrinkAxisMask=0b010,
        )

    def code_of(self, operator: Any) -> int:
        """Returns what kind of operator one is."""
        return int(self.tree.operatorCodes[operator.opcodeIndex].builtinCode)

    def stored(self, index: int) -> np.ndarray | None:
        """Returns the bytes that a tensor stores; None if it is computed."""
        data = self.tree.buffers[self.graph.tensors[index].buffer].data
        return None if data is None or not len(data) else np.asarray(data, np.uint8)

    def type_of(self, index: int) -> int:
        """Returns the type of a tensor."""
        return int(self.graph.tensors[index].type)

    def shape_of(self, index: int) -> list[int]:
        """Returns the shape of a tensor."""
        return list(map(int, self.graph.tensors[index].shape))

    def scale_of(self, index: int) -> tuple[float, int]:
        """Returns scale and zero point of a quantized tensor."""
        found = self.graph.tensors[index].quantization
        return float(found.scale[0]), int(found.zeroPoint[0])


def without_unread(tree: Any, operators: Sequence[Any], *codes: int) -> list[Any]:
    """Returns operators without those of some kinds whose results nothing reads.

    Args:
        tree: the model, of whose first graph they are.
        operators: in order.
        codes: the kinds.
    """
    read = {int(i) for operator in operators for i in operator.inputs}
    read |= {*map(int, tree.subgraphs[0].outputs)}
    return [
        operator
        for operator in operators
        if tree.operatorCodes[operator.opcodeIndex].builtinCode not in codes
        or read & {*map(int, operator.outputs)}
    ]


def in_order(operators: Sequence[Any]) -> list[Any]:
    """Returns operators in an order in which each reads what was made before; else as they were.

    Raises:
        ValueError: there is none.
    """
    unmade = {int(i) for operator in operators for i in operator.outputs}
    found: list[Any] = []
    left = list(operators)
    while left:
        later = []
        for operator in left:
            if unmade.isdisjoint(map(int, operator.inputs)):
                unmade -= {*map(int, operator.outputs)}
                found.append(operator)
            else:
                later.append(operator)
        if len(later) == len(left):
            raise ValueError("operators read what is made from what they make")
        left = later
    return found


def drop_unread(tree: Any) -> None:
    """Drops tensors that no operator has any more, and what no tensor stores."""
    for number, graph in enumerate(tree.subgraphs):
        named = [
            entry for each in tree.signatureDefs or () for entry in (*each.inputs, *each.outputs)
        ]
        named = [] if number else named
        vectors = [(graph, "inputs"), (graph, "outputs")]
        for operator in graph.operators:
            vectors += [(operator, "inputs"), (operator, "outputs")]
            if operator.intermediates is not None:
                vectors.append((operator, "intermediates"))
        used = {int(i) for owner, name in vectors for i in getattr(owner, name)}
        used |= {int(entry.tensorIndex) for entry in named}
        places = {old: new for new, old in enumerate(sorted(used - {-1}))}
        graph.tensors = [graph.tensors[old] for old in places]
        places[-1] = -1
        for owner, name in vectors:
            moved = [places[int(i)] for i in getattr(owner, name)]
            setattr(owner, name, np.asarray(moved, np.int32))
        for entry in named:
            entry.tensorIndex = places[int(entry.tensorIndex)]
    owners = [*(tensor for graph in tree.subgraphs for tensor in graph.tensors)]
    owners += list(tree.metadata or ())
    kept = sorted({0, *(int(owner.buffer) for owner in owners)})  # the first is no buffer
    tree.buffers = [tree.buffers[old] for old in kept]
    renumbered = {old: new for new, old in enumerate(kept)}
    for owner in owners:
        owner.buffer = renumbered[int(owner.buffer)]
