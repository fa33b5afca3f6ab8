"""The three commands on the real data at small settings, their figures checked independently."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

from export.formats.table import FORMATS
from export.manifest import read_manifest
from tests.commands import GATE, OF_ALL, REPOSITORY, run_in_process, run_module
from train.common.files.artifact import file_sha256
from train.common.reference_outputs import load_outputs
from train.data import fashion_mnist as dataset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(benchmarked_artifacts: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((benchmarked_artifacts / "benchmark.json").read_text())
    return content


def predictions_of_tflite(path: Path, images: np.ndarray) -> np.ndarray:
    """Classifies raw images with nothing of this project: the interpreter and arithmetic."""
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    (given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
    classes = []
    for image in images:
        if given["dtype"] == np.int8:
            value = (image.astype(np.int16) - 128).astype(np.int8)
        elif given["dtype"] == np.int16:
            value = np.rint(image / 255 * 32767).astype(np.int16)
        else:
            value = (image / 255).astype(np.float32)
        interpreter.set_tensor(given["index"], value[None])
        interpreter.invoke()
        classes.append(interpreter.get_tensor(wanted["index"])[0].argmax())
    return np.array(classes)


def predictions_of_onnx(path: Path, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = (images / 255).astype(np.float32)
    # one by one, since dynamic quantization takes one range for a whole batch
    outputs = [session.run(["probabilities"], {"image": value[None]})[0][0] for value in inputs]
    classes: np.ndarray = np.stack(outputs).argmax(axis=1)
    return classes


def test_train_records_what_keras_says(trained_artifacts: Path) -> None:
    record = json.loads((trained_artifacts / "model.json").read_text())
    model = keras.saving.load_model(trained_artifacts / "model.keras")
    test = dataset.load_test(None)
    outputs = model.predict(test.images / np.float32(255), verbose=0)
    assert record["accuracy"]["test"] == np.mean(outputs.argmax(axis=1) == test.labels)
    assert record["model"]["sha256"] == file_sha256(trained_artifacts / "model.keras")
    assert record["hyperparameters"]["units"] == 32
    assert record["search"] is None
    assert len(record["history"]["val_accuracy"]) == record["epochs"]["run"] == 3
    assert record["split"]["train"]["count"] == 54_000
    stored = load_outputs(trained_artifacts)
    assert np.allclose(stored.outputs["probabilities"], outputs, atol=1e-5)
    assert stored.outputs["probabilities"].dtype == np.float32
    assert stored.data_sha256 == test.sha256()


def test_every_figure_of_accuracy_is_that_of_an_independent_evaluation(
    trained_artifacts: Path, results: dict[str, Any]
) -> None:
    test = dataset.load_test(None)
    model = keras.saving.load_model(trained_artifacts / "model.keras")
    keras_classes = model.predict(test.images / np.float32(255), verbose=0).argmax(axis=1)
    assert [row["format"] for row in results["results"]] == OF_ALL
    for row in results["results"]:
        path = trained_artifacts / (row["format"] + FORMATS[row["format"]].suffix)
        evaluate = predictions_of_tflite if path.suffix == ".tflite" else predictions_of_onnx
        classes = evaluate(path, test.images)
        correct = int(np.sum(classes == test.labels))
        assert row["correct"] == correct, row["format"]
        assert row["total"] == 10_000
        assert row["accuracy"] == correct / 10_000
        assert row["delta_vs_baseline"] == pytest.approx(row["accuracy"] - 0.80)
        assert row["predicted"] == classes.tolist()
        drop = np.mean(keras_classes == test.labels) - row["accuracy"]
        assert row["drop_vs_source"] == pytest.approx(drop, abs=1e-9)
        assert row["drop_ci95"][0] <= drop <= row["drop_ci95"][1]
        assert row["agreement"] == pytest.approx(np.mean(classes == keras_classes))
        assert row["size_bytes"] == path.stat().st_size


def test_every_latency_is_measured(results: dict[str, Any]) -> None:
    for row in results["results"]:
        latency = row["latency_us"]
        assert latency["samples"] >= 1_000
        order = [latency[name] for name in ("min", "p50", "p90", "p99", "max")]
        assert order == sorted(order)
        low, high = latency["p50_ci95"]
        assert low <= latency["p50"] <= high
        assert 0 < latency["min"] < latency["mean"] < latency["max"]
        assert row["load_ms"] > 0
        assert row["start_to_first_result_ms"] > row["load_ms"]
        assert row["first_inference_us"] > 0
        assert row["peak_rss_bytes"] > 10_000_000
        assert 0 < row["peak_rss_over_empty_bytes"] < row["peak_rss_bytes"]
        assert row["threads"] == 1
        assert row["pinned"]


def test_statistics_follow_from_the_raw_samples(results: dict[str, Any]) -> None:
    for row in results["results"]:
        latency, rounds = row["latency_us"], row["rounds_ns"]
        assert len(rounds) >= results["settings"]["rounds"]
        # on a busy machine time may be up before all samples are taken
        assert sum(map(len, rounds)) >= 0.5 * results["settings"]["samples"]
        quiet = [found for found, calm in zip(rounds, row["rounds_quiet"], strict=True) if calm]
        used = quiet if latency["samples"] < sum(map(len, rounds)) else rounds
        samples = np.concatenate(used) / 1_000
        assert samples.size == latency["samples"]
        assert latency["p50"] == pytest.approx(np.median(samples))
        p99 = np.quantile(samples, 0.99, method="median_unbiased")
        assert latency["p99"] == pytest.approx(p99)
        assert latency["mean"] == pytest.approx(samples.mean())
        assert latency["rounds_p50"] == pytest.approx([np.median(x) / 1_000 for x in rounds])


def test_the_conditions_are_recorded(results: dict[str, Any]) -> None:
    assert results["conditions"]["seconds"] > 0
    assert results["conditions"]["probe_spread"] >= 1
    first = results["results"][0]["latency_us"]
    assert first["vs_reference"][0] == 1


def test_the_table_shows_the_figures_and_marks(
    benchmarked_artifacts: Path, results: dict[str, Any]
) -> None:
    shown = (benchmarked_artifacts / "stdout.txt").read_text()
    for row in results["results"]:
        (line,) = (x for x in shown.splitlines() if x.split()[:1] == [row["format"]])
        cells = line.split()
        assert cells[3] == f"{row['accuracy'] * 100:.2f}"
        low, high = row["drop_ci95"]
        assert float(cells[4]) == pytest.approx(row["drop_vs_source"] * 100, abs=0.006)
        assert float(cells[5].removeprefix("±")) == pytest.approx((high - low) * 50, abs=0.006)
        assert cells[6] == f"{row['agreement'] * 100:.1f}"
        p50 = row["latency_us"]["p50"]
        assert float(cells[7].lstrip("~")) == pytest.approx(p50, abs=0.51)
        assert cells[9].startswith("pass")
    found = results["recommendation"]
    smallest = min(results["results"], key=lambda row: row["size_bytes"])["format"]
    assert found["name"] in found["pareto"]
    assert smallest in found["pareto"]
    assert f"* Take {found['name']}, " in shown


def test_exports_are_four_times_smaller_as_int8(results: dict[str, Any]) -> None:
    size = {row["format"]: row["size_bytes"] for row in results["results"]}
    assert size["tflite-int8"] < 0.3 * size["tflite-float32"]
    assert size["onnx-int8"] < 0.35 * size["onnx-float32"]
    assert size["tflite-float16"] < 0.55 * size["tflite-float32"]


def test_the_same_files_come_out_of_a_second_process(artifacts: Path) -> None:
    """One export of each converter, and one that trains; the terminal stays quiet."""
    chosen = ("tflite-int8", "tflite-int4", "tflite-int8-pruned-clustered", "onnx-int8")
    paths = [artifacts / f"{name}{FORMATS[name].suffix}" for name in chosen]
    before = [file_sha256(path) for path in paths]
    for path in paths:
        path.unlink()
    options = ("--epochs", "1", "--sparsity", "0.5")
    done = run_module("export", "--format", ",".join(chosen), *options, "--artifacts", artifacts)
    assert (done.code, done.err) == (0, "")
    assert [file_sha256(path) for path in paths] == before
    said = {line.split()[0].rstrip(":") for line in done.out.splitlines()}
    assert said == {"loading", *chosen}


def test_what_is_up_to_date_is_left_alone(artifacts: Path) -> None:
    path = artifacts / "tflite-int8.tflite"
    made = path.stat().st_mtime_ns
    arguments = ("export", "--format", "tflite-int8,tflite-float32", "--artifacts", artifacts)
    done = run_in_process(*arguments)
    assert (done.code, done.err) == (0, "")
    assert done.out.count(" is up to date; --force makes it again\n") == 2
    assert "loading TensorFlow" not in done.out
    assert path.stat().st_mtime_ns == made
    changed = run_in_process(*arguments, "--io", "uint8")
    assert changed.code == 0, changed.err
    assert path.stat().st_mtime_ns > made
    assert "tflite-float32" in changed.out
    assert read_manifest(artifacts / "tflite-int8.json").inputs[0].dtype == "uint8"
    remade = path.stat().st_mtime_ns
    assert run_in_process(*arguments, "--io", "uint8", "--force").code == 0
    assert path.stat().st_mtime_ns > remade


def test_an_export_of_an_older_model_is_made_again(
    retrained_artifacts: Path, tmp_path: Path
) -> None:
    artifacts = Path(shutil.copytree(retrained_artifacts, tmp_path / "artifacts"))
    done = run_in_process("export", "--format", "tflite-float32", "--artifacts", artifacts)
    assert done.code == 0, done.err
    assert "agrees with Keras" in done.out


def test_the_benchmark_runs_where_only_the_device_extra_is(
    artifacts: Path, results: dict[str, Any], device_python: Path
) -> None:
    chosen = ("tflite-int8", "tflite-int4", "onnx-float16")
    done = subprocess.run(
        [
            *(device_python, "-m", "benchmark", "--artifacts", artifacts, *GATE),
            *("--quick", "--format", ",".join(chosen)),
        ],
        cwd=REPOSITORY,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((artifacts / "benchmark.json").read_text())["results"]
    here = {row["format"]: row["predicted"] for row in results["results"]}
    assert {row["format"]: row["predicted"] for row in found} == {
        name: here[name] for name in chosen
    }
