import csv
import io

import pytest

from benchmark.report.tables import csv_text, escaped, markdown_text
from tests.benchmark.report.contents import EMULATED, EXTREMES, VARIED, content_of, measured, read


def test_the_csv_holds_every_row_in_full_precision() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(read(VARIED)))))
    assert len(rows) == len(VARIED["results"])
    row, source = rows[1], VARIED["results"][1]
    assert float(row["latency_p50_us"]) == source["latency_us"]["p50"]
    assert float(row["accuracy_ci95_share_low"]) == source["accuracy_ci95"][0]
    assert float(row["drop_ci95_share_high"]) == source["drop_ci95"][1]
    assert int(row["size_bytes"]) == source["size_bytes"]
    assert row["latency_p999_us"] == ""  # 350 samples do not carry it


def test_what_was_not_measured_is_empty_in_the_csv() -> None:
    row = list(csv.DictReader(io.StringIO(csv_text(read(VARIED)))))[-1]
    assert row["verdict"] == "error"
    assert {row["accuracy_share"], row["latency_p50_us"], row["snr_db"], row["load_ms"]} == {""}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum", "\t=1"])
def test_no_cell_of_the_csv_is_a_formula(name: str) -> None:
    content = content_of(measured(name, verdict="fail", reasons=(name,)))
    (row,) = csv.DictReader(io.StringIO(csv_text(read(content))))
    cell = " =1" if name == "\t=1" else f"'{name}"  # a tab is a space as soon as it is read
    assert row["name"] == row["format"] == row["reasons"] == cell


def test_a_negative_figure_stays_a_number_in_the_csv() -> None:
    (row,) = csv.DictReader(io.StringIO(csv_text(read(content_of(measured("a", flips={57: 0}))))))
    assert float(row["drop_vs_source_share"]) == pytest.approx(-1 / 60)


def test_the_markdown_table_is_whole_whatever_the_names() -> None:
    content = content_of(measured("a|b\n<i>"), measured("tflite-int8"))
    table = [line for line in markdown_text(read(content)).splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in table} == {10}
    assert table[2].startswith(r"| a\|b \<i\> | 50 | 25 | 95.00 |")


def test_the_markdown_gives_reasons_and_a_legend() -> None:
    text = markdown_text(read(VARIED))
    assert r"- onnx-dynamic: fail: accuracy 65.00% \| is \<b\>below\</b\> 89.00%" in text
    assert "- p50: median time for one image, µs" in text
    assert "- limits: baseline 90.00%, tolerance 1.00 points" in text


def test_a_recommendation_and_explanations_are_in_the_markdown() -> None:
    content = content_of(measured("a"))
    content["recommendation"] |= {"name": "a", "reason": "It is *all*.", "runner_up": None}
    content["explanations"] = ["a: it is a|lone"]
    content["results"][0]["explanations"] = ["it is a|lone"]
    assert "**a**: It is \\*all\\*." in markdown_text(read(content))
    assert r"- a: it is a\|lone" in markdown_text(read(content))
    assert "it is a|lone" in csv_text(read(content))


@pytest.mark.parametrize("name", EXTREMES)
def test_extremes_are_tables_too(name: str) -> None:
    content = EXTREMES[name]
    assert len(csv_text(read(content)).splitlines()) == len(content["results"]) + 1
    assert markdown_text(read(content)).count("\n| ") == len(content["results"]) + 1


def test_an_empty_text_is_a_dash() -> None:
    assert escaped(" \n") == "–"


def test_an_emulated_machines_times_are_marked() -> None:
    assert "emulated" not in markdown_text(read(VARIED))
    text = markdown_text(read(EMULATED))
    assert text.splitlines()[2].startswith("**emulated: every time is the emulator's")
    for content, said in ((VARIED, "False"), (EMULATED, "True")):
        rows = csv.DictReader(io.StringIO(csv_text(read(content))))
        assert {row["emulated"] for row in rows} == {said}


def test_results_from_before_the_mark_are_of_a_real_machine() -> None:
    environment = {name: v for name, v in VARIED["environment"].items() if name != "emulated"}
    assert "emulated" not in markdown_text(read({**VARIED, "environment": environment}))
