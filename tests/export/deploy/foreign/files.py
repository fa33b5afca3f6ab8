"""Files as others make them: other tensor names, operators of their own, damage."""

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from benchmark.measure.overhead import MODELS

SUFFIXES = {"litert": ".tflite", "onnxruntime": ".onnx"}


def smallest(folder: Path, runtime: str) -> Path:
    """A file of one operator that hands on a single float32."""
    path = folder / f"smallest{SUFFIXES[runtime]}"
    path.write_bytes(base64.b64decode(MODELS[runtime]))
    return path


def edited(source: Path, target: Path, change: Callable[[Any], None]) -> Path:
    """A `.tflite` file after a change of what its flatbuffer holds."""
    model = schema.ModelT.InitFromPackedBuf(source.read_bytes())
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    target.write_bytes(bytes(builder.Output()))
    return target


def renamed(source: Path, target: Path, names: Mapping[str, str]) -> Path:
    """A `.tflite` file with other names of its inputs and outputs, and no signature."""

    def change(model: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            name = tensor.name.decode()
            tensor.name = names.get(name, name)
        model.signatureDefs = []

    return edited(source, target, change)


def with_custom_operator(source: Path, target: Path) -> Path:
    """A `.tflite` file whose first operator is one of a vendor's."""

    def change(model: Any) -> None:
        code = model.operatorCodes[0]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = "vendor_npu"

    return edited(source, target, change)


def of_another_version(source: Path, target: Path) -> Path:
    """A `.tflite` file whose first operator is of a version that no runtime has yet."""

    def change(model: Any) -> None:
        model.operatorCodes[0].version = 999

    return edited(source, target, change)
