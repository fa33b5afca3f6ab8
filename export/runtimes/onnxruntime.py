"""ONNX Runtime on its CPU execution provider."""

from typing import Any, Self

import numpy as np

from export.runtimes.runner import Runner, Values, pack
from train.common.errors import ArtifactError
from train.common.tensors import TensorSpec

DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    **{f"tensor({kind})": kind for kind in ("float16", "bool", "int8", "uint8", "int16", "uint16")},
    **{f"tensor({kind})": kind for kind in ("int32", "uint32", "int64", "uint64")},
}


# How far ONNX Runtime rewrites the graph before it runs it; `all` is its default.
OPTIMIZATION = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "disabled": "ORT_DISABLE_ALL",
}


def load_errors() -> tuple[type[Exception], ...]:
    """Returns what ONNX Runtime raises for a file or inputs that it refuses."""
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    return (
        *(errors.Fail, errors.InvalidArgument, errors.InvalidGraph, errors.InvalidProtobuf),
        *(errors.NoSuchFile, errors.NotImplemented, errors.RuntimeException),
    )


class ONNXRuntimeRunner(Runner):
    """An `.onnx` file in an ONNX Runtime session; an open batch takes any size as it comes.

    A mode is a level of graph optimization.
    """

    modes = tuple(OPTIMIZATION)

    def __enter__(self) -> Self:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        level = getattr(onnxruntime.GraphOptimizationLevel, OPTIMIZATION[self._mode])
        options.graph_optimization_level = level
        try:
            self._session = onnxruntime.InferenceSession(
                str(self._path), options, providers=["CPUExecutionProvider"]
            )
        except load_errors() as error:
            raise ArtifactError(f"ONNX Runtime cannot load {self._path}: {error}") from error
        self.inputs = tuple(map(_tensor_spec, self._session.get_inputs()))
        self.outputs = tuple(map(_tensor_spec, self._session.get_outputs()))
        run = self._session.run
        given, wanted = ([spec.name for spec in side] for side in (self.inputs, self.outputs))
        (first, *others) = given

        def invoke_one(value: Values) -> Values:
            found: list[np.ndarray] = run(wanted, {first: value})
            return pack(found)

        def invoke_many(values: Values) -> Values:
            found: list[np.ndarray] = run(wanted, dict(zip(given, values, strict=True)))
            return pack(found)

        self.invoke = invoke_many if others else invoke_one
        return self

    def __exit__(self, *details: object) -> None:
        del self._session, self.invoke


def _tensor_spec(details: Any) -> TensorSpec:
    return TensorSpec(
        name=details.name,
        shape=tuple(size if isinstance(size, int) else None for size in details.shape),
        dtype=DTYPES.get(details.type, details.type),
    )
