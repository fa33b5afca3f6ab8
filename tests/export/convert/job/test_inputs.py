"""Which examples mixtures are judged by: many, and none that calibrates."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from export.convert.calibrate.calibration import representative_dataset
from export.convert.job.inputs import MOST_JUDGED, ConversionInputs, Training
from train.common.record import ModelRecord
from train.common.samples import Samples
from train.data.fashion_mnist import INPUT

HELD_OUT, CALIBRATING = 50, 40


def inputs_of(count: int) -> ConversionInputs:
    """Of as many different examples, the first held out and the next calibrating."""
    values = np.zeros((count, 28, 28), np.uint8)
    values[:, 0, 0], values[:, 0, 1] = np.arange(count) % 251, np.arange(count) // 251
    raw = Samples(inputs={INPUT.name: values}, targets={"class": np.arange(count) % 10})
    calibrating = np.arange(HELD_OUT, HELD_OUT + CALIBRATING)
    record = ModelRecord(
        folder=Path(),
        file="model.keras",
        sha256="",
        test_accuracy=None,
        labels=(),
        preprocessing={},
        inputs=(INPUT,),
        outputs=(),
    )
    return ConversionInputs(
        record=record,
        preprocessing={},
        representative=representative_dataset(raw, calibrating, {}, (INPUT,)),
        training=Training(samples=raw.take(np.arange(HELD_OUT, count)), preprocessing={}),
        held_out=raw.take(np.arange(HELD_OUT)),
    )


def test_all_that_calibrates_nothing_judges_a_mixture_once() -> None:
    inputs = inputs_of(400)
    found = inputs.more_held_out(1_000)
    assert len(found) == 400 - CALIBRATING == len({*found.short_hashes()})
    assert not {*found.short_hashes()} & {*inputs.representative.examples}  # type: ignore[union-attr]
    assert found.short_hashes()[:HELD_OUT] == inputs.held_out.short_hashes()
    assert found.targets["class"].tolist()[-1] == 399 % 10


def test_a_large_model_is_judged_by_fewer_and_never_by_less_than_are_held_out() -> None:
    inputs = inputs_of(400)
    assert len(inputs.more_held_out(100_000_000)) == 250
    assert inputs.more_held_out(10**12) is inputs.held_out
    assert len(inputs_of(MOST_JUDGED + 500).more_held_out(1_000)) == MOST_JUDGED
    assert replace(inputs, training=None).more_held_out(1_000) is inputs.held_out
