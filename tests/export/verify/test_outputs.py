"""The limits that outputs are held to."""

from dataclasses import replace

import numpy as np
import pytest

from export.formats.table import FORMATS, Format
from export.manifest import Check, Observation
from export.verify.distance import Distance, distance
from export.verify.expectation import Expectation
from export.verify.outputs import check_distance
from train.common.tensors import TensorSpec

INT8 = FORMATS["tflite-int8"]
COUNT = 1_000
SPEC = TensorSpec(name="scores", shape=(None, 3), dtype="float32")
EXPECTED = Expectation(
    input_specs=(),
    output_specs=(SPEC,),
    weights=1,
    inputs={"x": np.zeros((COUNT, 1))},
    labels={"scores": np.zeros(COUNT, int)},
    outputs={"scores": np.zeros((COUNT, 3))},
)
GOOD = {
    "finite": 1.0,
    "agreement": 0.98,
    "accuracy_drop": 0.01,
    "max_abs_error": 0.3,
    "snr_db": 25.0,
    "centred_snr_db": 20.0,
    "cosine": 0.995,
}


@pytest.mark.parametrize(
    ("measure", "value", "failed"),
    [
        ("finite", 1.0, []),
        ("finite", 0.999, ["finite_outputs"]),
        ("agreement", 0.94, ["agreement"]),
        ("accuracy_drop", 0.03, ["accuracy_drop"]),  # most of what changed its class was right
        ("max_abs_error", 0.7, ["max_abs_error"]),
        ("snr_db", 17.0, ["snr_db"]),
        ("centred_snr_db", 11.0, ["variation_db"]),  # an answer that hardly changes
        ("cosine", 0.98, ["cosine"]),
    ],
)
def test_every_distance_alone_can_fail_a_file(
    measure: str, value: float, failed: list[str]
) -> None:
    found = Distance(**{**GOOD, measure: value}, accuracy=0.9, span=1.0)
    checks = check_distance("scores", found, INT8, EXPECTED, noise=1.0)
    assert [c.name for c in checks if isinstance(c, Check) and not c.passed] == failed


