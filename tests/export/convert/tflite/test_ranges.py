"""Ranges that leave out odd examples."""

from dataclasses import replace
from pathlib import Path

import pytest

from export.convert.calibration import tflite_ranges
from export.convert.candidates import convert
from export.formats import FORMATS
from export.runtimes.open import open_runner
from tests.export.conftest import Tiny, load_source, settings_of

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow


def test_percentiles_leave_out_an_odd_example_but_never_clip_the_input(
    tiny: Tiny, tmp_path: Path
) -> None:
    source = load_source(tiny.path, tmp_path)
    known = source.representative
    bright = known.inputs["image"].copy()
    bright[7] *= 10
    source._representative = replace(known, inputs={"image": bright})
    entry = FORMATS["tflite-int8"]
    widths = {}
    for method in ("min-max", "percentile"):
        path = tmp_path / f"{method}.tflite"
        path.write_bytes(convert(entry, settings_of(entry), method, source))
        with open_runner("litert", path, threads=1) as runner:
            assert runner.inputs[0].scale == pytest.approx(bright.max() / 255, rel=1e-6)
        widths[method] = {name: high for name, (_, high, _) in tflite_ranges(path).items()}
    assert widths["min-max"].keys() == widths["percentile"].keys()
    narrowed = [
        name for name, high in widths["min-max"].items() if widths["percentile"][name] < 0.5 * high
    ]
    assert len(narrowed) == 2  # the hidden layer and the logits, but not the probabilities
