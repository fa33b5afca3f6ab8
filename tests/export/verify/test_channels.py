"""Channels that an output loses, and those that are small by nature."""

import numpy as np
import pytest

from export.verify.channels import in_words, lost_channels

COUNT = 300
RANDOM = np.random.default_rng(0)


def in_8_bits(values: np.ndarray) -> np.ndarray:
    """What one scale for the whole tensor leaves of it."""
    low, high = min(0.0, float(values.min())), float(values.max())
    step = (high - low) / 255
    return (np.round((values - low) / step) * step + low).astype(np.float32)


def softmax(classes: int, spread: float) -> np.ndarray:
    logits = RANDOM.normal(size=(COUNT, classes)) * spread
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: np.ndarray = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


def sigmoid(*shape: int, offset: float = 0.0) -> np.ndarray:
    return (1 / (1 + np.exp(offset - RANDOM.normal(size=shape)))).astype(np.float32)


BOXES = (640 * RANDOM.random((COUNT, 50, 4))).astype(np.float32)
HEAD = np.concatenate([BOXES, sigmoid(COUNT, 50, 3)], axis=-1)
PRESSURE_AND_RAIN = np.concatenate([950 + 90 * sigmoid(COUNT, 1), sigmoid(COUNT, 1)], axis=-1)


@pytest.mark.parametrize(
    ("reference", "axis", "lost"),
    [
        (PRESSURE_AND_RAIN, 1, [1]),
        (PRESSURE_AND_RAIN[:, ::-1], 1, [0]),
        (HEAD, 2, [4, 5, 6]),
        (HEAD.swapaxes(1, 2), 1, [4, 5, 6]),
    ],
)
def test_what_one_scale_cannot_hold_is_lost(
    reference: np.ndarray, axis: int, lost: list[int]
) -> None:
    found = lost_channels(in_8_bits(reference), reference)
    assert [(channel.axis, channel.index) for channel in found] == [(axis, i) for i in lost]
    assert f"output 'weather' loses channel{'s' * (len(lost) > 1)} " in in_words(
        "weather", reference.shape, found
    )
    assert lost_channels(reference, reference) == ()


@pytest.mark.parametrize(
    "reference",
    [
        softmax(10, 4),
        softmax(100, 3),
        softmax(1000, 3),
        np.concatenate([sigmoid(COUNT, 10), sigmoid(COUNT, 10, offset=7)], axis=-1),
        (RANDOM.normal(size=(COUNT, 4)) * [1, 3, 10, 15]).astype(np.float32),
        np.maximum(RANDOM.normal(size=(COUNT, 80)) - np.arange(80) // 78 * 2.4, 0),
        np.concatenate([sigmoid(COUNT, 2), np.full((COUNT, 1), 900.0)], axis=-1)[:, :2],
        np.full((COUNT, 3), 0.3, np.float32),
    ],
)
def test_what_is_small_in_its_own_unit_is_not(reference: np.ndarray) -> None:
    assert lost_channels(in_8_bits(reference) if np.ptp(reference) else reference, reference) == ()


def test_a_class_of_probabilities_that_never_comes_out_is_lost() -> None:
    reference = softmax(10, 4)
    outputs = reference.copy()
    outputs[:, 3] = 0
    assert [channel.index for channel in lost_channels(outputs, reference)] == [3]


def test_an_output_that_is_lost_altogether_is_not_told_by_channels() -> None:
    reference = sigmoid(COUNT, 3)
    assert lost_channels(np.zeros_like(reference), reference) == ()