@pytest.mark.parametrize("entry", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("noise", [1.0, 20.0, 1e6])
def test_the_mean_output_is_refused_however_deep_the_network(entry: Format, noise: float) -> None:
    found = Distance(**{**GOOD, "centred_snr_db": 0.0}, accuracy=0.9, span=1.0)
    checks = check_distance("scores", found, entry, EXPECTED, noise)
    limits = {c.name: str(c.limit) for c in checks if isinstance(c, Check)}
    assert float(limits["variation_db"].split()[1]) > 6
    assert float(limits["snr_db"].split()[1]) > 6


def test_the_commonest_class_for_all_is_refused_however_deep_the_network() -> None:
    outputs = np.eye(3)[np.arange(COUNT) % 3]
    expected = replace(EXPECTED, outputs={"scores": outputs})
    found = Distance(**{**GOOD, "agreement": 0.34}, accuracy=0.34, span=1.0)
    checks = check_distance("scores", found, INT8, expected, noise=1e6)
    assert [c.name for c in checks if isinstance(c, Check) and not c.passed] == ["agreement"]


def test_an_output_that_never_changes_is_judged_by_its_values_and_said_in_words() -> None:
    ones = np.ones((COUNT, 1), np.float32)
    expected = replace(EXPECTED, outputs={"scores": ones - np.float32(6e-8)}, labels={})
    found = distance(ones, expected.outputs["scores"], None)
    assert found.is_constant
    near = check_distance("scores", found, FORMATS["tflite-float32"], expected, noise=1.0)
    assert all(c.passed for c in near if isinstance(c, Check))
    (seen,) = (found.value for found in near if isinstance(found, Observation))
    assert "is the same for all examples: a softmax over one value" in str(seen)
    far = distance(ones / 2, expected.outputs["scores"], None)
    wrong = check_distance("scores", far, INT8, expected, noise=1.0)
    assert [c.name for c in wrong if isinstance(c, Check) and not c.passed] == ["snr_db"]


INDEX = TensorSpec(name="index", shape=(None, 3), dtype="int32")
RANKS = np.stack([np.arange(COUNT) % size for size in (5, 6, 7)], axis=1)
INDICES = replace(EXPECTED, output_specs=(INDEX,), outputs={"index": RANKS}, labels={})


@pytest.mark.parametrize(
    ("name", "same", "passed"),
    [
        ("tflite-float32", 0.9995, True),
        ("tflite-float32", 0.98, False),
        ("tflite-int8", 0.93, True),  # each of three ranks may change its place
        ("tflite-int8", 0.85, False),
    ],
)
def test_indices_are_held_to_the_share_that_is_the_same(
    name: str, same: float, passed: bool
) -> None:
    wrong = np.arange(RANKS.size).reshape(RANKS.shape) >= same * RANKS.size
    found = distance(RANKS + wrong, RANKS, None, exact=True)
    checks = check_distance("index", found, FORMATS[name], INDICES, noise=1.0)
    assert [c.name for c in checks] == ["finite_outputs", "agreement"]
    assert all(c.passed for c in checks if isinstance(c, Check)) == passed


@pytest.mark.parametrize("entry", FORMATS.values(), ids=FORMATS)
def test_the_commonest_indices_for_all_are_refused_however_deep_the_network(entry: Format) -> None:
    common = np.tile([0, 0, 0], (COUNT, 1))
    skewed = np.where(RANKS > 1, RANKS, 0)  # two of five, six, seven
    expected = replace(INDICES, outputs={"index": skewed})
    found = distance(common, skewed, None, exact=True)
    checks = check_distance("index", found, entry, expected, noise=1e6)
    assert [c.name for c in checks if isinstance(c, Check) and not c.passed] == ["agreement"]


def test_classes_are_held_to_their_labels() -> None:
    spec = TensorSpec(name="class", shape=(None,), dtype="int64")
    true = np.arange(COUNT) % 5
    expected = replace(
        EXPECTED, output_specs=(spec,), outputs={"class": true}, labels={"class": true}
    )
    for wrong, failed in ((0.005, []), (0.2, ["agreement", "accuracy_drop"])):
        outputs = {"class": np.where(np.arange(COUNT) < wrong * COUNT, true + 1, true)}
        found = expected.distances(outputs)["class"]
        checks = check_distance("class", found, INT8, expected, noise=1.0)
        assert [c.name for c in checks if isinstance(c, Check) and not c.passed] == failed
        assert expected.score(outputs) == 1 - wrong


def rounded(values: np.ndarray, noise: float) -> Expectation:
    """Returns what files of a model are verified against that rounds by as much as `noise`."""
    other = values + np.float32(noise) * np.where(np.arange(values.size) % 2, 1, -1)[:, np.newaxis]
    return replace(
        EXPECTED,
        outputs={"scores": values},
        labels={},
        rounded_otherwise=lambda: [{"scores": other}],
    )


def test_float32_is_held_to_no_more_than_its_model_keeps_of_itself() -> None:
    values = np.random.RandomState(0).normal(size=(COUNT, 1)).astype(np.float32)
    near = distance(values + np.float32(1e-3), values, None)

    def failed(expected: Expectation) -> list[str]:
        checks = check_distance("scores", near, FORMATS["tflite-float32"], expected, noise=1.0)
        return [c.name for c in checks if isinstance(c, Check) and not c.passed]

    assert failed(rounded(values, 1e-6)) == ["max_abs_error", "snr_db", "variation_db"]
    assert failed(rounded(values, 3e-4)) == []


def test_the_mean_output_is_refused_of_a_model_that_is_all_rounding() -> None:
    values = np.random.RandomState(0).normal(size=(COUNT, 1)).astype(np.float32)
    mean = distance(np.full_like(values, values.mean()), values, None)
    checks = check_distance(
        "scores", mean, FORMATS["tflite-float32"], rounded(values, 10.0), noise=1.0
    )
    failed = [c.name for c in checks if isinstance(c, Check) and not c.passed]
    assert failed == ["snr_db", "variation_db", "cosine"]


def test_what_passes_does_not_ask_for_the_models_own_rounding() -> None:
    def never() -> list[dict[str, np.ndarray]]:
        raise AssertionError

    good = Distance(**GOOD, accuracy=0.9, span=1.0)
    checks = check_distance("scores", good, INT8, replace(EXPECTED, rounded_otherwise=never), 1.0)
    assert all(c.passed for c in checks if isinstance(c, Check))
