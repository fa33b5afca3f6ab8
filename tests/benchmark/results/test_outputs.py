from pathlib import Path

import numpy as np

from benchmark.results.outputs import OUTPUTS_FILE, write_outputs


def test_outputs_come_back_by_the_rows_name(tmp_path: Path) -> None:
    rows: dict[str, np.ndarray] = {
        "tflite-int8 2 threads": np.eye(3, dtype=np.float32),
        "file": np.zeros((2, 3), np.float32),
    }
    write_outputs(tmp_path / OUTPUTS_FILE, rows)
    with np.load(tmp_path / OUTPUTS_FILE) as found:
        assert found.files == list(rows)
        for name in rows:
            np.testing.assert_array_equal(found[name], rows[name])
