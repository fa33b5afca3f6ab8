"""The models that call overhead is measured with are what they are said to be, and run."""

import base64
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper

from benchmark.measure import overhead
from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.overhead import MODELS, measure_call_overhead
from benchmark.measure.worker.process import ForkServer, Job
from export.runtimes.litert import LiteRTRunner
from export.runtimes.open import open_runner
from train.common.errors import ArtifactError


def identity_onnx() -> bytes:
    given, wanted = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1]) for name in ("x", "y")
    )
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "overhead", [given], [wanted]
    )
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8, producer_name="")
    return bytes(model.SerializeToString())


def identity_tflite() -> bytes:
    def tensor(name: str) -> schema.TensorT:
        made = schema.TensorT()
        made.shape, made.type, made.name = [1, 1], schema.TensorType.FLOAT32, name
        return made

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    code.version = 1
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0], [1]
    operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
    operator.builtinOptions = schema.ReshapeOptionsT()
    operator.builtinOptions.newShape = [1, 1]
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = [tensor("x"), tensor("y")], [operator]
    graph.inputs, graph.outputs = [0], [1]
    model = schema.ModelT()
    model.version = 3
    model.buffers, model.operatorCodes, model.subgraphs = [schema.BufferT()], [code], [graph]
    builder = flatbuffers.Builder(256)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_the_constants_are_these_models() -> None:
    assert base64.b64decode(MODELS["onnxruntime"]) == identity_onnx()
    assert base64.b64decode(MODELS["litert"]) == identity_tflite()
    assert max(map(len, MODELS.values())) < 500


@pytest.mark.parametrize("runtime", MODELS)
def test_each_hands_on_what_it_is_given(runtime: str, tmp_path: Path) -> None:
    path = tmp_path / "overhead"
    path.write_bytes(base64.b64decode(MODELS[runtime]))
    value = np.full((1, 1), 3.25, np.float32)
    with open_runner(runtime, path, threads=1) as runner:
        assert runner.invoke(value) == value
        if isinstance(runner, LiteRTRunner):
            assert runner.operators() == (["RESHAPE"], [])


class FakeWorker:
    """A process whose slices are disturbed but for one."""

    started = 0

    def __init__(self, server: ForkServer, job: Job) -> None:
        FakeWorker.started += 1
        self.slices = [9_000, 9_000, 1_500, 9_000, 9_000]
        assert np.load(job.raw["x"]).shape == (1, 1)
        assert job.file.read_bytes() == base64.b64decode(MODELS[job.runtime])

    def __enter__(self) -> "FakeWorker":
        return self

    def __exit__(self, *ended: object) -> None:
        pass

    def loaded(self) -> dict[str, object]:
        return {}

    def ask(self, do: str, **arguments: object) -> dict[str, object]:
        assert do == "time"
        middle = self.slices.pop()
        return {"durations_ns": [middle - 10, middle, middle + 10]}


class BrokenWorker(FakeWorker):
    def loaded(self) -> dict[str, object]:
        raise ArtifactError("it died")


def test_the_overhead_is_of_the_quietest_slice_and_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overhead, "WorkerProcess", FakeWorker)
    raw = PartialResults(tmp_path, {}, resume=False)
    before = FakeWorker.started
    for _ in range(2):
        found = measure_call_overhead(["litert", "onnxruntime", "keras"], raw, tmp_path)
        assert found == {"litert": 1.5, "onnxruntime": 1.5}
    assert FakeWorker.started - before == 2


def test_an_overhead_that_cannot_be_measured_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overhead, "WorkerProcess", BrokenWorker)
    raw = PartialResults(tmp_path, {}, resume=False)
    assert measure_call_overhead(["litert"], raw, tmp_path) == {"litert": None}
