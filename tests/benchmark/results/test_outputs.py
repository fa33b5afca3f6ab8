from pathlib import Path

import numpy as np
import pytest

from benchmark.results.outputs import OUTPUTS_FILE, read_outputs, write_outputs
from train.common.errors import ArtifactError


def test_outputs_come_back_by_the_rows_name(tmp_path: Path) -> None:
    rows: dict[str, np.ndarray] = {
        "tflite-int8 2 threads": np.eye(3, dtype=np.float32),
        "file": np.zeros((2, 3), np.float32),
    }
    write_outputs(tmp_path / OUTPUTS_FILE, rows)
    found = read_outputs(tmp_path)
    assert list(found) == list(rows)
    for name in rows:
        np.testing.assert_array_equal(found[name], rows[name])


def test_a_missing_and_a_corrupt_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"is not there; run .*--save-outputs"):
        read_outputs(tmp_path)
    for content in (b"", b"PK\x03\x04 and no archive"):
        (tmp_path / OUTPUTS_FILE).write_bytes(content)
        with pytest.raises(ArtifactError, match="is corrupt"):
            read_outputs(tmp_path)
