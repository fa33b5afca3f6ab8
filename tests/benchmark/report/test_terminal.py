import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmark.advise.clause import Clause
from benchmark.advise.explain import Explanation
from benchmark.advise.recommend import Recommendation
from benchmark.judge.classification import Accuracy, Paired
from benchmark.judge.drop import paired_drop
from benchmark.judge.limits import Limits
from benchmark.judge.metrics import Measure
from benchmark.judge.rows import Result
from benchmark.judge.scores import Scores
from benchmark.judge.verdict import Verdict
from benchmark.measure.conditions import Conditions
from benchmark.measure.latency import Latency, Round, WarmUp, summarize
from benchmark.measure.variants import Variant
from benchmark.report.terminal import render
from benchmark.results.file import Benchmark
from export.verify.distance import Distance
from tests.examples import MANIFEST
from train.common.environment import read_environment

OVERALL = Paired(total=10_000, correct=9_012, lost=30, gained=20)
MEASURE = Measure(output="probabilities", source_value=0.9022)
SCORES = Scores(
    kind="classes",
    metric="accuracy",
    figures={"accuracy": 0.9012, "source_accuracy": 0.9022},
    drop=paired_drop(30, 20, 10_000),
)
CONDITIONS = Conditions(
    seconds=9,
    steal_share=0.2,
    other_load=0,
    throttled=None,
    governors=(),
    probe_spread=1.0,
)


def latency(p50: float, *, moody: bool = False, quiet: int = 10) -> Latency:
    warmed = WarmUp(calls=9, stable=True)
    speeds = [p50 * (1.5 if moody and number % 3 == 0 else 1) for number in range(10)]
    rounds = [
        Round(durations_ns=np.full(50, round(speed * 1e3)), warm_up=warmed, quiet=number < quiet)
        for number, speed in enumerate(speeds)
    ]
    return summarize(rounds, timer_ns=60, reference=None, quiet_only=False)


def variant(
    name: str, runtime: str = "litert", mode: str | None = "xnnpack", threads: int = 1
) -> Variant:
    return Variant(
        format=name,
        runtime=runtime,
        mode=mode,
        threads=threads,
        manifest=MANIFEST,
        path=Path("fake"),
    )


def result(
    of: Variant,
    *,
    size: int,
    timed: Latency,
    verdict: Verdict,
    reasons: tuple[str, ...] = (),
) -> Result:
    return Result(
        variant=of,
        size_bytes=size,
        gzip_bytes=size // 2,
        accuracy=Accuracy(
            overall=OVERALL, classes={0: OVERALL}, agreeing=9_876, ece=None, source_ece=None
        ),
        distance=Distance(
            finite=1,
            agreement=0.9876,
            accuracy_drop=0.001,
            accuracy=0.9012,
            max_abs_error=0,
            span=1,
            snr_db=30,
            centred_snr_db=29,
            cosine=1,
        ),
        scores=SCORES,
        latency=timed,
        verdict=verdict,
        reasons=reasons,
    )


BENCHMARK = Benchmark(
    results=(
        result(variant("tflite-int8"), size=344_100, timed=latency(3.21), verdict="pass"),
        result(variant("tflite-dynamic"), size=340_000, timed=latency(5.0), verdict="pass"),
        result(
            variant("tflite-int8-pruned-clustered"),
            size=1_234_567,
            timed=latency(1234.5),
            verdict="inconclusive",
            reasons=("too few images",),
        ),
        result(
            variant("onnx-int8", "onnxruntime", "all"),
            size=1_000,
            timed=latency(1.0),
            verdict="fail",
            reasons=("too [bad]",),
        ),
        Result(
            variant=variant("mine", runtime="", mode=None), verdict="error", reasons=("it broke",)
        ),
    ),
    measure=MEASURE,
    limits=Limits(baseline=0.886, tolerance=0.01),
    source_accuracy=0.9022,
    total=10_000,
    conditions=CONDITIONS,
    recommendation=Recommendation(
        name="tflite-int8",
        format="tflite-int8",
        objective="latency",
        reason="the fastest",
        limits={},
        pareto=("tflite-int8", "tflite-dynamic"),
    ),
)


def shown(benchmark: Benchmark = BENCHMARK) -> str:
    text = io.StringIO()
    console = Console(file=text, width=80)
    render(benchmark, read_environment(), console)
    return text.getvalue()


def row(text: str, name: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.split()[:1] == [name])
    return line.split()


def test_an_emulated_machines_times_are_marked_and_recommend_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "emulated" not in shown()
    monkeypatch.setenv("EDGE_EXPORT_EMULATED", "1")
    text = " ".join(shown(replace(BENCHMARK, recommendation=None)).split())
    assert "emulated: every time is the emulator's" in text
    assert "So there is no recommendation." in text
    assert "no export passes" not in text


