"""What the terminal says of a run: the table, and what matters of it."""

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from benchmark.measure.conditions import Conditions
from benchmark.report.terminal.summary import render
from benchmark.results.row import Row, Throughput
from benchmark.results.run import Run
from tests.benchmark.report.contents import EMULATED, EXTREMES, VARIED, content_of, measured, read

RUN = read(VARIED)
LONG = "tflite-int8-pruned-clustered"
CONDITIONS = Conditions(
    seconds=9,
    steal_share=0.2,
    other_load=0,
    throttled=None,
    governors=(),
    probe_spread=1.0,
)


def shown(run: Run = RUN, *, width: int = 80, **options: Any) -> str:
    text = io.StringIO()
    console = Console(file=text, width=width, force_terminal=True, color_system=None)
    render(run, console, **options)
    return text.getvalue()


def flat(text: str) -> str:
    return " ".join(text.split())


def cells(text: str, name: str) -> list[str]:
    return next(line for line in text.splitlines() if line.split()[:1] == [name]).split()


def with_row(run: Run = RUN, **changes: Any) -> Run:
    """A run whose first row is changed."""
    return replace(run, results=(replace(run.results[0], **changes), *run.results[1:]))


def unstable(row: Row, spread: float = 0.5) -> Row:
    assert row.latency_us is not None
    return replace(row, latency_us=replace(row.latency_us, spread=spread))


def test_rows_hold_the_figures() -> None:
    assert cells(shown(), "tflite-int4") == [
        *("tflite-int4", "25", "12", "93.33", "+1.67", "±6.65", "98.3", "2.1", "2.4", "pass†")
    ]
    assert cells(shown(), "=HYPERLINK(1)")[1:] == [*["–"] * 7, "error"]
    assert cells(shown(), "tflite-int8")[-1] == "pass*†"
    assert cells(shown(), "onnx-dynamic")[-1] == "fail"


def test_a_gain_is_a_negative_drop() -> None:
    assert cells(shown(), "onnx-int8")[4] == "-1.67"
    assert "drop: points of accuracy lost, + is worse" in flat(shown())


def test_after_the_table_come_the_reasons_and_at_most_eight_lines() -> None:
    run = replace(
        RUN, results=tuple(unstable(row) if row.latency_us else row for row in RUN.results)
    )
    run = with_row(run, explanations=("4 × slower",))
    after = shown(run).splitlines()[2 + len(run.results) :]
    reasons = [line for line in after if ": fail: " in line or ": error: " in line]
    assert len(reasons) == 2
    lines = after[after.index(reasons[-1]) + 1 :]
    assert lines[0] == "60 test images; Keras 95.00%; limits: drop 1.00 points, accuracy 89.00%."
    assert lines[1].startswith("* Take tflite-int8, the fastest of 4 within the limits: 2.0 µs, ")
    assert len(lines) <= 7  # and one for the page
    assert max(map(len, after)) <= 80


def test_what_does_not_pass_says_why_as_it_is() -> None:
    text = flat(shown())
    assert "onnx-dynamic: fail: accuracy 65.00% | is <b>below</b> 89.00%" in text
    assert "=HYPERLINK(1): error: <script>" in text
    hostile = with_row(verdict="fail", reasons=("too [bad]",))
    assert "tflite-float32: fail: too [bad]" in shown(hostile)


def test_of_many_reasons_the_first_are_said_and_what_certainly_fails_comes_first() -> None:
    reasons = tuple(f"reason {number}" for number in range(9))
    run = with_row(verdict="inconclusive", reasons=reasons)
    text = flat(shown(run))
    assert text.index("=HYPERLINK(1): error: ") < text.index("tflite-float32: inconclusive: ")
    assert "reason 1" in text
    assert "reason 2" not in text
    assert "7 more reasons: --explain, or the page." in text
    assert "reason 8" in flat(shown(run, explain=True))


def test_where_nothing_passes_nothing_is_recommended() -> None:
    text = shown(read(content_of(measured("a", verdict="fail", reasons=("no",)))))
    assert "recommended for this machine: none, no export passes" in text
    assert cells(text, "a")[-1] == "fail"


