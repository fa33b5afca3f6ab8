"""The graphs of a `.tflite` file as tensors and operators that can be simulated."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.qat.values import Tensor

CODES = schema.BuiltinOperator
CODE_NAMES = {v: k for k, v in vars(CODES).items() if isinstance(v, int)}
TYPES = schema.TensorType
FUSED = schema.ActivationFunctionType
DTYPES = {
    TYPES.FLOAT32: np.float32,
    TYPES.FLOAT16: np.float16,
    TYPES.INT8: np.int8,
    TYPES.UINT8: np.uint8,
    TYPES.INT16: np.int16,
    TYPES.INT32: np.int32,
    TYPES.INT64: np.int64,
    TYPES.BOOL: np.bool_,
}
NO_LIMITS = (-np.inf, np.inf)
LIMITS = {
    FUSED.NONE: NO_LIMITS,
    FUSED.RELU: (0.0, np.inf),
    FUSED.RELU6: (0.0, 6.0),
    FUSED.RELU_N1_TO_1: (-1.0, 1.0),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Operator:
    """One operator of a graph.

    Attributes:
        name: what it is, as the schema calls it.
        options: the schema's object; None if it has none.
        inputs: what it reads; None for what is left out.
        outputs: what it writes.
        between: tensors that say the scales of what an LSTM computes.
        source: the schema's object.
    """

    name: str
    options: Any
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    between: tuple[Tensor, ...]
    source: Any

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest number that its fused activation lets through."""
        fused = getattr(self.options, "fusedActivationFunction", FUSED.NONE)
        return LIMITS.get(fused, NO_LIMITS)

    def given(self, place: int) -> Tensor:
        """Returns a tensor that it reads.

        Raises:
            ValueError: it is left out.
        """
        tensor = self.inputs[place]
        if tensor is None:
            raise ValueError("an input is left out")
        return tensor

    def numbers(self, place: int) -> np.ndarray:
        """Returns the stored numbers of an input.

        Raises:
            ValueError: they are computed.
        """
        stored = self.given(place).stored
        if stored is None:
            raise ValueError("it reads a shape or places that are computed")
        return stored


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """A graph of a file: the model's own, or a part of a loop."""

    number: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...]


def graphs_of(tree: Any) -> list[Graph]:
    """Returns the graphs of a file, its own first."""
    return [_graph(tree, number) for number in range(len(tree.subgraphs))]


def _graph(tree: Any, number: int) -> Graph:
    part = tree.subgraphs[number]
    tensors = [_tensor(tree, part, index) for index in range(len(part.tensors))]

    def named(indices: Any) -> tuple[Any, ...]:
        return tuple(tensors[int(i)] if i >= 0 else None for i in indices)

    operators = []
    for each in part.operators:
        code = tree.operatorCodes[each.opcodeIndex]
        number_of = max(int(code.builtinCode), int(code.deprecatedBuiltinCode))
        between = () if each.intermediates is None else named(each.intermediates)
        operators.append(
            Operator(
                name=CODE_NAMES[number_of],
                options=each.builtinOptions,
                inputs=named(each.inputs),
                outputs=named(each.outputs),
                between=between,
                source=each,
            )
        )
    return Graph(
        number=number,
        inputs=named(part.inputs),
        outputs=named(part.outputs),
        operators=tuple(operators),
    )


def _tensor(tree: Any, part: Any, index: int) -> Tensor:
    tensor = part.tensors[index]
    dtype = np.dtype(DTYPES[tensor.type])
    shape = () if tensor.shape is None else tuple(map(int, tensor.shape))
    found = tensor.quantization
    has_scale = found is not None and found.scale is not None and len(found.scale) > 0
    data = tree.buffers[tensor.buffer].data
    stored = None
    if data is not None and len(data):
        stored = np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtype).reshape(shape)
    return Tensor(
        index=index,
        name=tensor.name.decode(),
        shape=shape,
        dtype=dtype,
        scale=np.asarray(found.scale if has_scale else (), np.float32),
        zero_point=int(found.zeroPoint[0]) if has_scale else 0,
        axis=int(found.quantizedDimension) if has_scale else 0,
        stored=stored,
        buffer=int(tensor.buffer),
    )
