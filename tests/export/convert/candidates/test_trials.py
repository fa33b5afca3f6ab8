"""Which of the ways to store weights is kept, and for which processors."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest

from export.convert.candidates import ranking
from export.convert.candidates import trials as candidates
from export.convert.candidates.made import Made
from export.formats.settings import SAFE_WEIGHTS, SIGNED_WEIGHTS, WEIGHT_SCHEMES, ExportOptions
from export.formats.table import FORMATS
from export.manifest import EVERY_PROCESSOR, WeightScheme
from export.runtimes.trial import first_outputs
from tests.export.conftest import Tiny

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow

DYNAMIC = FORMATS["onnx-dynamic"]


@pytest.fixture
def overflowing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor whose sums overflow, of signed weights of 8 bits, to noise."""
    real = first_outputs

    def noisy_outputs(
        runtime: str, path: Path, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        outputs = real(runtime, path, inputs)
        signed = [x for x in stored(path) if x.dtype == np.int8]
        if max((np.abs(x.astype(int)).max() for x in signed), default=0) > 64:
            noise = np.random.RandomState(1).random_sample
            outputs = {k: (v + noise(v.shape)).astype(np.float32) for k, v in outputs.items()}
        return outputs

    monkeypatch.setattr(candidates, "first_outputs", noisy_outputs)
    monkeypatch.setattr(candidates, "overflows_here", lambda: True)


def stored(path: Path) -> list[np.ndarray]:
    return [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer]


def made_for(target: str, tiny: Tiny, folder: Path) -> tuple[Made, WeightScheme]:
    made = tiny.make(DYNAMIC, folder, ExportOptions(target_cpu=target))
    found = made.weight_scheme
    assert found is not None
    assert list(found.candidates) == sorted(found.candidates, key=WEIGHT_SCHEMES[target].index)
    assert found.target_cpu == target
    kind = np.uint8 if found.scheme.startswith("uint8") else np.int8
    assert {x.dtype.type for x in stored(made.path) if x.ndim == 2 and x.dtype != np.float32} == {
        kind
    }
    return made, found


@pytest.mark.usefixtures("overflowing")
def test_where_sums_overflow_a_scheme_that_does_not_is_kept(tiny: Tiny, tmp_path: Path) -> None:
    _, found = made_for("this", tiny, tmp_path)
    assert found.scheme in SAFE_WEIGHTS
    assert found.sums_overflow
    assert found.holds_for == EVERY_PROCESSOR
    assert max(found.candidates[x] for x in SIGNED_WEIGHTS) < found.candidates[found.scheme] - 10


@pytest.mark.usefixtures("overflowing")
def test_for_another_processor_that_is_kept_which_is_best_where_nothing_overflows(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "EQUAL_DB", 5.0)  # less than noise, more than roundings
    made, found = made_for("vnni", tiny, tmp_path)
    assert found.scheme in SIGNED_WEIGHTS
    assert found.holds_for.startswith("x86-64 with VNNI")
    assert made.verification.failed == ()


def test_for_any_processor_nothing_that_may_overflow_is_tried(tiny: Tiny, tmp_path: Path) -> None:
    _, found = made_for("any", tiny, tmp_path)
    assert set(found.candidates) == set(SAFE_WEIGHTS)
    assert found.holds_for == EVERY_PROCESSOR


def test_what_was_chosen_is_recorded(tiny: Tiny) -> None:
    """Whichever it is on this processor."""
    for name in ("onnx-dynamic", "onnx-int8"):
        found = tiny.made(name).weight_scheme
        assert found is not None
        assert found.scheme in found.candidates
        best = max(found.candidates.values())
        least = best - ranking.EQUAL_DB - ranking.SLOW_DB
        assert found.candidates[found.scheme] >= least
    assert tiny.made("onnx-float32").weight_scheme is None
    assert tiny.made("tflite-int8").weight_scheme is None
