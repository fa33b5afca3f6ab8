from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.results.file import OUTPUTS_FILE
from export.formats.table import FORMATS
from tests.arm.comparison import Limit, Row, compare, compare_rows, limit_of, table
from tests.examples import MANIFEST, OUTPUT
from train.common.errors import ArtifactError
from train.common.files.artifact import write_json, write_npz
from train.common.tensors import TensorSpec

COUNT = 1_000
LIMIT = Limit(flips=0.005, difference=2)
FLOAT = TensorSpec(name="probabilities", shape=(1, 3), dtype="float32", scale=None, zero_point=None)


def outputs(dtype: type = np.float32) -> np.ndarray:
    return np.eye(3, dtype=dtype)[np.arange(COUNT) % 3]


def changed(count: int, by: float) -> np.ndarray:
    """The outputs with so many images' first two values moved apart."""
    found = outputs()
    found[: 3 * count : 3, 0] -= np.float32(by)
    found[: 3 * count : 3, 1] += np.float32(by)
    return found


def test_equal_outputs_pass() -> None:
    found = compare("onnx-float32", outputs(), outputs(), FLOAT, LIMIT)
    assert (found.images, found.flips, found.difference, found.unit) == (COUNT, 0, 0, "")
    assert found.passed


def test_integers_differ_in_steps_and_floats_in_numbers() -> None:
    assert OUTPUT.scale is not None
    steps = changed(1, 2 * OUTPUT.scale)
    assert compare("a", outputs(), steps, OUTPUT, LIMIT).difference == 2
    assert compare("a", outputs(), steps, OUTPUT, LIMIT).unit == "LSB"
    assert compare("a", outputs(), steps, FLOAT, LIMIT).difference == pytest.approx(
        2 * OUTPUT.scale
    )


def test_a_flip_too_many_fails_and_a_difference_too_large_fails() -> None:
    row = compare("a", outputs(), changed(5, 0.6), OUTPUT, LIMIT)
    assert row.flips == 5
    assert row.difference > 2
    assert not row.passed
    assert replace(row, difference=2).passed
    assert not replace(row, difference=2, flips=6).passed


@pytest.mark.parametrize(
    ("name", "output", "difference"),
    [
        ("tflite-int8", OUTPUT, 2),
        ("tflite-int16x8", replace(OUTPUT, dtype="int16"), 8),
        ("onnx-int8", FLOAT, 0.3),
        ("tflite-dynamic", FLOAT, 0.02),
        ("onnx-float16", FLOAT, 1e-4),
    ],
)
def test_limits_are_those_of_what_a_format_computes_in(
    name: str, output: TensorSpec, difference: float
) -> None:
    assert limit_of(FORMATS[name], output).difference == difference


def test_what_is_no_number_fails() -> None:
    wrong = outputs()
    wrong[7, 1] = np.nan
    assert not compare("a", outputs(), wrong, FLOAT, LIMIT).passed


def test_other_images_and_too_few_are_refused() -> None:
    with pytest.raises(ArtifactError, match=r"got outputs of shape \(999, 3\) and \(1000, 3\)"):
        compare("a", outputs(), outputs()[:-1], FLOAT, LIMIT)
    with pytest.raises(ArtifactError, match="at least 1,000 images"):
        compare("a", outputs()[:-1], outputs()[:-1], FLOAT, LIMIT)


def test_the_table_fits_a_terminal() -> None:
    row = Row(
        name="tflite-int8-pruned-clustered",
        images=10_000,
        flips=3,
        difference=12,
        unit="LSB",
        limit=Limit(flips=0.005, difference=64),
    )
    limit = Limit(flips=0.005, difference=0.05)
    rows = (row, replace(row, flips=51, difference=3e-7, unit="", limit=limit))
    lines = table(rows).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].split() == [
        *("tflite-int8-pruned-clustered", "3", "10,000", "50"),
        *("12", "LSB", "64", "LSB", "pass"),
    ]
    assert lines[3].endswith("3.0e-07  5.0e-02  fail")
    assert len({line.index(line.split()[-1]) for line in lines[2:]}) == 1


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Results of one int8 export here and there, the same; its manifest is taken as read."""
    monkeypatch.setattr("tests.arm.comparison.read_manifest", lambda path: MANIFEST)
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        write_run(folder, "data", {"tflite-int8": outputs()})
    return here, there


def write_run(folder: Path, data: str, found: dict[str, np.ndarray]) -> None:
    row = {"name": "tflite-int8", "format": "tflite-int8", "reasons": ["it died by signal 4"]}
    content = {"schema_version": 1, "data": {"sha256": data}, "results": [row]}
    write_json(folder / "benchmark.json", content)
    write_npz(folder / OUTPUTS_FILE, found)


def test_a_machine_whose_kernels_are_wrong_is_found(folders: tuple[Path, Path]) -> None:
    here, there = folders
    (row,) = compare_rows(here, there)
    assert (row.name, row.flips, row.passed) == ("tflite-int8", 0, True)
    write_run(there, "data", {"tflite-int8": changed(9, 0.6)})
    (row,) = compare_rows(here, there)
    assert (row.flips, row.passed) == (9, False)


def test_an_export_that_fails_there_is_named_with_its_reason(folders: tuple[Path, Path]) -> None:
    here, there = folders
    write_run(there, "data", {})
    with pytest.raises(ArtifactError, match=r"tflite-int8 was not measured.*died by signal 4"):
        list(compare_rows(here, there))


def test_other_data_is_refused(folders: tuple[Path, Path]) -> None:
    here, there = folders
    write_run(there, "other", {"tflite-int8": outputs()})
    with pytest.raises(ArtifactError, match="got results on data other"):
        list(compare_rows(here, there))
