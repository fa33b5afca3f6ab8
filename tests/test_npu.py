"""`python -m export --format ethos-u`, with Arm's real compiler, and what the benchmark tells."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as schema

from benchmark.measure.beside.estimated import npu_estimates
from export.deploy.ethos_u import vela
from export.deploy.ethos_u.manifest import read_npu_manifest
from export.deploy.ethos_u.vela import check_compiler, compile_file
from tests.commands import (
    EXPORT_ALL,
    Completed,
    assert_one_line_error,
    hashes,
    run_in_process,
)
from tests.export.deploy.foreign.files import edited
from train.common.errors import ArtifactError, ToolkitError
from train.common.reference_outputs import load_outputs

OPTIONS = EXPORT_ALL[2:]  # that the small model's exports were made with
FROM = ("tflite-int8", "tflite-int8-pruned-clustered")


@pytest.fixture
def compiler() -> None:
    """Skips a test where Vela is not installed, unless it has to be."""
    try:
        check_compiler()
    except ToolkitError as error:
        if "REQUIRE_NPU" in os.environ:
            raise
        pytest.skip(str(error))


def export(artifacts: Path, made_of: str, *arguments: str) -> Completed:
    return run_in_process(
        *("export", "--format", "ethos-u", "--from", made_of, "--artifacts", artifacts), *arguments
    )


@pytest.mark.slow
@pytest.mark.usefixtures("compiler")
def test_integer_files_are_compiled_and_pruning_and_clustering_pay(artifacts: Path) -> None:
    done = export(artifacts, ",".join(FROM), *OPTIONS)
    assert (done.code, done.err) == (0, "")
    assert "loading TensorFlow" not in done.out
    plain, both = (
        read_npu_manifest(artifacts / "ethos-u" / f"{name}-ethos-u55-128.json") for name in FROM
    )
    assert both.estimate.flash_bytes < 0.7 * plain.estimate.flash_bytes
    assert both.estimate.inference_us < 0.7 * plain.estimate.inference_us
    for name, made in zip(FROM, (plain, both), strict=True):
        assert (made.model.format, made.npu) == (name, "ethos-u55-128")
        assert made.note == "estimated by the compiler, not run"
        assert made.on_cpu == ()
        assert made.estimate.npu_operators > 2
        assert {check.name: check.passed for check in made.checks}["custom_operators"]
        assert f"µs on ethos-u55-128 by the estimate of {made.estimate.by} (not run" in done.out
    again = export(artifacts, ",".join(FROM), *OPTIONS)
    assert again.out.count("is up to date; --force makes it again") == 2
    told = list(npu_estimates(artifacts, None, load_outputs(artifacts)))
    assert [found["format"] for found in told] == list(FROM)
    assert told[1]["inference_us"] == both.estimate.inference_us


@pytest.mark.slow
@pytest.mark.usefixtures("compiler")
def test_what_the_compiler_cannot_do_is_said_and_nothing_is_lost(
    artifacts: Path, tmp_path: Path
) -> None:
    """Vela 5.2 crashes on weights of 4 bits; an operator that an NPU lacks stays on the CPU."""
    before = hashes(artifacts)
    done = export(artifacts, "tflite-int4")
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert "makes nothing of tflite-int4.tflite: it crashes (SIGFPE); give another" in done.err
    assert hashes(artifacts) == before

    def change(model: Any) -> None:
        for code in model.operatorCodes:
            if code.builtinCode == schema.BuiltinOperator.SOFTMAX:
                code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.LOG_SOFTMAX

    path = edited(artifacts / "tflite-int8.tflite", tmp_path / "log.tflite", change)
    (tmp_path / "made").mkdir()
    found = compile_file(path, "ethos-u85-256", tmp_path / "made")
    (left,) = found.on_cpu
    assert (left.operator, left.count) == ("LOG_SOFTMAX", 1)
    assert "LOG_SOFTMAX" in left.reason or "supported" in left.reason
    assert found.estimate.dram_bytes > 0
    (tmp_path / "none").mkdir()
    with pytest.raises(ArtifactError, match=r"Vela leaves all .* to the CPU .*Float32"):
        compile_file(artifacts / "tflite-float32.tflite", "ethos-u55-32", tmp_path / "none")


def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", absent)
    with pytest.raises(ToolkitError, match=r"install it \(pip install ethos-u-vela\)"):
        vela.check_compiler()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--format", "c", "--npu", "ethos-u55-128"], "got --npu without --format ethos-u"),
        (["--format", "ethos-u", "--npu", "ethos-u99"], "invalid choice: 'ethos-u99'"),
        (["--format", "ethos-u", "--from", "onnx-int8"], "got 'onnx-int8', expected tflite-int8"),
        (["--format", "c,ethos-u", "--from", "tflite-int8,tflite-int4"], "expected one of tflite"),
        (["--format", "wasm", "--from", "tflite-int16x8"], "expected one of tflite-int8, tflite"),
        (["--format", "tflm", "--from", "tflite-int8"], "got --from without --format c or wasm or"),
    ],
)
def test_what_cannot_be_asked_for_is_said(arguments: list[str], expected: str) -> None:
    assert_one_line_error(run_in_process("export", *arguments), expected)
