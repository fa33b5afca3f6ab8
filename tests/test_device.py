"""A bundle on a device: an environment with the device extra alone, nothing of the repository."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from export.formats.table import FORMATS
from tests.commands import GATE, OF_ALL, Completed, assert_one_line_error, run_in_process

pytestmark = pytest.mark.slow
ONE_EACH = ("tflite-int8", "onnx-int8")  # of each runtime


@pytest.fixture(scope="module")
def bundle(trained_artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of every export with all test images."""
    target = tmp_path_factory.mktemp("bundle") / "edge"
    done = run_in_process(
        *("export", "--bundle", target, "--bundle-images", "all"),
        *("--artifacts", trained_artifacts),
    )
    assert done.code == 0, done.err
    return target


def run_on_device(python: Path, folder: Path, *arguments: str | Path) -> Completed:
    """Runs a command in a folder with nothing of this repository or environment."""
    done = subprocess.run(
        [python, *map(str, arguments)],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Completed(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.fixture(scope="module")
def device_results(bundle: Path, device_python: Path) -> dict[str, Any]:
    """The results of the bundle where only the device extra is."""
    done = run_on_device(device_python, bundle, "-m", "benchmark", "--quick", *GATE)
    assert done.code == 0, done.out + done.err
    found: dict[str, Any] = json.loads((bundle / "artifacts" / "benchmark.json").read_text())
    return found


def test_the_bundle_gives_the_table_of_the_host(
    benchmarked_artifacts: Path, device_results: dict[str, Any]
) -> None:
    here = json.loads((benchmarked_artifacts / "benchmark.json").read_text())
    assert [row["name"] for row in device_results["results"]] == OF_ALL
    assert device_results["data"] == here["data"]
    assert device_results["source"] == here["source"]
    measured = {"latency_us", "kernels", "explanations", "rounds_ns", "rounds_quiet", "profile"}
    measured |= {name for name in here["results"][0] if name.startswith(("load", "peak", "first"))}
    measured |= {"start_to_first_result_ms", "pinned", "call"}
    for there, row in zip(device_results["results"], here["results"], strict=True):
        assert there.keys() == row.keys()
        assert {k: v for k, v in there.items() if k not in measured} == {
            k: v for k, v in row.items() if k not in measured
        }


def test_predict_gives_what_the_benchmark_recorded(
    bundle: Path, device_python: Path, device_results: dict[str, Any], tmp_path: Path
) -> None:
    images = np.load(bundle / "data" / "images.npy")[:200]
    np.save(tmp_path / "images.npy", images)
    Image.fromarray(images[0]).save(tmp_path / "image.png")
    labels = device_results["data"]["classes"]
    for row in device_results["results"]:
        model = Path("artifacts", row["format"] + FORMATS[row["format"]].suffix)
        files = {"images.npy": 200} | ({"image.png": 1} if row["format"] in ONE_EACH else {})
        for file, count in files.items():
            done = run_on_device(device_python, bundle, "predict.py", model, tmp_path / file)
            assert done.code == 0, done.err
            found = [line.rsplit(" ", 1) for line in done.out.splitlines()]
            assert [name for name, _ in found] == [labels[k] for k in row["predicted"][:count]]
            assert all(0.1 < float(probability) <= 1 for _, probability in found)


def test_predict_refuses_bad_input_in_one_line(
    bundle: Path, device_python: Path, tmp_path: Path
) -> None:
    model = "artifacts/tflite-int8.tflite"
    np.save(tmp_path / "float.npy", np.zeros((28, 28), np.float32))
    np.save(tmp_path / "wide.npy", np.zeros((1, 28, 29), np.uint8))
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "model.tflite").write_text("other bytes")
    shutil.copyfile(bundle / "artifacts" / "tflite-int8.json", tmp_path / "model.json")
    good = bundle / "data" / "images.npy"
    for arguments, expected in (
        ((model, tmp_path / "float.npy"), "got float32"),
        ((model, tmp_path / "wide.npy"), "expected uint8 (?, 28, 28)"),
        ((model, tmp_path / "object.npy"), "allow_pickle"),
        ((model, tmp_path / "text.png"), "cannot identify image"),
        ((model, tmp_path / "absent.npy"), "No such file"),
        (("artifacts/absent.tflite", good), "absent.json"),
        ((tmp_path / "model.tflite", good), "is for format 'tflite-int8'"),
        ((), "usage: python predict.py MODEL FILE"),
    ):
        done = run_on_device(device_python, bundle, "predict.py", *arguments)
        assert_one_line_error(done, expected)
