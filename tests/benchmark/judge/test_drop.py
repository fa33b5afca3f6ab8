import numpy as np
import pytest

from benchmark.judge.drop import Drop, Side, drop_side, mean_drop, paired_drop, share_side
from benchmark.judge.statistics import ROUNDING
from train.common.intervals import normal_quantile, paired_drop_interval, tango_score


def test_a_mean_by_students_t() -> None:
    """Student 1908; R's `t.test(extra ~ group, sleep, paired = TRUE)` prints this interval."""
    first = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    second = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    found = mean_drop(second - first)
    assert found.value == pytest.approx(1.58)
    assert found.interval == pytest.approx((0.7001142, 2.4598858), abs=5e-7)
    assert found.count == 10


def test_a_mean_of_many_examples_has_the_normals_interval() -> None:
    found = mean_drop(np.tile([-1.0, 1.0], 50_000))
    assert found.interval == pytest.approx((-1.95996 / 1e5**0.5, 1.95996 / 1e5**0.5), rel=1e-4)


def test_one_example_bounds_nothing() -> None:
    found = mean_drop(np.array([0.3]))
    assert (found.value, found.interval) == (0.3, None)
    assert found.side(1.0) == Side(within=False, beyond=False)


@pytest.mark.parametrize(
    ("limit", "within", "beyond"), [(0.05, True, False), (0.01, False, True), (0.04, True, False)]
)
def test_a_decided_side(limit: float, within: bool, beyond: bool) -> None:
    drop = Drop(value=0.03, low=0.02, high=0.04, count=100)
    assert drop.side(limit) == Side(within=within, beyond=beyond)


@pytest.mark.parametrize(("limit", "images"), [(0.035, 400), (0.025, 400), (0.031, 10_000)])
def test_an_open_side_says_how_many_examples_would_decide_it(limit: float, images: int) -> None:
    """The interval must shrink to the distance of the limit: 4 times the examples for half."""
    found = Drop(value=0.03, low=0.02, high=0.04, count=100).side(limit)
    assert (found.within, found.beyond) == (False, False)
    assert found.examples == pytest.approx(images, abs=1)


def test_a_drop_at_the_limit_is_never_decided() -> None:
    found = Drop(value=0.03, low=0.02, high=0.04, count=100).side(0.03)
    assert found == Side(within=False, beyond=False)


@pytest.mark.parametrize("limit", [0.0, 0.01, 0.05])
def test_an_accuracy_is_judged_by_tangos_interval(limit: float) -> None:
    found = paired_drop(20, 8, 1_000)
    assert found.value == pytest.approx(0.012)
    assert found.interval == paired_drop_interval(20, 8, 1_000)
    assert found.side(limit) == drop_side(20, 8, 1_000, limit)


@pytest.mark.parametrize(
    ("lost", "gained", "limit"), [(130, 50, 0.01), (90, 60, 0.002), (10, 10, 0.0005)]
)
def test_the_number_of_examples_that_decides_is_the_smallest(
    lost: int, gained: int, limit: float
) -> None:
    examples = drop_side(lost, gained, 10_000, limit).examples
    assert examples is not None
    value = (lost - gained) / 10_000
    for count, expected in ((examples, True), (examples - 1, False)):
        # the counts need not be whole: rates are what is held
        scale = count / 10_000
        low, high = paired_drop_interval_at(lost * scale, gained * scale, count)
        decided = high <= limit + ROUNDING if value <= limit else low > limit + ROUNDING
        assert decided == expected


def paired_drop_interval_at(lost: float, gained: float, total: int) -> tuple[float, float]:
    """The interval's ends by bisection on Tango's score, for counts that need not be whole."""

    def root(target: float, low: float, high: float) -> float:
        for _ in range(60):
            middle = (low + high) / 2
            above = tango_score(lost, gained, total, middle) > target
            low, high = (middle, high) if above else (low, middle)
        return low

    drop = (lost - gained) / total
    return root(normal_quantile(0.95), -1, drop), root(-normal_quantile(0.95), drop, 1)


def test_sides_of_a_share() -> None:
    assert share_side(9_000, 10_000, 0.88).within
    assert share_side(8_600, 10_000, 0.88).beyond
    side = share_side(8_850, 10_000, 0.88)
    assert (side.within, side.beyond) == (False, False)
    assert side.examples is not None
    assert side.examples > 10_000
    assert share_side(8_800, 10_000, 0.88).examples is None  # at the limit itself
