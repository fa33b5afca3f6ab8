"""Several machines side by side: what is shown, what is refused."""

import copy
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmark.report.terminal.machines import render_machines
from benchmark.results.merge import read_machines
from tests.benchmark import recorded
from tests.commands import assert_one_line_error, run_in_process
from train.common.errors import ArtifactError


def row(
    name: str, p50: float | None, predicted: list[int] | None, **changes: Any
) -> dict[str, Any]:
    latency = None if p50 is None else {**recorded.LATENCY, "p50": p50, "p99": p50 * 2}
    if latency:
        latency["rounds_p50"] = []
    return {
        **recorded.row(name),
        "accuracy": 0.75,
        "latency_us": latency,
        "predicted": predicted,
        "rounds_quiet": [],
        **changes,
    }


def content(cpu: str, *rows: dict[str, Any]) -> dict[str, Any]:
    found = recorded.content(*rows)
    found["environment"] |= {"cpu": cpu, "architecture": "aarch64", "cores": 4}
    found["source"] = {"sha256": "m" * 64, "accuracy": 0.75, "predicted": [0, 1, 2, 3]}
    found["data"] |= {"sha256": "d" * 64, "labels": None}
    return found


PI = content(
    "Cortex-A72",
    row("tflite-int8-pruned-clustered", 80.0, [0, 1, 2, 3]),
    row("onnx-int8", 1234.0, [0, 1, 2, 3]),
)
LAPTOP = content(
    "Ryzen",
    row("tflite-int8-pruned-clustered", 3.0, [0, 1, 2, 3]),
    row("onnx-int8", 9.0, [0, 1, 3, 2], verdict="fail"),
    row("tflite-int4", 2.5, [0, 0, 0, 0]),
)


def write(folder: Path, **machines: dict[str, Any]) -> list[Path]:
    paths = [folder / f"{name}.json" for name in machines]
    for path, machine in zip(paths, machines.values(), strict=True):
        path.write_text(json.dumps(machine))
    return paths


def rendered(paths: list[Path]) -> list[str]:
    stream = io.StringIO()
    render_machines(read_machines(paths), Console(file=stream, width=80))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_an_emulated_machines_times_are_left_out_its_predictions_not(
    tmp_path: Path,
) -> None:
    emulated = copy.deepcopy(PI)
    emulated["environment"]["emulated"] = True
    paths = write(tmp_path, laptop=LAPTOP, pi=emulated)
    text = " ".join(" ".join(rendered(paths)).split())
    assert "Cortex-A72, 4 cores, aarch64, emulated: its times are the emulator's" in text
    assert "1.2k" not in text
    real, there = read_machines(paths)
    assert real.rows["onnx-int8"].p50_us == 9.0
    assert there.rows["onnx-int8"].predicted is not None


def test_two_machines(tmp_path: Path) -> None:
    lines = rendered(write(tmp_path, pi=PI, laptop=LAPTOP))
    assert lines[0].split() == ["format", "acc", "%", "A", "p50", "p99", "B", "p50", "p99", "≠A"]
    cells = {line.split()[0]: line.split()[1:] for line in lines[2:5]}
    assert cells == {
        "tflite-int8-pruned-clustered": ["75.00", "80.0", "160", "3.0", "6.0", "0"],
        "onnx-int8": ["75.00", "1.2k", "2.5k", "9.0", "18.0", "2"],
        "tflite-int4": ["–", "–", "–", "2.5", "5.0", "–"],
    }
    assert f"A: {tmp_path / 'pi.json'}: Cortex-A72, 4 cores, aarch64" in lines
    assert "On B these do not pass: onnx-int8 fail." in lines
    assert "shown, not tested" in " ".join(lines)


def test_a_row_that_could_not_be_measured(tmp_path: Path) -> None:
    broken = content("Ryzen", row("onnx-int8", None, None, verdict="error", accuracy=None))
    (line,) = (
        x for x in rendered(write(tmp_path, pi=PI, laptop=broken)) if x.startswith("onnx-int8")
    )
    assert line.split()[1:] == ["75.00", "1.2k", "2.5k", "–", "–", "–"]


def test_three_machines_fit_into_80_columns_and_more_get_a_table_more(tmp_path: Path) -> None:
    slow = copy.deepcopy(LAPTOP)
    for found in slow["results"]:
        found["latency_us"] |= {"p50": 987.0, "p99": 99_900.0, "spread": 0.2}
    machines = {"a": slow, "b": slow, "c": slow, "d": slow}
    paths = write(tmp_path, **machines)
    lines = rendered(paths[:3])
    assert sum(line.startswith("format") for line in lines) == 1
    (widest,) = (line for line in lines if line.startswith("tflite-int8-pruned-clustered"))
    assert len(widest) <= 80
    assert widest.split()[1:] == ["75.00", *["~987", "100k"], *["~987", "100k", "0"] * 2]
    headings = [line for line in rendered(paths) if line.startswith("format")]
    assert len(headings) == 2
    assert headings[1].split() == ["format", "D", "p50", "p99", "≠A"]


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        (("source", "sha256"), "n" * 64, "is of another model than .*pi.json: got nnnnnnnnnnnn"),
        (("data", "sha256"), "e" * 64, "is of other test images than"),
        (("results", 1, "size_bytes"), 56, "onnx-int8 is another file in .*got 56 bytes"),
        (("results", 1, "predicted"), [1], "results 2: got predicted of 1, expected 4 images"),
        (("results", 1, "accuracy"), "high", 'got accuracy "high", expected a number'),
        (("environment",), {}, "environment has no cpu"),
        (("schema_version",), 2, "has schema_version 2, expected 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    tmp_path: Path, place: tuple[Any, ...], value: Any, expected: str
) -> None:
    other = copy.deepcopy(LAPTOP)
    part: Any = other
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    with pytest.raises(ArtifactError, match=expected):
        read_machines(write(tmp_path, pi=PI, laptop=other))


def test_the_command(tmp_path: Path) -> None:
    pi, laptop = write(tmp_path, pi=PI, laptop=LAPTOP)
    done = run_in_process("benchmark", "--merge", pi, laptop)
    assert (done.code, done.err) == (0, "")
    assert "onnx-int8" in done.out
    assert_one_line_error(
        run_in_process("benchmark", "--merge", pi), "got 1 file, expected 2 to 26"
    )
    assert_one_line_error(
        run_in_process("benchmark", "--merge", pi, tmp_path / "no"), "No such file"
    )
    laptop.write_text("{")
    assert_one_line_error(run_in_process("benchmark", "--merge", pi, laptop), "is not JSON")
