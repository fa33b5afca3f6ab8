"""ONNX Runtime on its CPU execution provider. Light."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from export.manifest import TensorSpec, single
from train.errors import ArtifactError

DTYPES = {"tensor(float)": "float32", "tensor(int8)": "int8", "tensor(uint8)": "uint8"}


class ONNXRuntimeRunner:
    """An `.onnx` file in an ONNX Runtime session."""

    input: TensorSpec
    output: TensorSpec

    def __init__(self, path: Path, *, threads: int, reference: bool = False) -> None:
        self._path = path
        self._reference = reference
        self._threads = threads

    def __enter__(self) -> Self:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as errors

        load_errors = (
            *(errors.Fail, errors.InvalidArgument, errors.InvalidGraph, errors.InvalidProtobuf),
            *(errors.NoSuchFile, errors.NotImplemented, errors.RuntimeException),
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if self._reference:
            level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.graph_optimization_level = level
        try:
            self._session = onnxruntime.InferenceSession(
                str(self._path), options, providers=["CPUExecutionProvider"]
            )
        except load_errors as error:
            raise ArtifactError(f"ONNX Runtime cannot load {self._path}: {error}") from error
        self.input = _tensor_spec(single("input", self._session.get_inputs(), self._path))
        self.output = _tensor_spec(single("output", self._session.get_outputs(), self._path))
        self._output_names = [self.output.name]
        self._input_name = self.input.name
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del self._session

    def invoke(self, value: np.ndarray) -> np.ndarray:
        """Runs one inference."""
        result: np.ndarray = self._session.run(self._output_names, {self._input_name: value})[0]
        return result


def _tensor_spec(details: Any) -> TensorSpec:
    return TensorSpec(
        name=details.name,
        shape=tuple(size if isinstance(size, int) else None for size in details.shape),
        dtype=DTYPES.get(details.type, details.type),
    )
