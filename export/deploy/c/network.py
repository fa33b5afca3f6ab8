"""The operators and tensors of an integer `.tflite` file, in the order in which they run."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from export.deploy.c.steps.weights.packing import SIZE
from export.verify.graph.products import unpacked
from train.common.errors import ArtifactError

BYTES = ("int8", "uint8", "bool")
WIDER = ("int16", "int32")  # states of recurrent layers; what counts their steps, ids of words


class NoKernelError(ArtifactError):
    """A file has what no kernel computes; whoever asked for what says the way out."""


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A tensor.

    Attributes:
        name: the file's name of it.
        shape: sizes, the batch of 1 first.
        dtype: numpy's name of the stored type; `int4` for two weights per byte.
        scales: (channels,) float32, or (1,); empty where it is not quantized.
        zero_point: of all channels.
        data: the constant, of `shape`, int4 as int8; None if it is computed.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: np.ndarray
    zero_point: int
    data: np.ndarray | None

    @property
    def size(self) -> int:
        """How many values it has."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes its values take."""
        return self.size * np.dtype(self.dtype).itemsize

    @property
    def scale(self) -> float:
        """The one scale of a tensor that is not quantized per channel."""
        return float(self.scales[0])


@dataclass(frozen=True, kw_only=True)
class Operator:
    """An operator: TFLite's name, its tensors by number (-1: left out), its options.

    `place` is its position in the file; `intermediates` are tensors that tell kernels their units;
    `stored` is the operator as the file has it.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any
    place: int
    intermediates: tuple[int, ...]
    stored: Any


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A subgraph: operators in the order in which they run; its ends, tensors by number."""

    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Network:
    """A file's subgraphs: the network, and the conditions and bodies of its loops.

    Attributes:
        tensors: those of all subgraphs, one subgraph's behind the other's.
        stored: the same as the file has them.
        graphs: the subgraphs; the first one is the network.
        optimize: `size` or `speed`, what weights are packed for.
        unproven: of operators without a reference kernel in LiteRT, by place, the (256,) results of
            its only kernel.
    """

    def __init__(self, path: Path, optimize: str = SIZE) -> None:
        """Reads a file.

        Raises:
            ArtifactError: it computes in float, or has a batch other than one; what was found is
                named.
        """
        from ai_edge_litert import schema_py_generated as schema

        self.optimize = optimize
        self.unproven: dict[int, np.ndarray] = {}
        self.model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
        codes = {v: k for k, v in vars(schema.BuiltinOperator).items() if k.isupper()}
        dtypes = {v: k.lower() for k, v in vars(schema.TensorType).items() if k.isupper()}
        self.stored = [each for graph in self.model.subgraphs for each in graph.tensors]
        self.tensors = [self._tensor(each, dtypes[each.type]) for each in self.stored]
        graphs: list[Graph] = []
        first = place = 0
        for graph in self.model.subgraphs:
            operators = []
            for each in graph.operators:
                code = self.model.operatorCodes[each.opcodeIndex]
                operator = Operator(
                    name=codes[max(code.builtinCode, code.deprecatedBuiltinCode)],
                    inputs=_moved(each.inputs, first),
                    outputs=_moved(each.outputs, first),
                    options=each.builtinOptions,
                    place=place,
                    intermediates=_moved(each.intermediates, first),
                    stored=each,
                )
                self._check(operator)
                operators.append(operator)
                place += 1
            graphs.append(
                Graph(
                    operators=tuple(operators),
                    inputs=_moved(graph.inputs, first),
                    outputs=_moved(graph.outputs, first),
                )
            )
            first += len(graph.tensors)
        self.graphs = tuple(graphs)
        self._check_ends()

    @property
    def operators(self) -> tuple[Operator, ...]:
        """The network's operators, in the order in which they run."""
        return self.graphs[0].operators

    @property
    def inputs(self) -> tuple[int, ...]:
        """The network's inputs, by number."""
        return self.graphs[0].inputs

    @property
    def outputs(self) -> tuple[int, ...]:
        """The network's outputs, by number."""
        return self.graphs[0].outputs

    def _check_ends(self) -> None:
        for each in self.outputs:
            if self.tensors[each].data is not None:
                raise ArtifactError(
                    f"got output {self.tensors[each].name!r} that is a constant, expected ones "
                    "that are computed; leave it out of the model"
                )
        for each in (*self.inputs, *self.outputs):
            tensor = self.tensors[each]
            if tensor.dtype not in BYTES and (tensor.dtype != "int32" or each in self.outputs):
                raise _not_of_bytes("an input or output", tensor)
            if tensor.shape[:1] != (1,):
                raise ArtifactError(
                    f"got {tensor.name!r} of shape {tensor.shape}, "
                    "expected a batch of 1; export the integer file with --batch 1"
                )

    def _tensor(self, tensor: Any, dtype: str) -> Tensor:
        shape = () if tensor.shape is None else tuple(map(int, tensor.shape))
        found = tensor.quantization
        scales = None if found is None else found.scale
        zeros = None if found is None else found.zeroPoint
        content = self.model.buffers[tensor.buffer].data
        data = None
        if content is not None and len(content):
            raw = np.asarray(content, np.uint8)
            values = unpacked(raw, prod(shape)) if dtype == "int4" else raw.view(dtype)
            data = values.reshape(shape)
        return Tensor(
            name=tensor.name.decode(),
            shape=shape,
            dtype=dtype,
            scales=np.asarray([] if scales is None else scales, np.float32),
            zero_point=int(zeros[0]) if zeros is not None and len(zeros) else 0,
            data=data,
        )

    def _check(self, operator: Operator) -> None:
        for index in (*operator.inputs, *operator.outputs):
            tensor = self.tensors[index]
            allowed = (*BYTES, *WIDER)
            if index >= 0 and tensor.data is None and tensor.dtype not in allowed:
                raise _not_of_bytes(operator.name, tensor)


def _not_of_bytes(what: str, tensor: Tensor) -> ArtifactError:
    return ArtifactError(
        f"got {what} with {tensor.name!r} of {tensor.dtype}, expected an integer file whose "
        "inputs, outputs and values between are of 8 bits; export tflite-int8, or give it with "
        "--from"
    )


def _moved(places: Any, first: int) -> tuple[int, ...]:
    """Returns numbers of tensors, counted from the first one of all subgraphs."""
    given = [] if places is None else places
    return tuple(int(place) + first if place >= 0 else -1 for place in given)


def number(network: Network, tensor: int) -> int | None:
    """Returns the number of 32 bits that a constant is; None if a tensor is none, or several."""
    found = network.tensors[tensor]
    if found.dtype != "int32" or found.data is None or found.data.size != 1:
        return None
    return int(found.data.reshape(-1)[0])
