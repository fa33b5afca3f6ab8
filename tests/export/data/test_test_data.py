"""Test data of the reference job and of a custom model, and the outputs that go with it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.data.test_data import Evaluation, are_pictures, save_samples, unpacked
from tests.examples import REFERENCE
from train.common.errors import ArtifactError
from train.common.record import OUTPUTS_FILE, load_outputs, save_outputs
from train.common.samples import Samples


def evaluation(**inputs: np.ndarray) -> Evaluation:
    return Evaluation(
        samples=Samples(inputs=inputs),
        reference=REFERENCE,
        default_baseline=None,
        same_distribution=False,
        save=save_samples,
    )


def test_outputs_are_mapped_where_a_folder_is_given(tmp_path: Path) -> None:
    outputs: dict[str, np.ndarray] = {
        "a": np.arange(6, dtype=np.float32).reshape(3, 2),
        "b/c": np.ones((3, 2, 2)),
    }
    save_outputs(tmp_path / OUTPUTS_FILE, replace(REFERENCE, outputs=outputs))
    folder = tmp_path / "unpacked"
    mapped, read = load_outputs(tmp_path, folder), load_outputs(tmp_path)
    assert list(mapped.outputs) == list(read.outputs) == ["a", "b/c"]
    for name, values in outputs.items():
        assert isinstance(mapped.outputs[name], np.memmap)
        assert not isinstance(read.outputs[name], np.memmap)
        assert np.array_equal(mapped.outputs[name], values)
    assert sorted(path.name for path in folder.iterdir()) == ["output0.npy", "output1.npy"]


def test_damaged_outputs_are_one_clear_error_either_way(tmp_path: Path) -> None:
    path = tmp_path / OUTPUTS_FILE
    save_outputs(path, REFERENCE)
    content = bytearray(path.read_bytes())
    content[60:80] = bytes(20)
    path.write_bytes(content)
    for folder in (None, tmp_path / "unpacked"):
        with pytest.raises(ArtifactError, match="is corrupt"):
            load_outputs(tmp_path, folder)


@pytest.mark.parametrize(
    ("shape", "dtype", "pictures"),
    [
        ((5, 8, 8), np.uint8, True),
        ((5, 8, 8, 3), np.uint8, True),
        ((5, 8, 8, 2), np.uint8, False),
        ((5, 8, 8), np.float32, False),
        ((5, 8), np.uint8, False),
    ],
)
def test_only_bytes_shaped_as_pictures_are_images(
    shape: tuple[int, ...], dtype: type, pictures: bool
) -> None:
    values: np.ndarray = np.zeros(shape, dtype)
    assert are_pictures(values) == pictures
    found = evaluation(x=values)
    assert found.examples == ("images" if pictures else "examples")
    assert (found.pictures is not None) == pictures
    assert evaluation(x=values, y=values).pictures is None


def test_raw_values_are_in_a_file_each_and_a_whole_one_is_taken_as_it_is(tmp_path: Path) -> None:
    np.save(tmp_path / "whole.npy", np.arange(10))
    whole = np.load(tmp_path / "whole.npy", mmap_mode="r")
    samples = Samples(inputs={"whole": whole, "first": whole[:5], "made": np.ones((5, 2))})
    places = unpacked(samples, tmp_path)
    assert places["whole"] == tmp_path / "whole.npy"
    assert np.array_equal(np.load(places["first"]), np.arange(5))
    assert np.array_equal(np.load(places["made"]), np.ones((5, 2)))
