"""Quantizing by ai-edge-quantizer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.convert.make import convert
from export.formats import FORMATS
from export.runtimes.open import open_runner
from tests.export.conftest import Tiny, settings_of

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow


def test_the_inputs_range_is_that_of_all_examples_and_no_moving_average(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of pictures that differ in brightness the brightest would be clipped."""
    known = tiny.source.representative
    brightness = np.linspace(0.1, 1, len(known), dtype=np.float32)[::-1, np.newaxis, np.newaxis]
    dimmed = replace(known, inputs={"image": known.inputs["image"] * brightness})
    monkeypatch.setattr(tiny.source, "_representative", dimmed)
    entry = FORMATS["tflite-int4"]
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(entry, settings_of(entry), "moving-average", tiny.source))
    with open_runner("litert", path, threads=1) as runner:
        assert runner.inputs[0].scale == pytest.approx(1 / 255, rel=1e-6)
