"""Loops compute what Keras's layers do, in float and in integers, for every kind of cell."""

import numpy as np
import pytest

from export.convert.tflite.recurrent.ranges import ranges_of
from export.runtimes.tflm import is_published_here
from tests.export.convert.tflite.recurrent.layers import (
    KINDS,
    STEPS,
    decibels,
    layer_of,
    loop_file,
    real,
    run,
    scale_between,
    sequences,
    stored,
)

RIGHT_DB, INTEGER_DB = 110, 28


@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_is_exact_in_float_and_close_in_integers(kind: str) -> None:
    layer, cell = layer_of(kind)
    ranges = ranges_of(cell, sequences(1), None, go_backwards=False)
    expected = np.asarray(layer(sequences(2)))
    assert decibels(run(loop_file(cell, None), sequences(2)), expected) > RIGHT_DB
    assert decibels(run(loop_file(cell, ranges), sequences(2)), expected) > INTEGER_DB


@pytest.mark.parametrize("kind", ["lstm", "gru", "simple"])
def test_all_steps_are_returned_in_the_order_in_which_they_are_computed(kind: str) -> None:
    layer, cell = layer_of(kind, return_sequences=True, go_backwards=True)
    ranges = ranges_of(cell, sequences(1), None, go_backwards=True)
    expected = np.asarray(layer(sequences(2)))
    for found, least in ((None, RIGHT_DB), (ranges, INTEGER_DB)):
        content = loop_file(cell, found, whole=True, go_backwards=True)
        assert decibels(run(content, sequences(2)), expected) > least


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_a_masked_step_changes_nothing_wherever_it_is(kind: str, zeros: bool) -> None:
    layer, cell = layer_of(kind, return_sequences=True, zero_output_for_mask=zeros)
    mask = np.random.default_rng(3).random((len(sequences()), STEPS)) < 0.6
    mask[0] = False
    ranges = ranges_of(cell, sequences(1), mask, go_backwards=False)
    expected = np.asarray(layer(sequences(2), mask=mask))
    for found, least in ((None, RIGHT_DB), (ranges, INTEGER_DB)):
        content = loop_file(cell, found, masked=True, whole=True, zeros=zeros)
        outputs = run(content, sequences(2), mask)
        assert decibels(outputs, expected) > least
        assert not outputs[0].any()


@pytest.mark.skipif(not is_published_here(), reason="TFLM's interpreter is for x86-64 Linux")
@pytest.mark.parametrize("kind", ["lstm", "gru", "simple"])
def test_tflm_runs_integer_loops_as_litert_does(kind: str) -> None:
    from tflite_micro import runtime

    _, cell = layer_of(kind)
    mask = np.random.default_rng(3).random((len(sequences()), STEPS)) < 0.8
    ranges = ranges_of(cell, sequences(1), mask, go_backwards=False)
    content = loop_file(cell, ranges, masked=True, whole=True)
    expected = run(content, sequences(2), mask, reference=True)
    micro = runtime.Interpreter.from_bytes(content)
    largest = float(np.abs(sequences(1)).max())
    details = {"quantization": scale_between(-largest, largest), "dtype": np.int8}
    output_unit = scale_between(*ranges.outputs)
    for x, counts, litert in zip(sequences(2)[:10], mask, expected, strict=False):
        micro.set_input(stored(x[np.newaxis], details), 0)
        micro.set_input(counts[np.newaxis], 1)
        micro.invoke()
        found = real(micro.get_output(0)[0], output_unit)
        assert np.abs(found - litert).max() <= 2.01 * output_unit[0]


@pytest.mark.parametrize("whole", [False, True])
def test_the_size_does_not_depend_on_the_steps(whole: bool) -> None:
    _, cell = layer_of("gru")
    for ranges in (None, ranges_of(cell, sequences(1), None, go_backwards=False)):
        few, many = (len(loop_file(cell, ranges, whole=whole, steps=n)) for n in (9, 900))
        assert abs(many - few) <= 16
        assert few < 10_000
