from pathlib import Path

import numpy as np
import pytest

from export.command.summary import summary
from export.convert.calibrate.calibration import (
    MAX_HALVES_DIFFERENCE,
    call_by_call,
    clipped_share,
    halves_difference,
    tflite_ranges,
    tflite_values,
)
from export.convert.tflite import converter as tflite
from export.formats.table import FORMATS
from export.manifest import Calibration, Manifest
from tests.examples import MANIFEST
from tests.export.conftest import Tiny, settings_of


def test_halves_of_alternating_images() -> None:
    even = np.array([[0.0], [9.0], [1.0], [9.0]])
    assert halves_difference([{"a": even}]) == pytest.approx(1)  # 0…1 against 9…9
    same = np.array([[0.0], [0.0], [4.0], [4.0]])
    assert halves_difference([{"a": same}]) == 0
    wider = np.array([[0.0], [0.0], [4.0], [5.0]])
    assert halves_difference([{"a": same}, {"b": wider}]) == pytest.approx(0.2)


def test_a_batch_that_does_not_come_out_even_takes_earlier_examples_too() -> None:
    def places(count: int, batch: int | None) -> list[list[int]]:
        calls = call_by_call({"x": np.arange(count)}, batch)
        return [found["x"].tolist() for found in calls]

    assert places(3, None) == [[0], [1], [2]]
    assert places(5, 2) == [[0, 1], [2, 3], [4, 3]]
    assert places(2, 4) == [[0, 1, 0, 1]]


def test_clipped_values_are_counted_beyond_half_a_step() -> None:
    values = {"a": np.array([-1.6, -1.4, 0.0, 1.0, 1.5, 1.51]), "b": np.zeros(4), "c": np.ones(9)}
    ranges = {"a": (-1.0, 1.0, 1.0), "b": (-1.0, 1.0, 1.0)}
    assert clipped_share([values], ranges) == pytest.approx(2 / 10)
    assert clipped_share([{"x": np.zeros(1)}], ranges) is None


def _twin(tiny: Tiny) -> bytes:
    entry = FORMATS["tflite-int8"]
    return tflite.float_twin(tiny.source, entry, settings_of(entry))


def test_every_activation_of_a_quantized_file_is_found_in_its_twin(
    tiny: Tiny, tmp_path: Path
) -> None:
    entry, named = FORMATS["tflite-int8"], tmp_path / "named.tflite"  # before names go
    named.write_bytes(tflite.convert(entry, settings_of(entry), "min-max", tiny.source))
    ranges = tflite_ranges(named)
    some = {name: found[:20] for name, found in tiny.expected.inputs.items()}
    examples = list(tflite_values(_twin(tiny), some))
    assert len(examples) == 20
    values = {name: np.concatenate([found[name] for found in examples]) for name in examples[0]}
    assert len(values) == 5  # image, flattened, hidden, logits, probabilities
    gone = set(values) - set(ranges)  # a dense layer flattens by itself
    assert [name.split("/")[-1] for name in gone] == ["Reshape"]
    assert values["image"].min() >= ranges["image"][0] - 1e-6
    assert ranges["image"][1] == pytest.approx(1, abs=1e-6)
    expected = tiny.expected.outputs["probabilities"][:20]
    assert np.allclose(values["probabilities"], expected, atol=1e-5)


def with_halves_difference(value: float) -> Manifest:
    from dataclasses import replace

    from export.manifest import Check

    checks = tuple(
        Check(name=name, value=1.0, limit="", passed=True)
        for name in ("agreement", "accuracy_drop")
    )
    found = Calibration(
        count=30,
        sha256="",
        examples=(),
        method="min-max",
        candidates={},
        clipped_share=0.0,
        halves_difference=value,
    )
    return replace(MANIFEST, checks=checks, calibration=found)


def test_too_few_images_warn() -> None:
    assert "warning" not in summary(with_halves_difference(MAX_HALVES_DIFFERENCE))
    line = summary(with_halves_difference(0.25))
    assert "two halves of the 30 calibration examples differ by 25%" in line
    assert "--calibration-samples" in line
