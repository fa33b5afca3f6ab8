"""Bad arguments to the commands: one line, exit code 2, nothing written."""

from pathlib import Path

import pytest

from tests.commands import assert_one_line_error, run_in_process, run_module


@pytest.mark.parametrize(
    ("command", "arguments", "expected"),
    [
        ("export", ["--format", "tflite-int"], "did you mean tflite-int8?"),
        ("export", [], "no format given"),
        ("export", ["--format", "all", "--artifacts", "EMPTY"], "run `python -m train`"),
        ("benchmark", ["--artifacts", "EMPTY"], "run `python -m export --format all`"),
        ("benchmark", ["--artifacts", "ABSENT"], "run `python -m export --format all`"),
        ("benchmark", ["--tolerance", "1.5"], "got '1.5', expected a number in 0…1"),
        ("benchmark", ["--tolerance", "-0.1"], "got '-0.1', expected a number in 0…1"),
        ("benchmark", ["--baseline", "88.6"], "got '88.6', expected a number in 0…1"),
        ("benchmark", ["--samples", "999"], "got '999', expected an integer in 1000…"),
        ("benchmark", ["--threads", "0"], "got '0', expected an integer in 1…"),
        ("benchmark", ["--threads", "1,x"], "got 'x', expected an integer in 1…"),
        ("benchmark", ["--threads", ""], "got '', expected an integer in 1…"),
        ("benchmark", ["--xnnpack", "maybe"], "got 'maybe', expected on, off"),
        ("benchmark", ["--onnx-optimization", "most"], "got 'most', expected all, extended"),
        ("benchmark", ["--max-drop-per-class", "2"], "got '2', expected a number in 0…1"),
        ("benchmark", ["--max-drop", "-0.1"], "got '-0.1', expected a number in 0…1"),
        ("benchmark", ["--max-drop", "0.5%"], "got '0.5%', expected a number in 0…1"),
        ("benchmark", ["--objective", "luck"], "invalid choice: 'luck'"),
        ("benchmark", ["--max-size-kb", "0"], "got '0', expected a number in 0.001…"),
        ("benchmark", ["--max-latency-us", "-1"], "got '-1', expected a number in 0.001…"),
        ("benchmark", ["--min-agreement", "99"], "got '99', expected a number in 0…1"),
        ("benchmark", ["--max-latency-us", "fast"], "got 'fast', expected a number"),
        ("benchmark", ["--max-size-kb", "nan"], "got 'nan', expected a number"),
        ("benchmark", ["--batch", "0"], "got '0', expected an integer in 1…"),
        ("benchmark", ["--max-seconds", "0"], "got '0', expected a number in 0.01…"),
        ("benchmark", ["--format", "onx-int8"], "did you mean onnx-int8?"),
        ("export", ["--format", "tfml"], "did you mean tflm?"),
        ("export", ["--format", "tflm", "--batch", "dynamic"], "got --batch dynamic, expected 1"),
        ("export", ["--format", "c", "--batch", "dynamic"], "c: got --batch dynamic, expected 1"),
        (
            "export",
            ["--format", "tflm", "--from", "tflite-int4"],
            "got --from without --format c or",
        ),
        ("export", ["--format", "c", "--from", "tflite-float32"], "got 'tflite-float32', expected"),
        ("export", ["--format", "wasm", "--batch", "dynamic"], "wasm: got --batch dynamic"),
        ("export", ["--format", "wasm", "--optimize", "size"], "got --optimize without --format c"),
        ("export", ["--format", "tflm", "--optimize", "size"], "got --optimize without --format c"),
        ("export", ["--format", "c", "--optimize", "flash"], "invalid choice"),
        ("export", ["--format", "tflm", "--opset", "17"], "matters to none of tflite-int8"),
        ("export", ["--format", "tflite-float32", "--io", "int8"], "--io int8 matters to none of"),
        ("export", ["--explain", "tflite-int"], "did you mean tflite-int8?"),
        ("export", ["--explain", "tflite-float32"], "expected one of tflite-int8, "),
        ("export", ["--explain", "tflite-int8-qat"], "expected one of tflite-int8, "),
        ("export", ["--explain", "tflite-int8,onnx-int8"], "expected one of tflite-int8, "),
        ("export", ["--format", "tflite-int8", "--max-drop", "0.1"], "--max-drop 0.1 matters to"),
        ("export", ["--format", "all", "--max-drop", "1.5"], "expected a number in 0.0001…1"),
        ("export", ["--format", "all", "--max-float-share", "-1"], "expected a number in 0…1"),
        ("export", ["--format", "all", "--sparsity", "1"], "expected a number in 0.1…0.95"),
        ("export", ["--format", "all", "--opset", "99"], "expected an integer in 13…18"),
        ("export", ["--format", "all", "--batch", "2"], "invalid choice: '2'"),
        ("train", ["--units", "x"], "got 'x', expected an integer in 1…"),
        ("train", ["--tuner", "luck"], "invalid choice: 'luck'"),
        ("train", ["--trials", "5"], "got --trials with --tuner hyperband, expected one of random"),
        ("train", ["--recipe", "cake"], "invalid choice: 'cake'"),
        (
            "train",
            ["--recipe", "notebook", "--architecture", "cnn"],
            "got --recipe notebook with --architecture cnn, expected mlp",
        ),
        ("train", ["--resume", "--overwrite"], "got --resume, which goes on with what is there"),
        (
            "train",
            ["--tuner", "grid", "--units", "8", "--learning-rate", "1"],
            "got --tuner grid with --units and --learning-rate, expected something left to search",
        ),
        (
            "train",
            ["--units", "8", "--learning-rate", "1", "--workers", "2"],
            "got --workers where nothing is searched",
        ),
        ("train", ["--from", "README.md"], "README.md is not JSON"),
        ("train", ["--from", "no.json"], "no.json: No such file or directory; give the model.json"),
        ("train", ["--from", "x.json", "--units", "9"], "got --units with --from"),
        ("train", ["--cross-validate", "1"], "got '1', expected an integer in 2…"),
        ("train", ["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_bad_arguments_and_missing_artifacts(
    command: str, arguments: list[str], expected: str, tmp_path: Path
) -> None:
    places = {"EMPTY": str(tmp_path), "ABSENT": str(tmp_path / "absent")}
    done = run_in_process(command, *(places.get(argument, argument) for argument in arguments))
    assert_one_line_error(done, expected)
    assert done.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("train", ["--units", "x"]),
        ("export", ["--format", "all"]),
        ("benchmark", ["--format", "all"]),
    ],
)
def test_a_process_of_its_own_says_the_same(
    command: str, arguments: list[str], tmp_path: Path
) -> None:
    arguments = [*arguments, "--artifacts", str(tmp_path / "absent")]
    done = run_module(command, *arguments)
    assert_one_line_error(done)
    assert done == run_in_process(command, *arguments)
