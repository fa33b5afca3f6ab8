"""`python -m benchmark --add`: rows of files that others made, on real exports."""

import json
import shutil
from pathlib import Path

import pytest

from benchmark.measure.beside.added import MAX_NAME_BYTES, added_variants
from benchmark.measure.settings import MeasureSettings
from tests.commands import GATE, assert_one_line_error, hashes, run_in_process
from tests.export.deploy.foreign.files import renamed, smallest, with_custom_operator
from train.common.preprocessing import RAW
from train.common.reference_outputs import load_outputs

INT8 = ("--format", "tflite-int8", "--quick")


@pytest.mark.slow
def test_files_of_others_get_rows_judged_and_timed_as_all(artifacts: Path, tmp_path: Path) -> None:
    """The same networks under other names of tensors and files must score the same."""
    names = {"image": "serving_default_keras_tensor:0", "probabilities": "out/of/a/vendor"}
    vendor = renamed(artifacts / "tflite-int8.tflite", tmp_path / "vendor.tflite", names)
    older = Path(shutil.copy(artifacts / "onnx-float32.onnx", tmp_path / "last year's.onnx"))
    before = hashes(tmp_path)
    done = run_in_process(
        *("benchmark", "--artifacts", artifacts, *INT8, "--add", vendor, "--add", older, *GATE)
    )
    assert done.code == 0, done.out + done.err
    content = json.loads((artifacts / "benchmark.json").read_text())
    own, added, onnx = content["results"]
    assert [row["name"] for row in (own, added, onnx)] == [
        *("tflite-int8", "vendor.tflite", "last year's.onnx"),
    ]
    assert [row["added"] for row in (own, added, onnx)] == [False, True, True]
    assert added["predicted"] == own["predicted"]
    assert onnx["agreement"] > 0.999
    assert {check["name"] for check in own["checks"]} - {
        check["name"] for check in added["checks"]
    } == {"as_verified"}  # which nobody did
    assert added["latency_us"]["p50"] > 0
    assert added["sha256"] != own["sha256"]
    for report in ("benchmark.html", "benchmark.md", "benchmark.csv"):
        assert "vendor.tflite" in (artifacts / report).read_text()
    assert {path: name for path, name in hashes(tmp_path).items() if path in before} == before


@pytest.mark.slow
def test_other_preprocessing_is_as_it_is_told(trained_artifacts: Path, tmp_path: Path) -> None:
    """What a worker is told to do with raw values: as for the model, or as `--preprocess` says."""
    vendor = Path(shutil.copy(trained_artifacts / "tflite-int8.tflite", tmp_path / "vendor.tflite"))
    reference = load_outputs(trained_artifacts)
    settings = MeasureSettings(
        samples=1_000, rounds=5, launches=1, max_seconds=1, threads=(1, 2), modes=("builtin",)
    )
    for asked, scale in (({}, 1 / 255), ({"": RAW}, 1.0), ({"image": RAW}, 1.0)):
        rows = added_variants([vendor], asked, settings, reference)
        assert [row.name for row in rows] == [
            *("vendor.tflite builtin", "vendor.tflite builtin 2 threads"),
        ]
        (how,) = {row.job({}, reference).preprocessing["image"] for row in rows}
        assert how.scale == pytest.approx(scale)


@pytest.mark.slow
def test_a_file_that_does_not_fit_costs_nothing(artifacts: Path, tmp_path: Path) -> None:
    before = hashes(artifacts)
    vendor = artifacts / "tflite-int8.tflite"
    custom = with_custom_operator(vendor, tmp_path / "custom.tflite")
    (tmp_path / "no.tflite").write_text("no model")
    other = smallest(tmp_path, "litert")
    twin = Path(shutil.copy(vendor, tmp_path / "tflite-int8.tflite"))
    long = Path(shutil.copy(vendor, tmp_path / f"{'x' * MAX_NAME_BYTES}.tflite"))
    refused: tuple[tuple[list[str | Path], str], ...] = (
        (["--add", custom], "needs vendor_npu, expected operators that LiteRT has"),
        (["--add", tmp_path / "no.tflite"], "does not carry TFLite's file identifier"),
        (
            ["--add", other],
            "got input x (1, 1) float32, expected one that fits it among the",
        ),
        (["--add", vendor, "--add", twin], "got tflite-int8.tflite twice with --add"),
        (["--add", long], "expected a name of at most"),
        (["--add", vendor, "--preprocess", "sound:scale=1"], "got input 'sound', expected one of"),
    )
    for arguments, expected in refused:
        done = run_in_process("benchmark", "--artifacts", artifacts, *INT8, *arguments)
        assert_one_line_error(done, expected)
        assert done.out == ""
        assert hashes(artifacts) == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--preprocess", "scale=1"], "got --preprocess without --add"),
        (["--add", "a.tflite", "--host", "me@there"], "expected a run of this machine"),
        (["--add", "a.tflite", "--browser"], "expected a run of this machine"),
        (["--add", "a.tflite", "--preprocess", "size=1"], "expected scale, mean, std"),
    ],
)
def test_what_cannot_be_added_is_said(arguments: list[str], expected: str) -> None:
    assert_one_line_error(run_in_process("benchmark", *arguments), expected)
