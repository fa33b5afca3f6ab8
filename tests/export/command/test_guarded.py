"""A crash while a format is made costs that format, and says what crashed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.commands import REPOSITORY, Completed, run_module

# What `export_formats` does, without TensorFlow: `b` crashes, `c` cannot be made, which crashes as
# well where `b` is tried to advise, `x` meets a fault of ours; the others are made.
EXPORT = """
import os, signal, sys
from pathlib import Path
from types import SimpleNamespace
import export.command.guarded as guarded
from export.model.reason import refused
from export.pipeline import ExportConfig
from train.common.errors import ToolkitError

def make(name, watch):
    if name in watch.crashed:
        raise watch.crashed[name]
    if name == "x":
        1 / 0
    with refused(f"{name}: the converter refused the model"):
        if name == "b":
            os.write(2, b"F0000 00:00:1.2   10 quantize.cc:153] Check failed: n == m (1 vs. 2)\\n")
            os.write(2, b"*** Check failure stack trace: ***\\n    @ 0x1 f\\n")
            os.kill(os.getpid(), getattr(signal, sys.argv[1]))
        if name == "c":
            raise ValueError("it is no model")

def export_formats(config, report, watch):
    os.write(2, b"I0000 00:00:1.2   10 service.cc:153] XLA service initialized\\n")
    watch.ended("a", None)
    for entry in config.formats:
        watch.making(entry.name, entry.name)
        try:
            make(entry.name, watch)
        except ToolkitError as error:
            watch.making(entry.name, "b")
            try:
                make("b", watch)
            except ToolkitError as other:
                error = ToolkitError(f"{error}; {other}")
            watch.ended(entry.name, error)
            report.milestone(f"{entry.name} FAILED")
        else:
            watch.ended(entry.name, None)
            report.milestone(f"{entry.name} made")

guarded.export_formats = export_formats
job = SimpleNamespace(artifacts=Path(sys.argv[2]))
formats = [SimpleNamespace(name=name) for name in sys.argv[3]]
config = ExportConfig(job=job, formats=formats, options=None)
for name, error in guarded.export_guarded(config).items():
    print(name, error, file=sys.stderr)
"""
CRASH = "b: the converter refused the model: it crashed (SIGABRT: Check failed: n == m (1 vs. 2))"


def export(formats: str, folder: Path, signal_name: str = "SIGABRT") -> Completed:
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, signal_name, folder, formats],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return Completed(code=done.returncode, out=done.stdout, err=done.stderr)


def test_formats_after_one_that_crashes_are_made(tmp_path: Path) -> None:
    done = export("abd", tmp_path)
    assert (done.code, done.err.splitlines()) == (0, [f"b {CRASH}; {CRASH}"])
    assert done.out.splitlines() == ["a made", "b FAILED", "d made"]


def test_a_crash_of_what_is_tried_to_advise_is_met_once(tmp_path: Path) -> None:
    done = export("cbd", tmp_path)
    refused = "c: the converter refused the model: it is no model"
    assert done.err.splitlines() == [f"c {refused}; {CRASH}", f"b {CRASH}; {CRASH}"]
    assert done.out.splitlines() == ["c FAILED", "b FAILED", "d made"]


def test_a_process_that_the_system_kills_is_said_to_lack_memory(tmp_path: Path) -> None:
    done = export("bd", tmp_path, "SIGKILL")
    assert "(SIGKILL: killed, as the system does when memory runs out)" in done.err
    assert done.out.splitlines() == ["b FAILED", "d made"]


def test_a_fault_of_ours_shows_its_traceback_and_costs_one_format(tmp_path: Path) -> None:
    done = export("xd", tmp_path)
    assert "ZeroDivisionError: division by zero\n" in done.err
    assert done.err.splitlines()[-1].startswith("x x could not be made: it crashed (exit code 1)")
    assert done.out.splitlines() == ["x FAILED", "d made"]


CRASHING = """
import os
import keras
import export.convert.tflite.converter as converter

def crash(*arguments, **options):
    os.write(2, b"error: no such range\\n")
    os.abort()

converter.mlir_quantize = crash  # TensorFlow's

def model():
    inputs = keras.Input((8,), name="x")
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(inputs))
"""


@pytest.mark.slow
def test_a_converter_that_aborts_leaves_the_other_formats_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crashing.py").write_text(CRASHING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    np.save(tmp_path / "x.npy", np.random.RandomState(0).normal(size=(100, 8)).astype(np.float32))
    artifacts = tmp_path / "artifacts"
    done = run_module(
        *("export", "--model", "crashing:model", "--unsafe", "--artifacts", artifacts),
        *("--calibration", tmp_path / "x.npy"),
        *("--format", "tflite-float32,tflite-int8,onnx-float32"),
    )
    assert done.code == 2, done.err
    assert done.err == (
        "error: tflite-int8: the converter refused the model: it crashed (SIGABRT: no such range); "
        "tflite-dynamic can be made of this model\n"
    )
    assert {path.name for path in artifacts.iterdir()} == {
        *("model.json", "tflite-float32.tflite", "tflite-float32.json"),
        *("onnx-float32.onnx", "onnx-float32.json"),
    }
