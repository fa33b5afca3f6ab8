import numpy as np
import pytest

from benchmark.statistics import Z_95, paired_drop_interval, quantile


@pytest.mark.parametrize(("share", "least"), [(0.5, 5), (0.9, 29), (0.95, 59), (0.99, 299)])
def test_a_quantile_needs_the_samples_that_can_carry_it(share: float, least: int) -> None:
    samples = np.arange(1, least + 1, dtype=float)
    assert quantile(samples[:-1], share) is None
    found = quantile(samples, share)
    assert found is not None
    assert 1 <= found <= least


def test_quantiles_of_a_known_distribution() -> None:
    samples = np.random.RandomState(0).permutation(np.arange(1001, dtype=float))
    assert quantile(samples, 0.5) == pytest.approx(500)
    assert quantile(samples, 0.9) == pytest.approx(900, abs=1)
    assert quantile(samples, 0.99) == pytest.approx(990, abs=1)


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
