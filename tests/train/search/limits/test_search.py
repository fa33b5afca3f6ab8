"""The search for limits on synthetic pictures, with networks that are weighed by `export`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Heard, synthetic
from train.common.errors import ToolkitError
from train.config import NO_TEACHER, FitRequest, TrainConfig
from train.data.fashion_mnist import LabelledImages
from train.data.fit_data import FitData
from train.limits import Limits
from train.search.limits.board import with_board
from train.search.limits.search import Answer, find
from train.search.limits.teacher.fitted import Teacher, keep, of_every_view, read

pytestmark = pytest.mark.slow  # it trains and converts with TensorFlow


@pytest.fixture(scope="module")
def data() -> FitData:
    train, validation = synthetic(400, seed=1), synthetic(100, seed=2)
    return FitData.of(
        LabelledImages(images=train.images, labels=train.labels.astype(np.uint8)),
        LabelledImages(images=validation.images, labels=validation.labels.astype(np.uint8)),
    )


def request(limits: Limits) -> FitRequest:
    return FitRequest(limits=limits, format="tflite-int8", teacher=NO_TEACHER, minutes=5)


def config(folder: Path, asked: FitRequest) -> TrainConfig:
    return TrainConfig(
        artifacts=folder, tuner="random", trials=2, search_epochs=1, epochs=2, request=asked
    )


FLASH = request(Limits(most={"flash": 8_000}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("limits")


@pytest.fixture(scope="module")
def found(data: FitData, folder: Path) -> tuple[Answer, Sequence[str]]:
    report = Heard()
    return find(config(folder, FLASH), FLASH, data, report, data_sha256="d"), report.steps


def test_what_is_fitted_fits(found: tuple[Answer, Sequence[str]]) -> None:
    answer, _ = found
    assert len(answer.trials) == 2
    assert all(0 < trial.costs["flash"] <= 8_000 for trial in answer.trials)
    assert answer.costs == answer.in_full[0].trial.costs
    assert answer.final.accuracy == answer.in_full[0].accuracy


def test_the_record_has_every_network_and_its_cost(found: tuple[Answer, Sequence[str]]) -> None:
    # of which networks are weighed, how fast the machine is decides too
    record = replace(found[0], others=[*found[0].others, {"flash": 9_000}]).as_json(FLASH)
    assert record["axis"] == "flash"
    assert [trial["epochs"] for trial in record["trials"]] == [1, 1]
    assert record["in_full"][0]["epochs"] == 2
    assert record["not_trained"][-1] == 9_000
    assert all(cost > 0 for cost in record["not_trained"])


def test_costs_are_shown_beside_the_limits(found: tuple[Answer, Sequence[str]]) -> None:
    assert any("flash" in line and "of 8,000 B (" in line for line in found[1])


def test_a_search_that_goes_on_fits_nothing_twice(
    found: tuple[Answer, Sequence[str]], data: FitData, folder: Path
) -> None:
    again = replace(config(folder, FLASH), resume=True)
    report = Heard()
    answer = find(again, FLASH, data, report, data_sha256="d")
    assert not any("search: trial" in line for line in report.steps)
    before, after = (
        [(trial.accuracy, trial.costs) for trial in each.trials] for each in (found[0], answer)
    )
    assert before == after
    assert answer.final.accuracy == found[0].final.accuracy


def test_where_nothing_fits_the_closest_is_told(data: FitData, tmp_path: Path) -> None:
    asked = request(Limits(most={"flash": 90}))
    with pytest.raises(ToolkitError, match=r"nothing fits .* more than 90 B") as raised:
        find(config(tmp_path, asked), asked, data, Heard(), data_sha256="d")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("board", "limits", "said"),
    [
        ("unoo", Limits(most={"flash": 9}), "did you mean uno"),
        ("uno", Limits(most={"flash": 1e6}), "which Arduino Uno R3 has"),
        ("cortex-m4", Limits(most={"latency": 9}), "a core without a clock"),
    ],
)
def test_a_board_that_is_none_or_has_less_is_one_line(
    board: str, limits: Limits, said: str
) -> None:
    asked = replace(request(limits), format="c", board=board)
    with pytest.raises(ToolkitError, match=said) as raised:
        with_board(asked)
    assert "\n" not in str(raised.value)


def test_the_ram_of_onnx_runtime_is_refused() -> None:
    asked = replace(request(Limits(most={"ram": 9_000})), format="onnx-int8")
    with pytest.raises(ToolkitError, match="does not tell"):
        with_board(asked)


def test_a_teacher_is_asked_of_every_view_and_kept(data: FitData, tmp_path: Path) -> None:
    def brightness(images: object) -> np.ndarray:
        means = np.asarray(images, np.float32).mean(axis=(1, 2))
        return np.stack([means, -means], axis=1)

    said = of_every_view(data, brightness)
    assert said.shape == (2, 5, 400, 2)
    np.testing.assert_allclose(said[0, 0, :, 0], said[1, 0, :, 0])  # mirrored ones are as bright
    assert (said[0, 1, :, 0] <= said[0, 0, :, 0]).all()  # shifted ones lose an edge
    kept = keep(tmp_path, said, {"validation_accuracy": 0.5})
    again = read(tmp_path)
    assert isinstance(again, Teacher)
    np.testing.assert_array_equal(kept.logits, again.logits)
    (tmp_path / "logits.npy").write_bytes(b"odd")
    with pytest.raises(ToolkitError, match=r"changed after it was written|corrupt"):
        read(tmp_path)
