"""Networks and data of the user's own, and teachers that are named."""

import json
from dataclasses import replace
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import Heard
from train.common.candidates import read_candidates
from train.common.errors import ToolkitError
from train.config import FitRequest, TrainConfig
from train.data.fit_data import FitData
from train.limits import Limits
from train.search.limits.space.custom import CustomSpace
from train.search.limits.space.custom_job import find_custom
from train.search.limits.teacher.named import check_outputs, named_teacher
from train.search.limits.weigh.costs import CostError

pytestmark = pytest.mark.slow  # it trains and converts with TensorFlow
HERE = "tests.train.search.limits.test_custom"
WIDE = 40  # units that are too many for the limit


def small(hp: keras_tuner.HyperParameters) -> keras.Model:
    """Returns a classifier of eight numbers, three classes."""
    units = hp.Choice("units", [8, 16, WIDE])
    inputs = keras.Input((8,), name="numbers")
    hidden = keras.layers.Dense(units, activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))


def raising(hp: keras_tuner.HyperParameters) -> keras.Model:
    """Fails for some values only."""
    raise ValueError(f"no network of {hp.Choice('depth', [3])} layers\nand more")


def unbuilt(hp: keras_tuner.HyperParameters) -> object:
    """Returns what is no model."""
    return hp.Choice("units", [8])


def two_outputs(hp: keras_tuner.HyperParameters) -> keras.Model:
    """Returns a model with two outputs."""
    inputs = keras.Input((8,))
    return keras.Model(inputs, [keras.layers.Dense(hp.Choice("units", [2]))(inputs), inputs])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("custom")
    random = np.random.default_rng(0)
    y = np.arange(300) % 3
    x = random.normal(0, 0.3, (300, 8)) + np.eye(3, 8)[y]
    np.savez(found / "data.npz", x=x.astype(np.float32), y=y)
    return found


def test_a_space_of_ones_own_is_searched_and_its_best_network_kept(folder: Path) -> None:
    asked = FitRequest(
        limits=Limits(most={"flash": 3_000, "multiplications": 200}),
        format="tflite-int8",
        minutes=2,
        space=f"{HERE}:small",
    )
    config = TrainConfig(
        artifacts=folder / "artifacts",
        data=folder / "data.npz",
        search_epochs=2,
        epochs=30,
        request=asked,
    )
    answer = find_custom(config, asked, Heard())
    assert {trial.hp.get("units") for trial in answer.trials} == {8, 16}
    assert answer.final.accuracy > 0.8
    assert keras.saving.load_model(folder / "artifacts" / "model.keras").output_shape == (None, 3)
    candidates = read_candidates(folder / "artifacts")
    assert candidates is not None
    assert candidates.most == 3_000
    record = json.loads((folder / "artifacts" / "search.json").read_text())
    assert record["limits"]["request"]["space"] == f"{HERE}:small"


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("raising", r"raised ValueError: no network of 3 layers, .* of depth 3$"),
        ("unbuilt", r"returned int, expected a built keras.Model, of units 8$"),
        ("two_outputs", r"expected one input and the probabilities of classes, of units 2$"),
    ],
)
def test_a_space_that_builds_no_classifier_is_one_line_with_its_hyperparameters(
    function: str, said: str
) -> None:
    space = CustomSpace(f"{HERE}:{function}")
    with pytest.raises(CostError, match=said):
        space.to_ship(keras_tuner.HyperParameters())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "expected a function that builds models"),
        ("no.such.module:build", "cannot import"),
        (f"{HERE}:absent", "cannot import"),
        (f"{HERE}:WIDE", "is a int"),
    ],
)
def test_a_space_that_is_no_function_is_one_line(name: str, said: str) -> None:
    with pytest.raises(ToolkitError, match=said) as raised:
        CustomSpace(name)
    assert "\n" not in str(raised.value)


def named(folder: Path, teacher: keras.Model | None) -> np.ndarray:
    """Returns what a model's file teaches of 30 examples of three classes."""
    path = folder / "teacher.keras"
    if teacher is not None:
        teacher.save(path)
    x = tf.constant(np.random.default_rng(0).normal(0, 1, (30, 8)).astype(np.float32))
    y = tf.constant(np.arange(30, dtype=np.int32) % 3)
    data = FitData(images=x, labels=y, validation_images=x, validation_labels=y, raw=False)
    return named_teacher(str(path), folder, data, 3, data_sha256="d", report=Heard()).logits


def test_a_teacher_from_a_file_says_what_its_model_does(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    teacher = small(keras_tuner.HyperParameters())
    said = named(tmp_path, teacher)
    assert said.shape == (1, 1, 30, 3)
    x = np.random.default_rng(0).normal(0, 1, (30, 8)).astype(np.float32)
    expected = np.asarray(teacher(x))
    np.testing.assert_allclose(tf.nn.softmax(said[0, 0].astype(np.float32)), expected, atol=2e-3)


def test_a_teacher_of_other_inputs_or_none_is_one_line(tmp_path: Path) -> None:
    inputs = keras.Input((9,))
    nine = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(inputs))
    for teacher, said in ((None, "does not exist"), (nine, "expected one of")):
        with pytest.raises(ToolkitError, match=said) as raised:
            named(tmp_path, teacher)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (np.full((4, 5), 0.2), "probabilities of 3 classes"),
        (np.full((4, 3, 3), 1 / 3), "probabilities of 3 classes"),
        (np.array([[2.0, -1.0, 0.0]]), "expected probabilities"),
        (np.array([[0.9, 0.9, 0.9]]), "expected probabilities"),
        (np.array([[np.nan, 0.5, 0.5]]), "expected probabilities"),
    ],
)
def test_a_teacher_of_another_task_is_one_line(outputs: np.ndarray, said: str) -> None:
    with pytest.raises(ToolkitError, match=said) as raised:
        check_outputs("teacher.keras", outputs, 3)
    assert "\n" not in str(raised.value)


def test_options_that_do_not_go_together_are_refused() -> None:
    from train.command.options import parse

    for given, said in (
        (["--board", "uno"], "without --fit"),
        (["--fit", "flash=9kB", "--units", "8"], "with --fit"),
        (["--fit", "flash=9kB", "--tuner", "grid"], "hyperband, random or bayesian"),
        (["--fit", "flash=9kB", "--space", "a:b"], "add --data"),
        (["--fit", "flash=9kB", "--scale", "0.1"], "without --space"),
    ):
        with pytest.raises(ToolkitError, match=said):
            parse(given)
    request = parse(["--fit", "flash=9kB", "--board", "uno", "--budget", "3"]).request
    assert request is not None
    assert (request.format, request.minutes) == ("c", 3)
    assert replace(request, board=None).limits == Limits(most={"flash": 9_000})
