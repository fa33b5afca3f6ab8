"""Which of the ways to store weights is kept, and for which processors."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from export.convert import candidates
from export.convert.candidates import Candidate, best_method_first, best_scheme_first
from export.convert.made import Made
from export.formats import FORMATS
from export.manifest import EVERY_PROCESSOR, WeightScheme
from export.runtimes.trial import first_outputs
from export.settings import SAFE_WEIGHTS, SIGNED_WEIGHTS, WEIGHT_SCHEMES, ExportOptions
from tests.export.conftest import Tiny

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow

DYNAMIC = FORMATS["onnx-dynamic"]


def candidate(scheme: str, score: float, operator: str = "MatMulInteger") -> Candidate:
    return Candidate(
        method=None,
        scheme=scheme,
        content=b"",
        run_as=b"",
        score=score,
        operators={operator: 1},
    )


@pytest.mark.parametrize(
    ("scores", "operator", "has_vnni", "kept"),
    [
        ((30.0, 34.0, 34.2, 34.3), "MatMulInteger", False, "int8 per channel"),
        ((33.4, 34.0, 34.2, 34.3), "MatMulInteger", False, "int8 per tensor"),
        ((33.4, 34.0, 34.2, 34.3), "ConvInteger", False, "uint8 per tensor"),
        ((34.6, 34.0, 34.2, 34.3), "ConvInteger", True, "uint8 per tensor"),
        ((35.4, 34.0, 34.2, 34.3), "ConvInteger", True, "int8 per tensor"),
        ((12.0, 13.0, 30.0, 31.5), "MatMulInteger", False, "uint8 per channel"),
        ((12.0, 13.0, 14.0, 15.5), "QLinearConv", True, "int8 per channel"),
        ((12.0, 13.0, 14.0, 16.5), "QLinearConv", True, "uint8 per channel"),
        ((-5.0, -5.2, -9.0, -9.0), "MatMulInteger", True, "int8 per tensor"),
    ],
)
def test_the_cheapest_of_the_best_schemes_is_kept(
    scores: tuple[float, ...], operator: str, has_vnni: bool, kept: str
) -> None:
    schemes = (*SIGNED_WEIGHTS, *SAFE_WEIGHTS)
    made = [candidate(*found, operator) for found in zip(schemes, scores, strict=False)]
    found = best_scheme_first(made, has_vnni=has_vnni)
    assert found[0].scheme == kept
    assert len(found) == len(made)
    assert best_scheme_first([], has_vnni=True) == []


NOISE = np.random.RandomState(2).standard_normal(80) ** 2


@pytest.mark.parametrize(
    ("losses", "first"),
    [
        ([[NOISE], [0.9 * NOISE], [0.99 * NOISE]], 1),
        ([[NOISE], [np.append(NOISE[1:], 0.0)]], 0),  # less on the whole, by an example's luck
        ([[NOISE], [1.1 * NOISE]], 0),
        ([[np.ones(80), NOISE], [np.zeros(80), 2 * NOISE]], 1),  # right where the other is wrong
        ([[np.zeros(80), NOISE], [np.zeros(80), 0.9 * NOISE]], 1),
        ([[NOISE]], 0),
    ],
)
def test_a_method_comes_first_if_it_is_better_by_more_than_chance(
    losses: list[list[np.ndarray]], first: int
) -> None:
    made = [
        replace(candidate("int8 per tensor", -float(np.mean(found[-1]))), losses=found)
        for found in losses
    ]
    found = best_method_first(made)
    assert found[0] is made[first]
    assert len(found) == len(made)
    assert best_method_first([]) == []


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
    monkeypatch.setattr(candidates, "EQUAL_DB", 5.0)  # less than noise, more than roundings
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
        least = best - candidates.EQUAL_DB - candidates.SLOW_DB
        assert found.candidates[found.scheme] >= least
    assert tiny.made("onnx-float32").weight_scheme is None
    assert tiny.made("tflite-int8").weight_scheme is None
