from math import comb

import numpy as np
import pytest

from benchmark.judge.statistics import (
    holm,
    mcnemar_p,
    mean_ratio,
    newcombe_interval,
    student_quantile,
    welch,
    wilson_interval,
)
from train.common.intervals import normal_quantile, paired_drop_interval, tango_score

Z_95 = normal_quantile(0.95)


def test_wilsons_published_interval() -> None:
    """Newcombe 1998 (Statistics in Medicine 17:857-872), table I: 81 of 263, 15 of 148, 0 of 20."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (5, 5), (9, 3), (30, 12), (0, 7)])
def test_mcnemars_exact_p_is_the_binomial_tail(lost: int, gained: int) -> None:
    trials = lost + gained
    tail = sum(comb(trials, k) for k in range(min(lost, gained) + 1)) / 2**trials
    assert mcnemar_p(lost, gained) == pytest.approx(min(1, 2 * tail))


def test_mcnemars_p_of_many_discordant_pairs() -> None:
    assert 0 < mcnemar_p(5_300, 5_000) < 0.01
    assert mcnemar_p(6_000, 1_000) < 1e-100


def test_tangos_published_examples() -> None:
    """Tango 1998, section 6: soft contact lenses, n = 44, and sleeping difficulties, n = 32."""
    assert tango_score(0, 1, 44, -0.1) == pytest.approx(1.709, abs=5e-4)
    low_90, _ = paired_drop_interval(0, 1, 44, 0.90) or (0, 0)
    assert low_90 == pytest.approx(-0.096, abs=5e-4)
    assert paired_drop_interval(9, 3, 32) == pytest.approx((-0.027, 0.390), abs=5e-4)


def test_published_examples_of_others() -> None:
    """Fagerland et al. 2014 (Statistics in Medicine 33:2850-2875): airway reactivity, n = 21."""
    assert paired_drop_interval(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)


def constrained_z(lost: int, gained: int, total: int, difference: float) -> float:
    """Tango's z with the constrained maximum likelihood found by brute force on a grid."""
    low, high = max(0.0, -difference), (1 - difference) / 2
    cell_gained = np.linspace(low, high, 2_000_001)[1:-1]
    cell_lost = cell_gained + difference
    rest = 1 - cell_gained - cell_lost
    with np.errstate(divide="ignore", invalid="ignore"):
        likelihood = (
            (lost * np.log(cell_lost) if lost else 0)
            + (gained * np.log(cell_gained) if gained else 0)
            + (total - lost - gained) * np.log(rest)
        )
    best = int(np.nanargmax(likelihood))
    spread = cell_lost[best] + cell_gained[best] - difference**2
    return float((lost - gained - total * difference) / np.sqrt(total * spread))


@pytest.mark.parametrize(
    ("lost", "gained", "total"),
    [(0, 1, 44), (1, 0, 44), (9, 16, 100), (53, 16, 10_000), (0, 0, 1_000), (3, 3, 30)],
)
def test_the_intervals_ends_solve_tangos_equation(lost: int, gained: int, total: int) -> None:
    interval = paired_drop_interval(lost, gained, total)
    assert interval is not None
    low, high = interval
    assert -1 <= low <= (lost - gained) / total <= high <= 1
    assert constrained_z(lost, gained, total, low) == pytest.approx(Z_95, abs=2e-3)
    assert constrained_z(lost, gained, total, high) == pytest.approx(-Z_95, abs=2e-3)


def test_the_interval_is_antisymmetric() -> None:
    forward, backward = paired_drop_interval(7, 2, 50), paired_drop_interval(2, 7, 50)
    assert forward is not None
    assert backward is not None
    assert forward == pytest.approx((-backward[1], -backward[0]))


def test_the_ends_of_the_scale_and_no_images() -> None:
    assert paired_drop_interval(0, 0, 0) is None
    lost = paired_drop_interval(20, 0, 20)
    gained = paired_drop_interval(0, 20, 20)
    assert lost is not None
    assert gained is not None
    assert lost[1] == 1
    assert gained[0] == -1
    assert 0.5 < lost[0] < 1


def test_coverage_near_the_nominal_level() -> None:
    """Of many simulated comparisons about 95 % of the intervals hold the true drop."""
    random = np.random.RandomState(5)
    lost, gained, total = 0.04, 0.02, 500
    draws = random.multinomial(total, [lost, gained, 1 - lost - gained], size=1_000)
    hits = 0
    for first, second, _ in draws:
        interval = paired_drop_interval(int(first), int(second), total)
        assert interval is not None
        hits += interval[0] <= lost - gained <= interval[1]
    assert 0.93 <= hits / 1_000 <= 0.97


@pytest.mark.parametrize(
    ("freedom", "table"),
    [(2, 4.303), (3, 3.182), (6, 2.447), (10, 2.228), (30, 2.042)],
)
def test_students_quantiles_are_the_tabulated_ones(freedom: int, table: float) -> None:
    assert student_quantile(0.95, freedom) == pytest.approx(table, abs=5e-4)


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
