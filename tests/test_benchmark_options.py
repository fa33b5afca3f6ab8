"""What the benchmark's options do, on real exports."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmark.report.page.html import page_html
from benchmark.results.read import read_run
from tests.commands import GATE, assert_one_line_error, run_in_process
from train.data import fashion_mnist as dataset
from train.data import sources

pytestmark = pytest.mark.slow


def test_a_failing_gate_exits_with_1_and_says_why(artifacts: Path) -> None:
    done = run_in_process(
        *("benchmark", "--artifacts", artifacts, "--format", "tflite-int8"),
        *("--baseline", "0.99", "--quick"),
    )
    assert done.code == 1
    assert "tflite-int8: fail: accuracy " in done.out
    assert "is below 98.00%" in done.out


def test_a_row_for_every_setting_and_for_keras(artifacts: Path) -> None:
    done = run_in_process(
        *("benchmark", "--artifacts", artifacts, "--format", "tflite-int8,onnx-float32", "--quick"),
        *("--include-keras", "--threads", "1,2", "--xnnpack", "on,off", "--profile"),
        *("--onnx-optimization", "disabled", "--batch", "16", "--details", "--explain", *GATE),
    )
    assert done.code == 0, done.out + done.err
    assert " images/s in batches of 16" in done.out
    assert "expected calibration error" in " ".join(done.out.split())
    rows = json.loads((artifacts / "benchmark.json").read_text())["results"]
    assert [(row["format"], row["mode"], row["threads"]) for row in rows] == [
        *(("keras", None, 1), ("keras", None, 2)),
        *(("tflite-int8", "xnnpack", 1), ("tflite-int8", "builtin", 1)),
        *(("tflite-int8", "xnnpack", 2), ("tflite-int8", "builtin", 2)),
        *(("onnx-float32", "disabled", 1), ("onnx-float32", "disabled", 2)),
    ]
    keras_row, _, xnnpack, builtin, *_, optimized_off, _ = rows
    assert keras_row["agreement"] == 1
    assert keras_row["call"] in ("model(x)", "tf.function(model)(x)")
    assert keras_row["latency_us"]["p50"] > xnnpack["latency_us"]["p50"]
    unlike = np.not_equal(xnnpack["predicted"], builtin["predicted"])
    assert np.mean(unlike) <= 0.001  # their kernels round ties otherwise
    assert {row["throughput"]["calls"] for row in rows[2:6]} == {"one by one"}
    assert {row["throughput"]["calls"] for row in rows[6:]} == {"batched"}
    assert all(row["throughput"]["images_per_second"] > 0 for row in rows)
    names = [operator["name"] for operator in xnnpack["profile"]["operators"]]
    assert any("Fully Connected" in name for name in names)
    assert {x["name"] for x in optimized_off["profile"]["operators"]} >= {"MatMul", "Softmax"}
    assert "tflite-int8 builtin 2 threads" in " ".join(done.out.split())


def test_data_without_labels_is_judged_by_its_outputs(artifacts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unlabelled"
    folder.mkdir()
    content = sources.read_files((sources.TEST_IMAGES,), None)[sources.TEST_IMAGES]
    (folder / sources.TEST_IMAGES).write_bytes(content)
    arguments = ("benchmark", "--artifacts", artifacts, "--data", folder, "--quick")
    done = run_in_process(*arguments, "--format", "tflite-int8", "--min-snr-db", "10")
    assert done.code == 0, done.out + done.err
    (row,) = json.loads((artifacts / "benchmark.json").read_text())["results"]
    assert row["accuracy"] is None
    assert row["distance"]["snr_db"] > 10
    assert "no labels: judged by outputs" in done.out
    done = run_in_process(*arguments, "--format", "tflite-int8", "--min-snr-db", "100")
    assert done.code == 1
    assert "below 100 dB (judged by outputs: the data has no labels)" in done.out


def test_reports_go_where_they_are_asked_for(artifacts: Path, tmp_path: Path) -> None:
    names = {"benchmark.csv", "benchmark.md", "benchmark.html", "benchmark.card.md"}
    arguments = ("benchmark", "--artifacts", artifacts, "--format", "tflite-int8", "--quick")
    elsewhere = tmp_path / "a" / "b"
    done = run_in_process(*arguments, *GATE, "--reports", elsewhere)
    assert done.code == 0, done.out + done.err
    assert done.out.splitlines()[-1].endswith(str(elsewhere / "benchmark.html"))
    assert {path.name for path in elsewhere.iterdir()} == names
    assert not names & {path.name for path in artifacts.iterdir()}
    done = run_in_process(*arguments, *GATE)
    assert done.code == 0, done.out + done.err
    assert names <= {path.name for path in artifacts.iterdir()}
    run = read_run(artifacts / "benchmark.json")
    images = dataset.load_test(None).images
    # nothing is in the page that the JSON does not say
    assert (artifacts / "benchmark.html").read_text() == page_html(run, images)
    assert (artifacts / "benchmark.html").stat().st_size < 600_000


def test_every_further_limit_can_fail(artifacts: Path) -> None:
    """With one row, a limit that it does not meet is one that nothing meets."""
    limits = {
        "--max-size-kb": ("1", "kB is above 1 kB"),
        "--max-latency-us": ("0.01", "is above 0.01 µs"),
        "--min-agreement": ("1", "agreement with the Keras model"),
        "--max-drop-per-class": ("0", "class "),
    }
    given = [word for option, (value, _) in limits.items() for word in (option, value)]
    done = run_in_process(
        *("benchmark", "--artifacts", artifacts, "--format", "tflite-int8", "--quick"),
        *(*GATE, *given),
    )
    assert_one_line_error(done, "no export meets ", ": the closest is tflite-int8 with")
    for option, (value, _) in limits.items():
        assert f"{option} {value}" in done.err
    assert "recommended for this machine: none" in done.out
    (row,) = json.loads((artifacts / "benchmark.json").read_text())["results"]
    assert row["verdict"] == "fail"
    for _, words in limits.values():
        assert any(words in reason for reason in row["reasons"]), row["reasons"]
