"""A custom model and its data through the commands: two inputs, two outputs, from functions."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.commands import Completed, assert_one_line_error, run_in_process, run_module

pytestmark = pytest.mark.slow

MODULE = """
from pathlib import Path

import keras
import numpy as np

FITTED = Path(__file__).with_name("fitted.keras")
PROTOTYPES = np.random.RandomState(7).randint(0, 256, (4, 8, 8, 3))


def examples(count, seed):
    random = np.random.RandomState(seed)
    kind = np.arange(count) % 4
    noisy = PROTOTYPES[kind] + random.normal(0, 25, (count, 8, 8, 3))
    number = random.normal(50, 10, (count, 2)).astype(np.float32)
    total = (number.sum(axis=1, keepdims=True) - 100) / 10 + kind[:, np.newaxis]
    inputs = {"picture": np.clip(noisy, 0, 255).astype(np.uint8), "number": number}
    return inputs, {"kind": kind, "total": total.astype(np.float32)}


def batches(count, seed):
    inputs, targets = examples(count, seed)
    for start in range(0, count, 100):
        part = slice(start, start + 100)
        yield tuple({n: v[part] for n, v in side.items()} for side in (inputs, targets))


def calibration():
    return batches(600, 1)


def test():
    return batches(400, 2)


def model():
    if FITTED.exists():
        return keras.saving.load_model(FITTED)
    keras.utils.set_random_seed(1)
    picture = keras.Input((8, 8, 3), name="picture")
    number = keras.Input((2,), name="number")
    x = keras.layers.Conv2D(8, 3, activation="relu")(picture)
    x = keras.layers.Concatenate()([keras.layers.Flatten()(x), number])
    x = keras.layers.Dense(32, activation="relu")(x)
    outputs = {
        "kind": keras.layers.Dense(4, activation="softmax", name="kind")(x),
        "total": keras.layers.Dense(1, name="total")(x),
    }
    found = keras.Model([picture, number], outputs)
    losses = {"kind": "sparse_categorical_crossentropy", "total": "mse"}
    found.compile(keras.optimizers.Adam(3e-3), losses)
    inputs, targets = examples(600, 3)
    scaled = {"picture": inputs["picture"] / 255.0, "number": (inputs["number"] - 50) / 10}
    found.fit(scaled, targets, epochs=15, verbose=0)
    found.save(FITTED)
    return found
"""
FORMATS = "tflite-float32,tflite-int8,onnx-int8"
PREPROCESS = ("--preprocess", "picture:scale=1/255", "--preprocess", "number:mean=50,std=10")


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exports, made by a process of their own, which says nothing on stderr."""
    folder = tmp_path_factory.mktemp("custom")
    (folder / "mine.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        options = ("--format", FORMATS, "--calibration", "mine:calibration")
        done = export(run_module, folder / "artifacts", *options)
    assert (done.code, done.err) == (0, ""), done
    return folder / "artifacts"


@pytest.fixture(autouse=True)
def importable(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(artifacts.parent)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(artifacts.parent))  # for the processes that measure


def export(run: Callable[..., Completed], artifacts: Path, *options: str) -> Completed:
    model = ("--model", "mine:model", *PREPROCESS)
    return run("export", *model, "--artifacts", artifacts, *options)


def test_every_output_is_judged_by_its_own_metric(artifacts: Path) -> None:
    done = run_in_process(
        *("benchmark", "--artifacts", artifacts, "--data", "mine:test", "--quick"),
        *("--include-keras", "--tolerance", "0.05", "--model", "mine:model"),
    )
    assert done.code == 0, done.out + done.err
    content = json.loads((artifacts / "benchmark.json").read_text())
    rows = {row["format"]: row for row in content["results"]}
    assert list(rows) == ["keras", *FORMATS.split(",")]
    assert {row["verdict"] for row in rows.values()} == {"pass"}
    assert rows["keras"]["agreement"] == 1
    assert rows["keras"]["outputs"]["total"]["scores"]["drop"] == pytest.approx(0, abs=1e-6)
    exact = rows["tflite-float32"]
    assert exact["total"] == 400
    assert exact["accuracy"] > 0.95
    assert exact["agreement"] == 1
    assert "R²" in done.out
    with np.load(artifacts / "model.outputs.npz") as stored:
        about = json.loads(str(stored["about"]))
        assert about["outputs"] == ["kind", "total"]
        assert stored["output0"].shape == (400, 4)
        assert stored["output1"].shape == (400, 1)


def test_the_manifest_says_what_raw_values_become(artifacts: Path) -> None:
    manifest = json.loads((artifacts / "tflite-int8.json").read_text())
    assert [spec["name"] for spec in manifest["inputs"]] == ["picture", "number"] or [
        spec["name"] for spec in manifest["inputs"]
    ] == ["number", "picture"]
    assert manifest["preprocessing"]["number"] == {"scale": 0.1, "offset": -5.0}
    assert manifest["preprocessing"]["picture"]["scale"] == pytest.approx(1 / 255)
    assert {spec["dtype"] for spec in manifest["inputs"]} == {"int8"}
    names = {check["name"] for check in manifest["checks"]}
    assert {"agreement", "variation_db", "variation_db:total", "input:picture"} <= names


def test_what_is_up_to_date_is_left_alone(artifacts: Path) -> None:
    before = (artifacts / "tflite-int8.tflite").stat().st_mtime_ns
    options = ("--format", "tflite-int8", "--calibration", "mine:calibration")
    done = export(run_in_process, artifacts, *options)
    assert "tflite-int8                  is up to date; --force makes it again" in done.out
    assert (artifacts / "tflite-int8.tflite").stat().st_mtime_ns == before


def test_formats_that_need_data_say_what_to_give(tmp_path: Path) -> None:
    done = export(run_in_process, tmp_path / "new", "--format", "tflite-dynamic,tflite-int8")
    assert_one_line_error(done, "tflite-int8 needs calibration data and got none", "--calibration")
    assert (tmp_path / "new" / "tflite-dynamic.tflite").is_file()
    assert not (tmp_path / "new" / "tflite-int8.tflite").exists()


def test_the_model_has_to_be_given_again(artifacts: Path) -> None:
    done = run_in_process("export", "--format", "onnx", "--artifacts", artifacts)
    assert_one_line_error(done, "a model of your own", "--model")
    done = run_in_process("benchmark", "--artifacts", artifacts)
    assert_one_line_error(done, "no test data of its own", "--data")


def test_calibration_data_is_refused_as_test_data(artifacts: Path) -> None:
    done = run_in_process(
        *("benchmark", "--artifacts", artifacts, "--data", "mine:calibration", "--quick"),
        *("--format", "tflite-int8", "--model", "mine:model"),
    )
    assert done.code == 1
    assert "overlaps the calibration set" in done.out


def test_a_bundle_measures_and_predicts_without_the_model(artifacts: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "edge"
    done = run_in_process(
        *("export", "--bundle", bundle, "--artifacts", artifacts, "--data", "mine:test"),
        *("--bundle-images", "100", "--model", "mine:model"),
    )
    assert done.code == 0, done.err
    assert "3 exports and 100 of 400 test examples" in done.out

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
