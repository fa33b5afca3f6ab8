"""A custom model beside Keras, and in a bundle: measured there, and run by predict.py."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import run_module
from tests.test_custom_model import MODULE, PREPROCESS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("custom")
    (folder / "mine.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        done = run_module(
            "export",
            *("--model", "mine:model", *PREPROCESS, "--format", "tflite-float32,onnx-int8"),
            *("--calibration", "mine:calibration", "--artifacts", str(folder / "artifacts")),
        )
    assert (done.code, done.err) == (0, ""), done
    return folder / "artifacts"


@pytest.fixture(autouse=True)
def importable(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(artifacts.parent))


def test_keras_itself_has_a_row(artifacts: Path) -> None:
    done = run_module(
        *("benchmark", "--artifacts", artifacts, "--data", "mine:test", "--quick"),
        *("--include-keras", "--format", "onnx-int8", "--tolerance", "0.05"),
    )
    assert done.code == 0, done.out + done.err
    keras, _ = json.loads((artifacts / "benchmark.json").read_text())["results"]
    assert (keras["format"], keras["verdict"], keras["agreement"]) == ("keras", "pass", 1)
    assert keras["outputs"]["total"]["scores"]["drop"] == pytest.approx(0, abs=1e-6)


def test_a_bundle_measures_and_predicts_without_the_model(artifacts: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "edge"
    done = run_module(
        *("export", "--bundle", bundle, "--artifacts", artifacts, "--data", "mine:test"),
        *("--bundle-images", "100"),
    )
    assert done.code == 0, done.err
    assert "2 exports and 100 of 400 test examples" in done.out

    def run(*arguments: str) -> str:
        found = subprocess.run(
            [sys.executable, *arguments],
            cwd=bundle,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout

    shown = run("-m", "benchmark", "--quick", "--tolerance", "0.2")
    assert "The table is of output kind; the others:" in shown
    content = json.loads((bundle / "artifacts" / "benchmark.json").read_text())
    assert content["data"]["total"] == 100
    labels = content["data"]["labels"]
    with np.load(bundle / "data" / "data.npz") as data:
        np.savez(tmp_path / "some.npz", **{name: data[name][:8] for name in ("picture", "number")})
    for file in ("artifacts/onnx-int8.onnx", "artifacts/tflite-float32.tflite"):
        lines = run("predict.py", file, str(tmp_path / "some.npz")).splitlines()
        by_output = [dict(part.split(" ", 1) for part in line.split("; ")) for line in lines]
        assert len(by_output) == 8
        classes = [next(int(key) for key in found if key.isdigit()) for found in by_output]
        assert classes == labels[:8]
        assert all("total" in found for found in by_output)
