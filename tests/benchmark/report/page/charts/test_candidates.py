"""The picture of a search for limits."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.report.page.charts.candidates import FRAME, candidates_picture
from train.common.candidates import Candidate, Candidates, read_candidates
from train.common.errors import ArtifactError


def network(flash: float, accuracy: float, epochs: int = 3) -> Candidate:
    return Candidate(costs={"flash": flash}, validation_accuracy=accuracy, epochs=epochs)


FOUND = Candidates(
    axis="flash",
    most=9_000,
    least=0.9,
    trials=(network(8_000, 0.88), network(5_000, 0.86), network(6_000, 0.85)),
    in_full=(network(8_000, 0.91, 30), network(5_000, 0.895, 30)),
    not_trained=(12_000, 90_000),
)


def test_the_answer_is_above_all_and_left_of_the_limit() -> None:
    picture = candidates_picture(FOUND)
    assert picture is not None
    assert [dot.kind for dot in picture.dots] == ["short"] * 3 + ["full", "answer"]
    answer = picture.dots[-1]
    assert answer.y == min(dot.y for dot in picture.dots)
    assert picture.limit is not None
    assert answer.x < picture.limit
    assert picture.least is not None
    assert answer.y < picture.least
    assert "91.00 %" in answer.title
    assert all(FRAME.left <= dot.x <= FRAME.right for dot in picture.dots)


def test_the_front_rises_with_the_cost() -> None:
    picture = candidates_picture(FOUND)
    assert picture is not None
    heights = [float(point.split(",")[1]) for point in picture.front.split()]
    assert heights == sorted(heights, reverse=True)


def test_what_is_far_beyond_the_limit_is_left_out() -> None:
    picture = candidates_picture(FOUND)
    assert picture is not None
    assert len(picture.untrained) == 1


def test_without_a_search_there_is_no_picture() -> None:
    assert candidates_picture(None) is None
    assert candidates_picture(replace(FOUND, trials=())) is None


def test_the_record_of_a_search_is_read(tmp_path: Path) -> None:
    assert read_candidates(tmp_path) is None
    trial = {"costs": {"flash": 8_000}, "validation_accuracy": 0.9, "epochs": 3, "network": {}}
    limits = {
        "axis": "flash",
        "request": {"limits": {"most": {"flash": 9_000}, "accuracy": None}},
        "trials": [trial],
        "in_full": [trial],
        "not_trained": [None, 99],
    }
    record = tmp_path / "model.json"
    record.write_text(json.dumps({"schema_version": 1, "limits": limits}))
    found = read_candidates(tmp_path)
    assert found is not None
    assert (found.most, found.least, found.not_trained) == (9_000, None, (99,))
    limits["trials"] = [{**trial, "validation_accuracy": 2}]
    record.write_text(json.dumps({"schema_version": 1, "limits": limits}))
    with pytest.raises(ArtifactError, match="validation_accuracy"):
        read_candidates(tmp_path)
