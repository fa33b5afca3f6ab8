"""Reads the graph of a `.tflite` file; the schema is that of `ai_edge_litert`."""

import struct
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.verify.graph.contents import Graph
from export.verify.graph.depth import Layers, Step, longest_path
from export.verify.graph.products import PRODUCTS, TABLES, Weights, precisions
from train.common.errors import ArtifactError

READS = {**PRODUCTS, **{name: (place,) for name, place in TABLES.items()}}
# Operators that convert between real and quantized values are float on one side by nature.
# So is a copy of an input, or of an output, to another output.
CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
# What may put an output together in float: it moves values, or gives each the unit of its channel.
MOVING = ("CONCATENATION", "PACK", "RESHAPE", "TRANSPOSE")
SCALING = ("ADD", "DIV", "MUL", "SUB")  # by a constant
# What reading a file raises whose numbers point nowhere.
DAMAGED = (
    *(AttributeError, IndexError, KeyError, TypeError, ValueError),
    *(StopIteration, RecursionError, struct.error),
)


def read_tflite(path: Path) -> Graph:
    """Returns the graph in a `.tflite` file.

    Raises:
        ArtifactError: it is not one.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = path.read_bytes()
    if len(content) < 8 or not schema.Model.ModelBufferHasIdentifier(content, 0):
        raise ArtifactError(f"{path} does not carry TFLite's file identifier")
    try:
        model = schema.ModelT.InitFromPackedBuf(content)
        # loops and conditions have subgraphs of their own
        names = _Names(operators=_named(schema.BuiltinOperator), dtypes=_named(schema.TensorType))
        parts = [_Subgraph(model, part, names) for part in model.subgraphs]
        products = {weights.key: weights for part in parts for weights in part.weights}
        stored = {tensor.buffer for part in parts for tensor in part.constants}
        numbers, _ = precisions(weights for part in parts for weights in part.weights)
        _, layers = precisions(parts[0].weights)  # loops of integers keep 16 bits of their states
        return Graph(
            operators=tuple(name for part in parts for name, _ in part.operators),
            float_operators=tuple(name for part in parts for name in part.floats),
            float_tail=tuple(name for part in parts for name in part.tail),
            foreign_operators=tuple(name for part in parts for name in part.foreign),
            depth=longest_path(_steps(parts, 0)),
            kernels=tuple(kernel for part in parts for kernel in part.kernels),
            products=tuple(products.values()),
            channels=sum(_channels(tensor) for tensor in model.subgraphs[0].tensors),
            stored_bytes=sum(len(model.buffers[buffer].data) for buffer in stored),
            weights=numbers,
            activations=layers,
        )
    except DAMAGED as error:
        raise ArtifactError(f"{path} is a damaged TFLite file: {error}") from error


@dataclass(frozen=True, kw_only=True)
class _Names:
    """The schema's names of operators and of dtypes, by their numbers."""

    operators: Mapping[int, str]
    dtypes: Mapping[int, str]


def _named(numbers: type) -> dict[int, str]:
    return {number: name for name, number in vars(numbers).items() if name.isupper()}


