from dataclasses import replace

import numpy as np
import pytest

from benchmark.judge.drop import paired_drop
from benchmark.judge.evidence import OutputEvidence, Verdict, reasons_of, worst
from benchmark.judge.limits import Limits
from benchmark.judge.scoring.scores import Accuracy, Paired, Scores
from benchmark.judge.verdict import judge_file, judge_output
from benchmark.judge.verified import loudest_share
from export.formats.table import FORMATS
from export.verify.distance import Distance

LIMITS = Limits(baseline=0.886, tolerance=0.01)
NEAR = Distance(
    finite=1,
    agreement=0.99,
    accuracy_drop=0,
    accuracy=0.9,
    max_abs_error=0,
    span=1,
    snr_db=35,
    centred_snr_db=34,
    cosine=1,
)
P50_US = tuple[float, float | None, float | None]
Evidence = tuple[OutputEvidence, P50_US | None]


def judge(found: Evidence, limits: Limits) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict on an export with one output, and its reasons, as a row has them."""
    checks = [*judge_output(found[0], limits), *judge_file(300_000, found[1], limits)]
    return worst(each.verdict for each in checks), tuple(reasons_of(checks))


def paired(correct: int, lost: int = 0, gained: int = 0, total: int = 10_000) -> Paired:
    return Paired(total=total, correct=correct, lost=lost, gained=gained)


def evidence(
    overall: Paired | None,
    *,
    agreeing: int = 9_900,
    classes: dict[int, Paired] | None = None,
    distance: Distance = NEAR,
    verified: dict[str, float] | None = None,
    p50_us: P50_US | None = (3.0, 2.9, 3.1),
) -> Evidence:
    found = None
    if overall is not None:
        found = Accuracy(
            overall=overall,
            classes=classes or {0: overall},
            agreeing=agreeing,
            ece=None,
            source_ece=None,
        )
    drop = None if overall is None else paired_drop(overall.lost, overall.gained, overall.total)
    scores = Scores(
        kind="outputs" if overall is None else "classes",
        metric="r2" if overall is None else "accuracy",
        figures={},
        drop=drop,
        accuracy=found,
    )
    output = OutputEvidence(
        scores=scores,
        distance=distance,
        verified=verified or {},
        baseline=LIMITS.baseline,
        class_names=("shirt", "coat"),
    )
    return output, p50_us


@pytest.mark.parametrize(
    ("overall", "verdict", "reasons"),
    [
        (paired(8_900, 50, 30), "pass", []),
        (paired(9_000), "pass", []),
        # the drop's interval holds 1 point: 1.3 points lost or 0.8
        (paired(9_000, 210, 70), "fail", ["accuracy drops by 1.40 points"]),
        (paired(9_000, 150, 60), "inconclusive", ["accuracy drops by 0.90 points"]),
        (paired(9_000, 150, 40), "inconclusive", ["accuracy drops by 1.10 points"]),
        # accuracy: the least is 87.6 %, the interval 0.65 points to either side
        (paired(8_840), "pass", []),
        (paired(8_800), "inconclusive", ["accuracy 88.00% (95 % interval 87.35% to 88.62%)"]),
        (paired(8_680), "fail", ["accuracy 86.80%"]),
        (
            paired(394, 10, 16, 400),
            "inconclusive",
            ["accuracy rises by 1.50 points (of the drop: "],
        ),
        (paired(1_000, 8_000, 0), "fail", ["accuracy 10.00%", "accuracy drops by 80.00"]),
        (paired(8_800, 300, 0), "fail", ["accuracy 88.00%", "accuracy drops by 3.00"]),
    ],
)
def test_verdicts_and_their_reasons(overall: Paired, verdict: Verdict, reasons: list[str]) -> None:
    found, why = judge(evidence(overall), LIMITS)
    assert found == verdict, why
    assert len(why) == len(reasons), why
    for reason, expected in zip(why, reasons, strict=True):
        assert reason.startswith(expected)


def test_an_open_verdict_says_how_many_images_would_decide_it() -> None:
    _, (reason,) = judge(evidence(paired(9_000, 150, 60)), LIMITS)
    assert "against the Keras model, limit 1.00: about " in reason
    images = int(reason.split("about ")[1].split(" images")[0].replace(",", ""))
    assert judge(evidence(at_rates_of_above(1.03 * images), agreeing=images), LIMITS)[0] == "pass"
    fewer = judge(evidence(at_rates_of_above(0.97 * images)), LIMITS)
    assert fewer[0] == "inconclusive"


def at_rates_of_above(images: float) -> Paired:
    scale = images / 10_000
    return paired(round(9_000 * scale), round(150 * scale), round(60 * scale), round(images))


def test_a_drop_exactly_at_the_limit_is_never_decided() -> None:
    _, (reason,) = judge(evidence(paired(9_000, 200, 100)), LIMITS)
    assert "no number of images would decide it" in reason


def test_nan_fails() -> None:
    broken = replace(NEAR, finite=0.9)
    verdict, (reason, *_) = judge(evidence(paired(9_000), distance=broken), LIMITS)
    assert verdict == "fail"
    assert reason.startswith("outputs hold NaN or infinity: 10.0% of all values")


CLASSES = {0: paired(900, 80, 0, 1_000), 1: paired(900, 5, 5, 1_000)}


@pytest.mark.parametrize(
    ("limit", "verdict"), [(0.2, "pass"), (0.02, "fail"), (0.08, "inconclusive")]
)
def test_the_worst_class(limit: float, verdict: str) -> None:
    limits = replace(LIMITS, max_drop_per_class=limit)
    found, reasons = judge(evidence(paired(9_000), classes=CLASSES), limits)
    assert found == verdict
    if verdict != "pass":
        assert reasons[0].startswith("class shirt: accuracy drops by 8.00 points")


def test_many_classes_are_not_each_given_a_chance_to_fail() -> None:
    """One class in ten whose plain 95 % interval is just beyond the limit is no proof."""
    classes = {label: paired(900, 5, 5, 1_000) for label in range(10)}
    classes[3] = paired(900, 40, 5, 1_000)  # 3.5 points, interval 2.2 to 5.1
    limits = replace(LIMITS, max_drop_per_class=0.021)
    found, reasons = judge(evidence(paired(9_000), classes=classes), limits)
    assert found == "inconclusive"
    assert any(reason.startswith("class 3: ") for reason in reasons)


@pytest.mark.parametrize(
    ("least", "verdict"), [(0.98, "pass"), (0.989, "inconclusive"), (0.995, "fail")]
)
def test_least_agreement(least: float, verdict: str) -> None:
    found, _ = judge(evidence(paired(9_000)), replace(LIMITS, min_agreement=least))
    assert found == verdict


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [(3.1, "pass"), (3.0, "inconclusive"), (2.95, "inconclusive"), (2, "fail")],
)
def test_largest_latency(limit: float, verdict: str) -> None:
    found, reasons = judge(evidence(paired(9_000)), replace(LIMITS, max_latency_us=limit))
    assert found == verdict
    if reasons:
        assert reasons[0].startswith("median latency 3.0 µs")


def test_largest_file() -> None:
    assert judge(evidence(paired(9_000)), replace(LIMITS, max_size_kb=300))[0] == "pass"
    found = judge(evidence(paired(9_000)), replace(LIMITS, max_size_kb=299.9))
    assert found == ("fail", ("file of 300.0 kB is above 299.9 kB",))


@pytest.mark.parametrize(
    ("verified", "words"),
    [
        ({"agreement": 0.99, "snr_db": 37}, ""),
        ({"agreement": 0.995}, ""),  # half as many flips more, and half a point
        ({"agreement": 0.999}, "agrees with the Keras model on 99.00% of the images, on 99.90%"),
        ({"snr_db": 38.5}, "by 35.0 dB of signal to noise, by 38.5 dB when it was verified"),
    ],
)
def test_an_export_must_do_as_when_it_was_verified(verified: dict[str, float], words: str) -> None:
    found, reasons = judge(evidence(paired(9_000), verified=verified), LIMITS)
    assert found == ("fail" if words else "pass")
    assert words in " ".join(reasons)
    assert ("other weights" in " ".join(reasons)) == bool(words)


def test_one_odd_example_in_many_is_no_other_model() -> None:
    output, p50_us = evidence(paired(9_000), verified={"snr_db": 38.5})
    for share, verdict in ((0.1, "fail"), (0.3, "pass"), (1.0, "pass")):
        assert judge((replace(output, loudest_share=share), p50_us), LIMITS)[0] == verdict


def test_the_share_of_the_loudest_example_is_that_of_all_noise() -> None:
    reference = np.zeros((1_000, 4), np.float32)
    outputs = np.full_like(reference, 0.1)
    assert loudest_share(outputs, reference) == pytest.approx(1 / 1_000)
    outputs[3] = 10
    assert loudest_share(outputs, reference) == pytest.approx(400 / (400 + 999 * 0.04), rel=1e-5)
    assert loudest_share(reference, reference) == 0
    assert loudest_share(outputs[:99], reference[:99]) == 0  # too few to leave one out


def test_float32_is_held_to_no_more_than_the_model_keeps_of_itself() -> None:
    output, p50_us = evidence(paired(9_000), verified={"snr_db": 35})
    float32 = replace(output, limits=FORMATS["tflite-float32"].limits)
    found, (reason,) = judge((float32, p50_us), LIMITS)
    assert (found, "by 68.0 dB by what its format demands" in reason) == ("fail", True)
    assert judge((replace(float32, own_rounding_db=57.0), p50_us), LIMITS) == ("pass", ())
    assert judge((replace(float32, own_rounding_db=59.0), p50_us), LIMITS)[0] == "fail"


def test_without_labels_the_outputs_are_judged() -> None:
    assert judge(evidence(None), LIMITS) == ("pass", ())
    verdict, (reason,) = judge(evidence(None), replace(LIMITS, min_snr_db=35.5))
    assert verdict == "fail"
    assert "35.0 dB, below 35.5 dB (judged by outputs: the data has no labels)" in reason


def test_all_reasons_are_listed() -> None:
    limits = replace(LIMITS, max_size_kb=1, max_latency_us=1, min_agreement=1)
    found, reasons = judge(evidence(paired(1_000, 8_000, 0)), limits)
    assert found == "fail"
    assert len(reasons) == 5


@pytest.mark.parametrize(
    ("limit", "verdict"), [(0.02, "pass"), (0.005, "inconclusive"), (0.001, "fail")]
)
def test_a_largest_drop_takes_the_tolerances_place(limit: float, verdict: Verdict) -> None:
    """0.6 points are lost, 0.35 to 0.85 by the interval; the tolerance is 1."""
    found, reasons = judge(evidence(paired(9_000, 110, 50)), replace(LIMITS, max_drop=limit))
    assert found == verdict
    if verdict != "pass":
        assert f"{limit * 100:.2f} (--max-drop)" in reasons[0]
    assert judge(evidence(paired(9_000, 110, 50)), LIMITS)[0] == "pass"