def test_rows_hold_the_figures() -> None:
    assert row(shown(), "tflite-int8") == [
        *("tflite-int8", "344", "172", "90.12", "-0.04…0.25", "98.8", "3.2", "3.2"),
        "pass*†",
    ]
    assert row(shown(), "tflite-int8-pruned-clustered")[-2:] == ["1.2k", "inconcl."]


def test_what_was_not_measured_is_a_dash() -> None:
    assert row(shown(), "mine") == ["mine", *["–"] * 7, "error"]


def test_the_recommended_row_and_the_pareto_set_are_marked() -> None:
    assert row(shown(), "tflite-int8")[-1] == "pass*†"
    assert row(shown(), "tflite-dynamic")[-1] == "pass†"
    assert row(shown(), "onnx-int8")[-1] == "fail"
    flat = " ".join(shown().split())
    assert "* recommended for this machine, by latency: tflite-int8, the fastest. " in flat
    assert "† Pareto set: tflite-int8, tflite-dynamic: no other export" in flat


def test_where_nothing_passes_nothing_is_recommended() -> None:
    text = shown(replace(BENCHMARK, recommendation=None))
    assert "recommended for this machine: none, no export passes" in text
    assert row(text, "tflite-int8")[-1] == "pass"


def test_explanations_follow_their_rows_name() -> None:
    assert "as expected" not in shown()
    slow, large = (
        Explanation(row="tflite-int8", finding=Clause(finding), causes=(Clause("[why]"),))
        for finding in ("2 × slower", "larger")
    )
    text = shown(replace(BENCHMARK, explanations=(slow, large)))
    assert "Not as expected:" in text
    assert "tflite-int8: 2 × slower: [why]" in text
    assert "tflite-int8: larger: [why]" in text


def test_reasons_are_shown_as_they_are() -> None:
    assert "onnx-int8: fail: too [bad]" in shown()
    assert "mine: error: it broke" in shown()
    assert "pruned-clustered: inconclusive: too few images" in shown()


def test_the_table_fits_80_columns_without_cutting() -> None:
    table = shown().split("10,000 test images")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert table.count("…") == 4  # of the four intervals
    legend = " ".join(shown().split())
    assert "accuracy is 90.22%, the baseline 88.60%, the tolerance 1.00 points" in legend
    assert "includes 60 ns of reading the clock" in legend


def test_settings_that_are_not_the_default_are_in_the_rows_name() -> None:
    timed = latency(3.0)
    rows = (
        result(variant("tflite-int8", threads=2), size=1, timed=timed, verdict="pass"),
        result(variant("tflite-int8", mode="builtin"), size=1, timed=timed, verdict="pass"),
    )
    text = shown(replace(BENCHMARK, results=rows))
    assert "tflite-int8 2 threads" in text
    assert "tflite-int8 builtin" in text


def test_an_unstable_run_says_so_and_why() -> None:
    assert "unstable" not in shown()
    rows = (
        result(variant("tflite-int8"), size=1, timed=latency(3.0, moody=True), verdict="pass"),
        result(variant("onnx-int8"), size=1, timed=latency(30.0, moody=True), verdict="pass"),
    )
    text = shown(replace(BENCHMARK, results=rows))
    assert row(text, "tflite-int8")[6] == "~3.0"
    assert row(text, "onnx-int8")[6] == "~30"
    flat = " ".join(text.split())
    assert "differ by up to 50%; other load: the hypervisor took 20% of the time" in flat


@pytest.mark.parametrize(("quiet", "words"), [(6, "they are left out"), (3, "too few are left")])
def test_disturbed_slices_are_counted(quiet: int, words: str) -> None:
    rows = (result(variant("a"), size=1, timed=latency(3.0, quiet=quiet), verdict="pass"),)
    flat = " ".join(shown(replace(BENCHMARK, results=rows)).split())
    assert f"In {10 - quiet} of 10 slices" in flat
    assert words in flat


def test_throughput_says_how_it_was_measured() -> None:
    batched = {"batch": 64, "images_per_second": 123_456.7, "calls": "batched"}
    single = {**batched, "calls": "one by one"}
    rows = tuple(
        replace(result(variant(name), size=1, timed=latency(3.0), verdict="pass"), throughput=found)
        for name, found in (("a", batched), ("b", single))
    )
    text = shown(replace(BENCHMARK, results=rows))
    assert "a: 123,457 images/s in batches of 64" in text
    assert "b: 123,457 images/s one by one, its batch is fixed" in text


def test_without_labels_there_is_no_accuracy() -> None:
    rows = (replace(BENCHMARK.results[0], accuracy=None),)
    unlabelled = Measure(output="probabilities", kind="outputs", metric="r2")
    text = shown(replace(BENCHMARK, results=rows, source_accuracy=None, measure=unlabelled))
    assert row(text, "tflite-int8")[3:6] == ["–", "–", "98.8"]
    assert "no labels: judged by outputs" in text