class _Subgraph:
    """What is to be known of a subgraph.

    Attributes:
        operators: their names, and the operators.
        floats, tail, foreign, kernels: as of the whole `Graph`.
        weights: what they multiply by.
        layers: the keys of the weights of each operator, by its place.
        stored: the stored tensor that each tensor is made of, if that is all.
        constants: the stored tensors that operators read.
    """

    def __init__(self, model: Any, graph: Any, names: _Names) -> None:
        self._names = names
        self.operators: list[tuple[str, Any]] = []
        floats: dict[int, str] = {}
        self.foreign: list[str] = []
        self.kernels: list[np.ndarray] = []
        self.weights: list[Weights] = []
        self.layers: dict[int, Layers] = {}
        self.constants: list[Any] = []
        self.stored = stored = {
            index: tensor for index, tensor in enumerate(graph.tensors) if _has_data(model, tensor)
        }
        ends = {*map(int, graph.inputs), *map(int, graph.outputs)}
        for place, operator in enumerate(graph.operators or ()):
            code = model.operatorCodes[operator.opcodeIndex]
            name = names.operators[max(code.builtinCode, code.deprecatedBuiltinCode)]
            self.operators.append((name, operator))
            if name == "CUSTOM":
                self.foreign.append(code.customCode.decode())
            inputs = [i for i in operator.inputs if i >= 0]
            self.constants += [stored[i] for i in inputs if i in stored]
            used = [graph.tensors[i] for i in (*inputs, *operator.outputs) if i >= 0]
            is_float = any(self._dtype(tensor) == "float32" for tensor in used)
            is_copy = name == "RESHAPE" and ends.issuperset((inputs[0], *operator.outputs))
            if name not in CONVERSIONS and is_float and not is_copy:
                floats[place] = name
            if name in ("FULLY_CONNECTED", "CONV_2D"):
                self._add_kernel(model, graph.tensors[operator.inputs[1]])
            if inputs and all(i in stored for i in inputs):
                # float16 weights pass through an operator of their own
                stored |= dict.fromkeys(operator.outputs, stored[inputs[0]])
            elif name in PRODUCTS or name in TABLES:
                chosen = [operator.inputs[i] for i in READS[name] if i < len(operator.inputs)]
                tensors = [stored[i] for i in chosen if i in stored]
                read = next(graph.tensors[i] for i in inputs if i not in stored)
                keys = self._add_weights(model, name, tensors, self._dtype(read))
                if name in PRODUCTS:
                    self.layers[place] = frozenset(keys or [(id(self), place)])
        tail = self._tail(floats, {*map(int, graph.outputs)})
        self.tail = [name for place, name in floats.items() if place in tail]
        self.floats = [name for place, name in floats.items() if place not in tail]

    def _tail(self, floats: dict[int, str], ends: set[int]) -> set[int]:
        """Returns which operators in float only put outputs together."""
        tail: set[int] = set()
        readers: dict[int, list[int]] = {}
        for place, (_, operator) in enumerate(self.operators):
            for read_index in operator.inputs:
                readers.setdefault(int(read_index), []).append(place)
        for place in reversed(floats):
            name, operator = self.operators[place]
            constants = [index for index in operator.inputs if index in self.stored]
            moves = name in MOVING or (name in SCALING and len(constants) == 1)
            made = {*map(int, operator.outputs)}
            read = {reader for index in made for reader in readers.get(index, [])}
            if moves and read <= tail and (read or made <= ends):
                tail.add(place)
        return tail

    def _dtype(self, tensor: Any) -> str:
        return self._names.dtypes[tensor.type].lower()

    def _add_kernel(self, model: Any, tensor: Any) -> None:
        data = model.buffers[tensor.buffer].data
        if data is not None:
            dtype = np.float32 if self._dtype(tensor) == "float32" else np.int8
            self.kernels.append(np.asarray(data, np.uint8).view(dtype))

    def _add_weights(self, model: Any, name: str, tensors: list[Any], reads: str) -> list[Hashable]:
        keys: list[Hashable] = []
        for tensor in tensors:
            content = np.asarray(model.buffers[tensor.buffer].data, np.uint8).tobytes()
            keys.append(hash((tuple(tensor.shape), content)))
            dtype = self._dtype(tensor)
            self.weights.append(
                Weights(
                    key=keys[-1],
                    size=int(np.prod(tensor.shape)),
                    dtype=dtype,
                    operator=name,
                    activations="dynamic" if reads == "float32" and "int" in dtype else reads,
                )
            )
        return keys


def _steps(parts: list[_Subgraph], number: int) -> list[Step]:
    return [
        (
            [i for i in operator.inputs if i >= 0 and i not in parts[number].stored],
            list(operator.outputs),
            parts[number].layers.get(place, frozenset()) | _within(parts, operator, {number}),
        )
        for place, (_, operator) in enumerate(parts[number].operators)
    ]


def _within(parts: list[_Subgraph], operator: Any, seen: set[int]) -> Layers:
    """Returns all layers of the subgraphs that an operator runs, such as a loop's body."""
    options = vars(operator.builtinOptions) if operator.builtinOptions is not None else {}
    found: Layers = frozenset()
    for name, number in options.items():
        if name.lower().endswith("subgraphindex") and number not in seen:
            seen.add(number)
            found = found.union(*parts[number].layers.values())
            for _, inner in parts[number].operators:
                found |= _within(parts, inner, seen)
    return found


def _has_data(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _channels(tensor: Any) -> int:
    """Returns how many scales a tensor has, 0 for one or none."""
    found = tensor.quantization and tensor.quantization.scale
    return 0 if found is None or len(found) < 2 else len(found)
