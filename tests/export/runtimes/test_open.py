"""A runtime is told what was asked for."""

import base64
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from ai_edge_litert import interpreter

from benchmark.measure.overhead import MODELS
from export.runtimes.open import open_runner


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
def test_it_gets_as_many_threads_as_were_asked_for(
    runtime: str, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "identity"
    path.write_bytes(base64.b64decode(MODELS[runtime]))
    asked: list[int] = []
    real_interpreter, real_session = interpreter.Interpreter, onnxruntime.InferenceSession

    def load_tflite(*, num_threads: int, **options: Any) -> Any:
        asked.append(num_threads)
        return real_interpreter(num_threads=num_threads, **options)

    def load_onnx(model: str, options: onnxruntime.SessionOptions, **others: Any) -> Any:
        asked.append(options.intra_op_num_threads)
        assert options.inter_op_num_threads == 1
        return real_session(model, options, **others)

    monkeypatch.setattr(interpreter, "Interpreter", load_tflite)
    monkeypatch.setattr(onnxruntime, "InferenceSession", load_onnx)
    with open_runner(runtime, path, threads=threads):
        assert asked == [threads]
