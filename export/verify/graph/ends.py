"""The inputs and outputs of a `.tflite` file, and of its operators, without a runtime."""

from pathlib import Path
from typing import Any

import numpy as np

from export.verify.graph.tflite import DAMAGED
from train.common.errors import ArtifactError
from train.common.tensors import TensorSpec


def ends_of(path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Returns a file's inputs and outputs, in its order.

    Raises:
        ArtifactError: it is damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    dtypes = {number: name for name, number in vars(schema.TensorType).items() if name.isupper()}
    try:
        graph = schema.ModelT.InitFromPackedBuf(path.read_bytes()).subgraphs[0]
        inputs, outputs = (
            tuple(_spec(graph.tensors[index], dtypes) for index in indices)
            for indices in (graph.inputs, graph.outputs)
        )
    except DAMAGED as error:
        raise ArtifactError(f"{path} is a damaged TFLite file: {error}") from error
    return inputs, outputs


def outputs_of(path: Path) -> list[tuple[str, str]]:
    """Returns the name of each operator and of the first tensor that it makes, loops' too.

    Raises:
        ArtifactError: the file is damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    named = {
        number: name for name, number in vars(schema.BuiltinOperator).items() if name.isupper()
    }
    try:
        model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
        return [
            (
                named[max(code.builtinCode, code.deprecatedBuiltinCode)],
                graph.tensors[operator.outputs[0]].name.decode(),
            )
            for graph in model.subgraphs
            for operator in graph.operators
            for code in (model.operatorCodes[operator.opcodeIndex],)
        ]
    except DAMAGED as error:
        raise ArtifactError(f"{path} is a damaged TFLite file: {error}") from error


def _spec(tensor: Any, dtypes: dict[int, str]) -> TensorSpec:
    shape = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
    found = tensor.quantization
    scaled = found is not None and np.size(found.scale if found.scale is not None else ()) == 1
    return TensorSpec(
        name=tensor.name.decode(),
        shape=tuple(None if size < 0 else int(size) for size in shape),
        dtype=dtypes[tensor.type].lower(),
        scale=float(found.scale[0]) if scaled else None,
        zero_point=int(found.zeroPoint[0]) if scaled else None,
    )
