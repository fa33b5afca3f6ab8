"""The operators and tensors of an integer `.tflite` file, in the order in which they run."""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from train.common.errors import ArtifactError

BYTES = ("int8", "uint8", "bool")


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
    def scale(self) -> float:
        """The one scale of a tensor that is not quantized per channel."""
        return float(self.scales[0])


@dataclass(frozen=True, kw_only=True)
class Operator:
    """An operator: TFLite's name, its tensors by number (-1: left out), its options.

    `place` is its position in the file.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any
    place: int


class Network:
    """A file's only subgraph.

    Attributes:
        tensors: all of them.
        operators: in the order in which they run.
        inputs, outputs: tensors by number.
    """

    def __init__(self, path: Path) -> None:
        """Reads a file.

        Raises:
            ArtifactError: it computes in float, has a batch other than one, or has loops; what was
                found is named.
        """
        from ai_edge_litert import schema_py_generated as schema

        self.model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
        if len(self.model.subgraphs) != 1:
            raise ArtifactError(
                "c: got a file with loops or branches, expected one graph; write recurrent layers "
                "out with --recurrent unrolled, or use --format tflm"
            )
        graph = self.model.subgraphs[0]
        codes = {v: k for k, v in vars(schema.BuiltinOperator).items() if k.isupper()}
        dtypes = {v: k.lower() for k, v in vars(schema.TensorType).items() if k.isupper()}
        self.tensors = [self._tensor(each, dtypes[each.type]) for each in graph.tensors]
        self.operators = []
        for place, each in enumerate(graph.operators):
            code = self.model.operatorCodes[each.opcodeIndex]
            operator = Operator(
                name=codes[max(code.builtinCode, code.deprecatedBuiltinCode)],
                inputs=tuple(map(int, each.inputs)),
                outputs=tuple(map(int, each.outputs)),
                options=each.builtinOptions,
                place=place,
            )
            self._check(operator)
            self.operators.append(operator)
        self.inputs = tuple(map(int, graph.inputs))
        self.outputs = tuple(map(int, graph.outputs))
        for each in self.outputs:
            if self.tensors[each].data is not None:
                raise ArtifactError(
                    f"c: got output {self.tensors[each].name!r} that is a constant, expected ones "
                    "that are computed; leave it out of the model"
                )
        for each in (*self.inputs, *self.outputs):
            if self.tensors[each].shape[:1] != (1,):
                raise ArtifactError(
                    f"c: got {self.tensors[each].name!r} of shape {self.tensors[each].shape}, "
                    "expected a batch of 1; export the integer file with --batch 1"
                )

    @cached_property
    def multiplications(self) -> int:
        """How many multiplications with weights one inference takes."""
        return sum(
            self.tensors[each.outputs[0]].size * self._fan_in(each) for each in self.operators
        )

    def _fan_in(self, operator: Operator) -> int:
        if operator.name not in ("CONV_2D", "FULLY_CONNECTED", "DEPTHWISE_CONV_2D"):
            return 0
        shape = self.tensors[operator.inputs[1]].shape
        return prod(shape[1:-1]) if operator.name == "DEPTHWISE_CONV_2D" else prod(shape[1:])

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
            if index >= 0 and tensor.data is None and tensor.dtype not in BYTES:
                raise ArtifactError(
                    f"c: got {operator.name} with {tensor.name!r} of {tensor.dtype}, expected an "
                    "integer file whose inputs, outputs and values between are of 8 bits; export "
                    "tflite-int8, or give it with --from"
                )


def unpacked(raw: np.ndarray, count: int) -> np.ndarray:
    """Returns 4-bit weights, two per byte with the first in the lower bits, as int8 (count,)."""
    pairs = np.stack([raw << 4, raw & 0xF0], axis=-1).reshape(-1)[:count]
    return np.asarray(pairs.view(np.int8) >> 4)
