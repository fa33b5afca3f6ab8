"""The example that people start from: it trains, exports and measures, and says what is lost."""

from pathlib import Path

import pytest

from tests.rows import main


@pytest.mark.slow
def test_every_export_has_the_accuracy_of_the_network(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--cell", "lstm", "--units", "16", "--epochs", "1", "--artifacts", str(tmp_path)]
    assert main([*options, "--format", "tflite-float32,tflite-int8,onnx-dynamic"]) == 0
    lines = capfd.readouterr().out.splitlines()
    rows = [line.split() for line in lines if line.endswith(" bytes")]
    assert [row[0] for row in rows] == ["tflite-float32", "tflite-int8", "onnx-dynamic"]
    assert all(float(row[1].rstrip("%,")) > 60 for row in rows)
    sizes = [int(row[4].replace(",", "")) for row in rows]
    assert sizes[1] < sizes[0]
