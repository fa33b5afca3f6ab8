from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.command.summary import summary
from export.convert import make as making
from export.convert.candidates.made import Made, outputs_of
from export.convert.qat import graph
from export.convert.qat.values import Tensor
from export.formats.settings import ExportOptions, untuned
from export.formats.table import FORMATS
from export.manifest import Check, FineTuning
from export.verify.expectation import Expectation
from export.verify.file import Verification
from tests.examples import MANIFEST
from tests.export.conftest import Tiny, settings_of, shared_options
from train.common.errors import CheckError
from train.common.tensors import TensorSpec
from train.data.fashion_mnist import INPUT_NAME, OUTPUT_NAME

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow

QAT, PLAIN = FORMATS["tflite-int8-qat"], FORMATS["tflite-int8"]


@pytest.fixture(scope="session")
def trained(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The trained file, whether it is better or not; it is shared."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "keep_if_better", lambda tuned, *_: tuned)
        return tiny.make(QAT, folder, shared_options(QAT.name))


def test_training_that_gains_nothing_is_left_out(tiny: Tiny) -> None:
    made, plain = tiny.made(QAT.name), tiny.made(PLAIN.name)
    assert made.path.name == "tflite-int8-qat.tflite"
    assert made.fine_tuning is not None
    assert not made.fine_tuning.kept
    assert made.path.read_bytes() == plain.path.read_bytes()
    assert made.verification == plain.verification
    assert plain.fine_tuning is None


def test_training_that_gains_more_than_chance_is_kept(tiny: Tiny, trained: Made) -> None:
    """On examples between two classes, whose labels are what the trained file says."""
    before = trained.path.read_bytes()
    images = tiny.expected.inputs[INPUT_NAME]
    inputs = {INPUT_NAME: (images + images[::-1]) / 2}
    count = len(images)
    outputs = outputs_of(QAT, trained.path, replace(tiny.expected, inputs=inputs))[OUTPUT_NAME]
    expected = replace(
        tiny.expected,
        inputs=inputs,
        outputs=tiny.source.predict(inputs),
        labels={OUTPUT_NAME: outputs.argmax(axis=1)},
    )
    kept = making.keep_if_better(trained, tiny.made(PLAIN.name), QAT, expected, 0.9995)
    found = kept.fine_tuning
    assert found is not None
    share = 1 - found.before  # of examples that the untrained file gets wrong
    assert found.kept
    assert found.after == 1
    assert found.simulation_agreement == 0.9995
    assert found.standard_error == pytest.approx(np.sqrt(share * (1 - share) / count))
    assert (kept.path, kept.path.read_bytes()) == (trained.path, before)


@pytest.mark.parametrize(("repaired", "kept"), [(0, False), (3, False), (4, True)])
def test_of_a_hundred_examples_four_have_to_be_repaired(
    repaired: int, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three are within two standard errors of none."""
    classes = np.arange(100) % 2
    right = np.eye(2, dtype=np.float32)[classes]
    wrong = np.where(np.arange(100)[:, np.newaxis] < repaired, 1 - right, right)
    spec = TensorSpec(name="scores", shape=(None, 2), dtype="float32")
    expected = Expectation(
        input_specs=(),
        output_specs=(spec,),
        weights=1,
        inputs={"x": right},
        labels={"scores": classes},
        outputs={"scores": right},
    )
    nothing = Verification(inputs=(), outputs=(), operators={}, checks=())
    plain, tuned = (
        Made(path=tmp_path / name, verification=nothing, calibration=None)
        for name in ("plain", "tuned")
    )
    for made in (plain, tuned):
        made.path.write_text(made.path.name)
    outputs = iter(({"scores": wrong}, {"scores": right}))
    monkeypatch.setattr(making, "outputs_of", lambda *_: next(outputs))
    found = making.keep_if_better(tuned, plain, QAT, expected, 1)
    assert found.fine_tuning is not None
    assert found.fine_tuning.kept == kept
    assert found.path.read_text() == ("tuned" if kept else "plain")


def test_where_nothing_else_passes_the_trained_file_is_kept(
    tiny: Tiny, trained: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise CheckError("tflite-int8 was not written: check agreement: got 0.5, expected >= 0.97")

    monkeypatch.setattr(making, "make", refused)
    made = making._make_tuned(
        QAT, settings_of(QAT, shared_options(QAT.name)), tiny.source, tiny.expected, tmp_path
    )
    assert made.fine_tuning is None
    assert made.path.read_bytes() == trained.path.read_bytes()
    assert made.calibration == trained.calibration


def test_a_file_that_its_simulation_disagrees_with_is_not_written(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The simulation takes the hidden units' steps for half of what they are in the file."""
    tensor_of = graph._tensor

    def wrong(tree: Any, part: Any, index: int) -> Tensor:
        found = tensor_of(tree, part, index)
        is_hidden = found.shape == (1, 16) and found.stored is None
        return replace(found, scale=found.scale / 2) if is_hidden else found

    monkeypatch.setattr(graph, "_tensor", wrong)
    expected = r"^tflite-int8-qat was not written: check simulation agreement: got 0\.\d+, expected"
    with pytest.raises(CheckError, match=expected):
        tiny.make(QAT, tmp_path, shared_options(QAT.name))


@pytest.mark.parametrize(
    "options",
    [
        ExportOptions(calibration_samples=50),
        ExportOptions(io="float32", epochs=9),
        ExportOptions(batch="dynamic"),
        ExportOptions(calibration_method="percentile"),
    ],
)
def test_without_training_the_other_options_are_the_same(options: ExportOptions) -> None:
    settings = settings_of(QAT, options)
    assert untuned(settings) == (PLAIN, replace(settings, epochs=None))


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (FineTuning(before=0.9, after=0.898, standard_error=0.001, kept=False), "-0.20 points, s"),
        (FineTuning(before=0.9, after=0.902, standard_error=0.0011, kept=False), "error 0.11"),
        (FineTuning(before=31.0, after=29.5, standard_error=None, kept=False), "here (-1.5 dB)"),
        (FineTuning(before=0.9, after=0.91, standard_error=0.001, kept=True), ""),
    ],
)
def test_the_terminal_says_whether_it_is_trained(found: FineTuning, told: str) -> None:
    checks = tuple(
        Check(name=name, value=1.0, limit="", passed=True)
        for name in ("agreement", "accuracy_drop")
    )
    line = summary(replace(MANIFEST, checks=checks, fine_tuning=found))
    assert ("not fine-tuned" in line) == (not found.kept)
    assert told in line
