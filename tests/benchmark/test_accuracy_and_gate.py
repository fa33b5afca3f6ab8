import numpy as np
import pytest

from benchmark.accuracy import Accuracy, compare
from benchmark.gate import Gate, judge
from benchmark.statistics import paired_drop_interval


def one_hot(classes: list[int]) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[classes]


def test_counts_drop_and_agreement() -> None:
    labels = np.array([0, 1, 2, 0, 1])
    reference = one_hot([0, 1, 2, 1, 1])  # 4 right
    outputs = one_hot([0, 1, 1, 0, 2])  # 3 right: gains one, loses two
    found = compare(outputs, reference, labels)
    assert (found.correct, found.total, found.accuracy) == (3, 5, 0.6)
    assert found.drop_vs_source == pytest.approx(0.2)
    assert found.agreement == pytest.approx(0.4)
    assert found.drop_ci95 == paired_drop_interval(2, 1, 5)
    assert found.finite


def test_nan_is_seen() -> None:
    outputs = one_hot([0, 1])
    outputs[0, 2] = np.nan
    assert not compare(outputs, one_hot([0, 1]), np.array([0, 1])).finite


def measured(correct: int, drop: float, *, finite: bool = True) -> Accuracy:
    return Accuracy(
        correct=correct,
        total=10_000,
        finite=finite,
        drop_vs_source=drop,
        drop_ci95=None,
        agreement=1.0,
    )


GATE = Gate(baseline=0.886, tolerance=0.01)


@pytest.mark.parametrize(
    ("accuracy", "verdict", "reasons"),
    [
        (measured(8_760, 0.01), "pass", []),  # both exactly at their limit
        (measured(8_759, 0.0), "fail", ["accuracy 87.59% is below 87.60%"]),
        (measured(9_500, 0.0101), "fail", ["accuracy drops by 1.01 points"]),
        (measured(1_000, 0.8), "fail", ["accuracy 10.00% is below", "accuracy drops by 80.00"]),
        (measured(9_000, 0.0, finite=False), "fail", ["outputs hold NaN or infinity"]),
    ],
)
def test_verdicts_and_their_reasons(accuracy: Accuracy, verdict: str, reasons: list[str]) -> None:
    found, why = judge(accuracy, GATE)
    assert found == verdict
    assert len(why) == len(reasons)
    for reason, expected in zip(why, reasons, strict=True):
        assert reason.startswith(expected)
