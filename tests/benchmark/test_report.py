import io

import pytest
from rich.console import Console

from benchmark.accuracy import Accuracy
from benchmark.gate import Gate, Verdict
from benchmark.latency import Latency
from benchmark.pipeline import Benchmark, Result
from benchmark.report import render
from train.environment import read_environment


def result(
    name: str, *, size: int, p50: float, verdict: Verdict, reasons: tuple[str, ...] = ()
) -> Result:
    return Result(
        format=name,
        runtime="litert",
        threads=1,
        size_bytes=size,
        gzip_bytes=size // 2,
        accuracy=Accuracy(
            correct=9012,
            total=10_000,
            finite=True,
            drop_vs_source=0.001,
            drop_ci95=(0.0, 0.002),
            agreement=0.9876,
        ),
        latency=Latency(samples=1_000, p50=p50, p90=p50 * 2, p99=None, mean=p50, min=1, max=99),
        verdict=verdict,
        reasons=reasons,
    )


@pytest.fixture
def shown() -> str:
    benchmark = Benchmark(
        results=(
            result("tflite-int8", size=344_100, p50=3.21, verdict="pass"),
            result("tflite-dynamic", size=340_000, p50=5.0, verdict="pass"),
            result("tflite-int8-pruned-clustered", size=1_234_567, p50=1234.5, verdict="pass"),
            result("onnx-int8", size=1_000, p50=1.0, verdict="fail", reasons=("too [bad]",)),
            Result(format="mine", threads=1, verdict="error", reasons=("it broke",)),
        ),
        source_accuracy=0.9022,
        total=10_000,
    )
    text = io.StringIO()
    console = Console(file=text, width=80)
    render(benchmark, Gate(baseline=0.886, tolerance=0.01), read_environment(), console)
    return text.getvalue()


def row(shown: str, name: str) -> list[str]:
    (line,) = (line for line in shown.splitlines() if line.split()[:1] == [name])
    return line.split()


def test_rows_hold_the_figures(shown: str) -> None:
    assert row(shown, "tflite-int8") == [
        *("tflite-int8", "344", "172", "90.12", "+1.52", "98.8", "3.2", "6.4", "–"),
        "pass*",
    ]
    assert row(shown, "mine") == ["mine", *["–"] * 8, "error"]


def test_only_passing_rows_are_fastest_or_smallest(shown: str) -> None:
    assert row(shown, "tflite-dynamic")[-1] == "pass†"
    assert row(shown, "onnx-int8")[-1] == "fail"
    assert "* fastest passing: tflite-int8" in shown
    assert "† smallest passing: tflite-dynamic" in shown


def test_reasons_are_shown_as_they_are(shown: str) -> None:
    assert "onnx-int8: fail: too [bad]" in shown
    assert "mine: error: it broke" in shown


def test_the_table_fits_80_columns_without_cutting(shown: str) -> None:
    table = shown.split("10,000 test images")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert "…" not in table
    assert "whose accuracy is 90.22%" in " ".join(shown.split())
