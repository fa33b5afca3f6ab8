import numpy as np
import pytest

from benchmark.judge.two_samples import (
    holm,
    mean_ratio,
    newcombe_interval,
    student_p,
    student_quantile,
    welch,
)


@pytest.mark.parametrize(
    ("freedom", "table"), [(2, 4.303), (3, 3.182), (6, 2.447), (10, 2.228), (30, 2.042)]
)
def test_students_quantiles_are_the_tabulated_ones(freedom: int, table: float) -> None:
    assert student_quantile(0.95, freedom) == pytest.approx(table, abs=5e-4)
    assert student_p(table, freedom) == pytest.approx(0.05, abs=5e-5)


def test_students_p_in_closed_form() -> None:
    """With two degrees of freedom the tail is 1 - t / √(2 + t²), both sides together."""
    for t in (0.0, 0.3, 1.0, 4.0, 30.0, 1e4):
        expected = 2 / ((2 + t * t) + t * (2 + t * t) ** 0.5)
        assert student_p(t, 2) == pytest.approx(expected, rel=1e-7)
        assert student_p(-t, 2) == student_p(t, 2)


def test_welchs_test_of_students_sleep_data() -> None:
    """Student 1908: hours of sleep gained; R's `t.test(extra ~ group, sleep)` prints these."""
    first = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    second = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    found = welch(first, second)
    assert found.value == pytest.approx(1.58)
    assert found.p == pytest.approx(0.07939, abs=5e-6)
    assert (found.low, found.high) == pytest.approx((-0.2054832, 3.3654832), abs=5e-7)


def test_samples_without_variance() -> None:
    same, other = np.full(3, 2.0), np.full(4, 3.0)
    assert welch(same, same).p == 1
    found = welch(same, other)
    assert (found.value, found.low, found.high, found.p) == (1, 1, 1, 0)


def test_a_ratio_turned_round_is_its_inverse() -> None:
    old, new = np.array([10.0, 11.0, 12.0]), np.array([14.0, 13.0, 15.0, 13.5])
    there, back = mean_ratio(old, new), mean_ratio(new, old)
    assert there.p == pytest.approx(back.p)
    assert (there.low, there.value, there.high) == pytest.approx(
        (1 / back.high, 1 / back.value, 1 / back.low)
    )
    assert there.low < there.value < there.high


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
    ],
)
def test_newcombes_published_intervals(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    """Newcombe 1998 (Statistics in Medicine 17:873-890), table II, method 10."""
    assert newcombe_interval(*counts) == pytest.approx((low, high), abs=5e-5)


def test_holms_correction() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
