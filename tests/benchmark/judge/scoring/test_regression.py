from pathlib import Path

import numpy as np
import pytest

from benchmark.judge.drop import Drop
from benchmark.judge.scoring import regression as values
from benchmark.judge.scoring.regression import (
    Errors,
    errors_against,
    is_finite,
    mae_increase,
    r2_drop,
    rmse_increase,
    variance_over_examples,
)


def test_errors_by_hand() -> None:
    outputs = np.array([[1, 2], [3, 4], [0, 0]], np.float32)
    targets = np.array([[1, 4], [2, 2], [0, 1]], np.float32)
    found = errors_against(outputs, targets)
    assert found.absolute.tolist() == [1, 1.5, 0.5]
    assert found.squared.tolist() == [2, 2.5, 0.5]
    assert found.mae == 1
    assert found.rmse == pytest.approx((5 / 3) ** 0.5)
    # columns 1, 2, 0 and 4, 2, 1: variances 2/3 and 14/9, their mean 10/9
    assert variance_over_examples(targets) == pytest.approx(10 / 9)
    assert found.r2(variance_over_examples(targets)) == pytest.approx(1 - 5 / 3 / (10 / 9))


def test_a_model_that_says_each_values_mean_explains_nothing() -> None:
    """Though the values' means differ, which a single mean would count as explained."""
    targets = np.random.default_rng(0).normal(size=(50, 3, 4)) * 2 + np.arange(4) * 100
    constant = np.broadcast_to(targets.mean(axis=0), targets.shape)
    found = errors_against(constant, targets).r2(variance_over_examples(targets))
    assert found == pytest.approx(0, abs=1e-12)


def test_parts_of_a_file_give_what_the_whole_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(1)
    targets = random.normal(size=(103, 4, 5)).astype(np.float32)
    np.save(tmp_path / "targets.npy", targets)
    outputs = targets + random.normal(size=targets.shape).astype(np.float32) / 10
    monkeypatch.setattr(values, "PART_VALUES", 200)
    mapped = np.load(tmp_path / "targets.npy", mmap_mode="r")
    found = errors_against(outputs, mapped)
    errors = outputs.astype(np.float64) - targets
    assert found.mae == pytest.approx(np.abs(errors).mean())
    assert found.rmse == pytest.approx(np.sqrt((errors**2).mean()))
    expected = targets.astype(np.float64).var(axis=0).mean()
    assert variance_over_examples(mapped) == pytest.approx(expected)
    assert is_finite(mapped)
    targets[-1, 0, 0] = np.inf
    assert not is_finite(targets)


def test_a_common_offset_costs_no_digits() -> None:
    spread = np.random.default_rng(2).integers(-4, 5, size=(1000, 1)) / 4
    assert variance_over_examples(spread + 2.0**40) == pytest.approx(spread.var())
    assert variance_over_examples(np.full((7, 3), 0.1)) == 0


def test_float32_targets_are_summed_in_float64() -> None:
    """A million times 0.1: in float32, one after the other, the sum would be 0.9 % off."""
    found = errors_against(np.zeros((1_000_000, 1), np.float32), np.full((1_000_000,), 0.1))
    assert found.mae == pytest.approx(0.1, rel=1e-12)


def test_what_is_not_finite_counts_as_zero() -> None:
    found = errors_against(np.array([np.nan, np.inf, 1]), np.array([2.0, 3.0, 1.0]))
    assert found.absolute.tolist() == [2, 3, 0]


def errors(absolute: list[float], squared: list[float]) -> Errors:
    return Errors(absolute=np.array(absolute), squared=np.array(squared))


SOURCE = errors([1, 2, 3, 2], [1, 4, 9, 4])
EXPORT = errors([1.1, 2.5, 3.0, 2.4], [1.21, 6.25, 9.0, 5.76])


def test_drops_are_those_of_the_metrics() -> None:
    mae, rmse = mae_increase(EXPORT, SOURCE), rmse_increase(EXPORT, SOURCE)
    assert mae is not None
    assert rmse is not None
    assert mae.value == pytest.approx(EXPORT.mae / SOURCE.mae - 1)
    assert rmse.value == pytest.approx(EXPORT.rmse / SOURCE.rmse - 1)
    lost = (SOURCE.r2(10.0) or 0) - (EXPORT.r2(10.0) or 0)
    assert r2_drop(EXPORT, SOURCE, 10.0).value == pytest.approx(lost)


def test_the_interval_of_an_r2_drop_by_hand() -> None:
    """Squared errors grow by 0, 1, 2 and 3: mean 1.5, s = 1.29099, t of 3 degrees 3.18245."""
    grown = errors([0] * 4, [1, 5, 11, 7])
    half = 3.18245 * 1.29099 / 2 / 10
    assert r2_drop(grown, SOURCE, 10.0).interval == pytest.approx(
        (0.15 - half, 0.15 + half), rel=1e-5
    )


def test_the_same_error_everywhere_larger_by_a_tenth_is_known_exactly() -> None:
    """The ratio does not vary, however much the errors do."""
    grown = Errors(absolute=SOURCE.absolute * 1.1, squared=SOURCE.squared * 1.21)
    for found in (mae_increase(grown, SOURCE), rmse_increase(grown, SOURCE)):
        assert found is not None
        assert (found.low, found.value, found.high) == pytest.approx((0.1, 0.1, 0.1))


def covered(found: Drop | None, true: float) -> bool:
    assert found is not None
    low, high = found.interval or (0, 0)
    return low <= true <= high


def test_intervals_cover_the_true_increase() -> None:
    """Errors N(0, 1) of the Keras model, with N(0, ½²) more of the export: √1.25 times as large."""
    random = np.random.default_rng(3)
    true = 1.25**0.5 - 1
    hits = np.zeros(3)
    for _ in range(400):
        targets = random.normal(size=200) * 3
        reference = targets + random.normal(size=200)
        outputs = reference + random.normal(size=200) / 2
        source, export = errors_against(reference, targets), errors_against(outputs, targets)
        hits += (
            covered(mae_increase(export, source), true),
            covered(rmse_increase(export, source), true),
            covered(r2_drop(export, source, 9.0), 0.25 / 9),
        )
    assert 0.925 <= hits.min() / 400 <= hits.max() / 400 <= 0.975, hits


def test_a_perfect_keras_model() -> None:
    perfect = errors([0] * 4, [0] * 4)
    for increase in (mae_increase, rmse_increase):
        assert increase(EXPORT, perfect) is None
        both = increase(perfect, perfect)
        assert both is not None
        assert (both.value, both.interval) == (0, (0, 0))


def test_one_example_has_no_interval() -> None:
    one, other = errors([1.0], [1.0]), errors([1.5], [2.25])
    for found in (mae_increase(other, one), rmse_increase(other, one), r2_drop(other, one, 2.5)):
        assert found is not None
        assert found.value == pytest.approx(0.5)
        assert found.interval is None


def test_no_variance_no_r2() -> None:
    assert SOURCE.r2(0.0) is None
