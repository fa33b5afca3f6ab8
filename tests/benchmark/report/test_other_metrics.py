"""What reports say of models that tell no classes, and of those with several outputs."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from benchmark.advise.candidates import quality_of
from benchmark.advise.recommend import recommend
from benchmark.config import BenchmarkConfig
from benchmark.judge.rows import Result
from benchmark.judge.task import Task
from benchmark.measure.settings import MeasureSettings
from benchmark.report.page.charts.plot import FRAME, accuracy_plot
from benchmark.report.page.html import page_html
from benchmark.report.tables import csv_text, markdown_text
from benchmark.report.terminal.comparison import render_changes
from benchmark.report.terminal.machines import render_machines
from benchmark.report.terminal.summary import render
from benchmark.results.compare import find_changes
from benchmark.results.file import Benchmark
from benchmark.results.merge import read_machines
from benchmark.results.read import read_run
from tests.benchmark.measure.raw import LIMITS, Outputs, concluded, reference_of, tasks
from tests.benchmark.report.contents import read
from tests.benchmark.results.test_schema import DOCUMENTED, keys
from train.common.environment import read_environment
from train.common.errors import ArtifactError

RANDOM = np.random.default_rng(2)
TRUTH = RANDOM.normal(size=(500, 2)).astype(np.float32)
SOURCE = TRUTH + RANDOM.normal(size=TRUTH.shape).astype(np.float32) / 4
LABELS = RANDOM.integers(0, 3, 500)
CLASSES = (6 * np.eye(3)[LABELS] + RANDOM.normal(size=(500, 3))).astype(np.float32)
FORMATS = {"tflite-float32": 0.001, "tflite-int8": 0.02, "tflite-int4": 0.3}


class Run:
    """A run of three exports, each with more noise than the one before."""

    def __init__(self, folder: Path, of_outputs: tuple[Task, ...], outputs: Outputs) -> None:
        noise = np.random.default_rng(1)
        self.rows: list[Result] = []
        for size, (name, amount) in enumerate(FORMATS.items(), start=1):
            noisy = {
                key: (values + amount * noise.normal(size=values.shape)).astype(np.float32)
                for key, values in outputs.items()
            }
            row = concluded(folder, of_outputs, noisy)
            variant = replace(row.variant, format=name)
            self.rows.append(replace(row, variant=variant, size_bytes=100_000 // size))
        main = of_outputs[0]
        config = BenchmarkConfig(
            artifacts=folder,
            data=None,
            formats=None,
            limits=LIMITS,
            measure=MeasureSettings(samples=1000, rounds=6, launches=1, max_seconds=1.0),
        )
        benchmark = Benchmark(
            created=datetime(2026, 11, 24, tzinfo=UTC),
            environment=read_environment(),
            settings=config.settings(),
            limits=LIMITS,
            reference=reference_of(outputs),
            task=main,
            examples="examples",
            results=tuple(self.rows),
            conditions=None,
            recommendation=recommend(self.rows, quality_of(main), "latency", {}),
        )
        self.content: dict[str, Any] = json.loads(
            json.dumps(benchmark.as_json(), default=lambda array: array.tolist())
        )

    def terminal(self) -> str:
        text = io.StringIO()
        console = Console(file=text, width=100)
        render(read(self.content), console, explain=True, details=True)
        return text.getvalue()

    def written(self, path: Path) -> Path:
        path.write_text(json.dumps(self.content), encoding="utf-8")
        return path


@pytest.fixture
def values(tmp_path: Path) -> Run:
    return Run(tmp_path, tasks({"y": SOURCE}, {"y": TRUTH}), {"y": SOURCE})


@pytest.fixture
def errors(tmp_path: Path) -> Run:
    return Run(tmp_path, tasks({"y": SOURCE}, {"y": TRUTH}, metric="mae"), {"y": SOURCE})


@pytest.fixture
def two(tmp_path: Path) -> Run:
    outputs: Outputs = {"c": CLASSES, "y": SOURCE}
    targets: Outputs = {"c": LABELS, "y": TRUTH}
    return Run(tmp_path, tasks(outputs, targets), outputs)


def test_the_terminal_speaks_of_the_metric_and_never_of_images(values: Run) -> None:
    text = values.terminal()
    flat = " ".join(text.split())
    source = values.content["measure"]["source_value"]
    assert source is not None
    assert text.split()[:7] == ["format", "kB", "gzip", "R²", "drop", "±95%", "SNR"]
    assert f"500 test examples; Keras R² {source:.4f}; limit: drop 1.00 points." in flat
    assert "points (0.01 each) of R² lost against the Keras model" in flat
    assert "SNR dB: centred SNR" in flat
    centred = values.content["results"][0]["distance"]["variation_db"]
    assert f"{centred:.1f}" in text
    for word in ("image", "acc %", "agree", "baseline", "ECE", "None", "nan"):
        assert word not in flat, word


def test_an_error_is_shown_as_it_is_and_its_drop_in_percent(errors: Run) -> None:
    flat = " ".join(errors.terminal().split())
    assert "limit: drop 1.00 %." in flat
    assert "% by which the MAE is larger than the Keras model's, 95 % interval" in flat
    measured = errors.content["results"][2]["scores"]["value"]
    assert f"{measured:.4g}" in flat


def test_the_recommendation_is_by_the_metric(values: Run, errors: Run) -> None:
    found = values.content["recommendation"]
    # of the same latency the smallest that passes
    assert found["name"] == "tflite-int8"
    assert "R² 0.9" in found["reason"]
    assert "% accurate" not in found["reason"]
    assert "MAE 0." in errors.content["recommendation"]["reason"]


def test_csv_and_markdown(values: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(read(values.content)))))
    assert [row["metric"] for row in rows] == ["r2"] * 3
    assert float(rows[0]["metric_value"]) == values.content["results"][0]["scores"]["value"]
    assert rows[0]["accuracy_share"] == ""
    text = markdown_text(read(values.content))
    assert "| format | kB | gzip | R² | drop ±95% | SNR dB |" in text
    assert "image" not in text
    assert "drop of the R² against the Keras model at most 1.00 points" in text


def test_the_page_has_no_classes_and_no_flips(values: Run) -> None:
    html = page_html(read(values.content), None)
    assert "<h2>R², latency and size</h2>" in html
    assert "R² over the test examples" in html
    for word in ("Accuracy by class", 'id="flips"', "change class", "None", "baseline"):
        assert word not in html, word
    text = html.partition("<main>")[2]
    assert "image" not in text.replace("test_images", "")


def test_where_less_is_better_less_is_up(values: Run, errors: Run) -> None:
    for run in (values, errors):
        plot = accuracy_plot(read(run.content))
        assert plot is not None
        at = {bubble.name: bubble.y for bubble in plot.bubbles}
        assert at["tflite-float32"] < at["tflite-int8"] < at["tflite-int4"]  # 0 is on top
        assert all(FRAME.top <= y <= FRAME.bottom for y in at.values())
        assert [text.partition(" ")[0] for _, text, _ in plot.lines] == ["Keras"]


def test_what_is_written_is_documented(values: Run, errors: Run, two: Run) -> None:
    for run in (values, errors, two):
        assert set(keys(run.content)) <= set(DOCUMENTED)
    assert "results[].outputs.*.verdict" in set(keys(two.content))


def test_other_outputs_have_a_table_of_their_own(two: Run) -> None:
    text = two.terminal()
    assert "The table is of output c; the others:" in text
    lines = [line.split() for line in text.splitlines() if " y " in line and " R² " in line]
    assert [line[0] for line in lines] == list(FORMATS)
    assert [line[-1] for line in lines] == ["pass", "pass", "fail"]
    markdown = markdown_text(read(two.content))
    assert "| format | output | metric | value | Keras | drop 95 % | verdict |" in markdown
    assert "| tflite-int4 | y | R² |" in markdown
    low, high = two.content["results"][2]["outputs"]["y"]["scores"]["drop_ci95"]
    assert f"| {100 * low:.2f}…{100 * high:.2f} | fail |" in markdown
    html = page_html(read(two.content), None)
    table = html.partition('id="others"')[2].partition("</table>")[0]
    assert table.count("<tr>") == 4
    assert 'class="left verdict fail"' in table
    rows = list(csv.DictReader(io.StringIO(csv_text(read(two.content)))))
    assert [row["output_y_verdict"] for row in rows] == ["pass", "pass", "fail"]


def test_unlabelled_outputs_that_tell_no_classes(tmp_path: Path) -> None:
    run = Run(tmp_path, tasks({"y": SOURCE}, {}), {"y": SOURCE})
    flat = " ".join(run.terminal().split())
    assert "no labels: judged by outputs" in flat
    assert read(run.content).measure.kind == "outputs"
    html = page_html(read(run.content), None)
    assert "R² of the Keras model&#39;s outputs" in html or "R² of the Keras model's" in html
    assert "None" not in html


def test_runs_of_another_metric_are_compared_without_a_test(
    values: Run, errors: Run, tmp_path: Path
) -> None:
    old = read_run(values.written(tmp_path / "old.json"))
    values.content["results"][1]["scores"]["value"] -= 0.01
    new = read_run(values.written(tmp_path / "new.json"))
    changes = find_changes(old, new)
    assert [row.kinds for row in changes.rows] == [(), ("other value",), ()]
    text = io.StringIO()
    render_changes(changes, Console(file=text, width=100))
    assert "-1.00 points" in text.getvalue()
    assert "The same R² in the other 2 rows." in text.getvalue()
    other = read_run(errors.written(tmp_path / "errors.json"))
    errors.content["results"][1]["scores"]["value"] *= 1.25
    grown = read_run(errors.written(tmp_path / "grown.json"))
    render_changes(find_changes(other, grown), Console(file=text, width=100))
    assert "+25.00%" in text.getvalue()
    assert all(row.values is None for row in find_changes(old, other).rows)


def test_machines_are_merged_by_their_metric(values: Run, errors: Run, tmp_path: Path) -> None:
    paths = [values.written(tmp_path / name) for name in ("a.json", "b.json")]
    text = io.StringIO()
    render_machines(read_machines(paths), Console(file=text, width=100))
    shown = text.getvalue()
    assert shown.split()[:2] == ["format", "R²"]
    assert "≠A" not in shown
    assert "image" not in shown
    other = errors.written(tmp_path / "errors.json")
    with pytest.raises(ArtifactError, match="judged by another metric than"):
        read_machines([paths[0], other])