def test_an_emulated_machines_times_are_marked_and_recommend_nothing() -> None:
    assert "emulated" not in shown()
    text = flat(shown(read(EMULATED)))
    assert "emulated: every time is the emulator's" in text
    assert "So there is no recommendation." in text
    assert "no export passes" not in text


def test_why_a_row_is_slow_is_said_when_asked_for() -> None:
    assert "slower or larger" not in shown()
    sentences = ("tflite-float32: 2 × slower: [why]", "tflite-float32: larger")
    run = replace(with_row(explanations=("2 × slower: [why]", "larger")), explanations=sentences)
    hint = "1 row is slower, larger or no better than expected: --explain says why."
    assert hint in flat(shown(run))
    assert "[why]" not in shown(run)
    text = flat(shown(run, explain=True))
    assert hint not in text
    assert "tflite-float32: 2 × slower: [why]" in text
    assert "tflite-float32: larger" in text


def test_all_that_is_known_of_the_run_is_said_when_asked_for() -> None:
    text = flat(shown(explain=True))
    assert "† Pareto set: tflite-int8, tflite-int4, onnx-int8: no other export" in text
    assert "The runner-up, tflite-int4, would be" in text
    assert "each time includes 50 ns of reading it" in text
    assert "a call that computes nothing: LiteRT 1.0 µs, ONNX Runtime 5.0 µs" in text
    assert RUN.environment.cpu in text
    assert "kB: size of the file" in text


@pytest.mark.parametrize("width", [80, 140])
def test_the_table_fits_80_columns_without_cutting(width: int) -> None:
    run = with_row(name=LONG, size_bytes=1_234_567, verdict="inconclusive", reasons=("few",))
    run = replace(run, results=(unstable(run.results[0]), *run.results[1:]))
    table = shown(run, width=width).split("HYPERLINK")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert cells(table, LONG)[1] == "1235"
    assert cells(table, LONG)[-1] == "inconcl"


@pytest.mark.parametrize("width", [40, 60])
def test_in_a_narrow_terminal_the_names_give_way(width: int) -> None:
    assert "+1.67 ±6.65" in shown(width=max(width, 60))
    assert max(map(len, shown(width=width).splitlines())) <= max(width, 56)


def test_an_unstable_run_says_so_and_on_request_why() -> None:
    assert "~" not in shown()
    rows = tuple(unstable(row) if row.latency_us else row for row in RUN.results)
    run = replace(RUN, results=rows, conditions=CONDITIONS)
    assert cells(shown(run), "tflite-int8")[7] == "~2.0"
    assert "~ rounds differ, by up to 50%" in shown(run)
    text = flat(shown(run, explain=True))
    assert "by up to 50%: other load: the hypervisor took 20% of the time" in text


@pytest.mark.parametrize(("quiet", "words"), [(6, "they are left out"), (3, "too few are left")])
def test_disturbed_slices_are_counted(quiet: int, words: str) -> None:
    run = read(content_of(measured("a")))
    latency = run.results[0].latency_us
    assert latency is not None
    text = flat(shown(with_row(run, latency_us=replace(latency, quiet_rounds=quiet)), explain=True))
    assert f"in {8 - quiet} of 8 slices" in text
    assert words in text


def test_throughput_says_how_it_was_measured() -> None:
    batched = Throughput(batch=64, images_per_second=123_456.7, calls="batched")
    assert "tflite-float32: 123,457 images/s in batches of 64" in shown(
        with_row(throughput=batched)
    )
    single = replace(batched, calls="one by one")
    assert "123,457 images/s one by one, its batch is fixed" in shown(with_row(throughput=single))
    failed = Throughput(error="it broke")
    assert "tflite-float32: no throughput: it broke" in shown(with_row(throughput=failed))


def test_without_labels_there_is_no_accuracy() -> None:
    text = shown(read(EXTREMES["no labels"]))
    assert cells(text, "a")[3:6] == ["–", "–", "98.3"]
    assert "60 test images; no labels: judged by outputs." in text


@pytest.mark.parametrize("name", EXTREMES)
def test_extremes_are_shown_too(name: str) -> None:
    text = shown(read(EXTREMES[name]), explain=True, details=True)
    assert "None" not in text
    assert "nan" not in text
