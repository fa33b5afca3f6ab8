"""Which networks are fitted in full, and what is said where none is good enough."""

from dataclasses import dataclass, field
from typing import Any

import keras_tuner
import pytest

from train.common.errors import ToolkitError
from train.limits import Limits
from train.search.limits.in_full import along_the_front, check_accuracy, most_accurate, smallest
from train.search.limits.trials import Trial

pytestmark = pytest.mark.slow  # it imports TensorFlow


def trial(flash: float, accuracy: float) -> Trial:
    return Trial(
        hp=keras_tuner.HyperParameters(),
        costs={"flash": flash},
        accuracy=accuracy,
        epochs=9,
    )


@dataclass
class Fits:
    """Fits in full that end `gain` above the short ones; what was fitted is kept, in order."""

    gain: float
    fitted: list[float] = field(default_factory=list)

    def fit(self, found: Trial, seconds: float) -> Any:
        self.fitted.append(found.costs["flash"])
        return Result(trial=found, accuracy=found.accuracy + self.gain)


@dataclass
class Result:
    trial: Trial
    accuracy: float


TRIALS = [trial(*each) for each in ((9, 0.90), (5, 0.89), (7, 0.88), (3, 0.87), (2, 0.80))]
LIMITS = Limits(most={}, accuracy=0.9, minimize="flash")


def test_the_front_has_what_nothing_cheaper_equals() -> None:
    assert [
        each.costs["flash"] for each in along_the_front(TRIALS, lambda t: t.costs["flash"])
    ] == [
        2,
        3,
        5,
        9,
    ]


def test_the_most_accurate_is_fitted_where_accuracy_is_to_be_large() -> None:
    fits = Fits(gain=0.01)
    assert most_accurate(TRIALS, fits, 1e18)[0].trial is TRIALS[0]  # type: ignore[arg-type]
    assert fits.fitted == [9]


@pytest.mark.parametrize(
    ("gain", "fitted", "answer"),
    [
        (0.012, [5, 3], 5),  # good as expected; the next cheaper is not
        (0.04, [5, 3], 3),  # what is cheaper yet is far from it
        (0.0, [5, 9], 9),  # less than expected: a larger one
        (-0.05, [5, 9], 9),  # none is good: the most accurate
    ],
)
def test_the_smallest_that_is_good_enough_is_looked_for_along_the_front(
    gain: float, fitted: list[float], answer: float
) -> None:
    fits = Fits(gain=gain)
    found = smallest(TRIALS, LIMITS, fits, 1e18)  # type: ignore[arg-type]
    assert fits.fitted == fitted
    assert found[0].trial.costs["flash"] == answer
    assert len(found) == len(fitted)


def test_what_misses_the_accuracy_is_told_by_how_much() -> None:
    near: Any = [Result(trial=TRIALS[0], accuracy=0.893)]
    with pytest.raises(ToolkitError, match=r"89\.30% on held-out images, 0\.70 points less"):
        check_accuracy(near, Limits(most={"flash": 10}, accuracy=0.9))
    check_accuracy(near, Limits(most={"flash": 10}, accuracy=0.89))
