"""Single .npy files, and folders with images.npy; damaged and hostile ones too."""

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from export.data import checks as checks_module
from tests.export.data.opened import (
    INPUT,
    OUTPUT,
    opened,
    opened_or_refused,
    refused,
    spec,
    wanted,
)
from train.data.fashion_mnist import SLICE_IMAGES, SLICE_LABELS


class Mine:
    """Fails the test if a pickle of it is ever loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os._exit, (77,))  # type: ignore[return-value]


def saved(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=True)
    return file.getvalue()


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    size = len(text).to_bytes(2 if version == b"\x01\x00" else 4, "little")
    return b"\x93NUMPY" + version + size + text.encode()


def test_an_array_is_mapped_in_place(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.float32).reshape(6, 4)
    path = tmp_path / "x.npy"
    np.save(path, values)
    found = opened(path, wanted(), tmp_path).inputs["values"]
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable
    assert np.array_equal(found, values)
    assert not list((tmp_path / "staging").rglob("*.npy"))


def test_one_array_is_for_one_input(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((2, 4)))
    with refused("got one array, expected arrays for the inputs 'a', 'b'; give an .npz"):
        opened(tmp_path / "x.npy", wanted(spec("a", 4), spec("b", 4)), tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a complete .npy file (0 bytes); write it with numpy.save"),
        (b"nonsense", "is not a complete .npy file (8 bytes)"),
        (saved(np.ones((5, 4)))[:40], "is not a complete .npy file (40 bytes)"),
        (saved(np.ones((5, 4)))[:-1], "got 287 bytes, expected 288 by its header; it is truncated"),
        (saved(np.ones((5, 4))) + b"x", "got 289 bytes, expected 288 by its header"),
        (pickle.dumps(Mine()), "got a pickle, expected a .npy file; pickled objects are not"),
        (saved(np.array([Mine()])), "got an array of Python objects, expected numbers; pickled"),
        (saved(np.ones((5, 4), complex)), "got complex128, expected bool, integer or float values"),
        (saved(np.full((5, 4), "a")), "got <U1, expected bool, integer or float values"),
        (saved(np.zeros((5, 4), "<M8[s]")), "got datetime64[s], expected bool, integer or float"),
        (saved(np.zeros(5, [("a", "f4")])), "got [('a', '<f4')], expected bool, integer or float"),
        (saved(np.array(1.0)), "got shape (), expected examples in the first dimension"),
        (saved(np.ones((0, 4))), "got shape (0, 4), expected examples in the first dimension"),
        (saved(np.ones((4, 0))), "got shape (4, 0), expected examples in the first dimension"),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (1" + "0" * 30 + ", 4)}"),
            "expected 16,000,000,000,000,000,000,000,000,000,",
        ),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (-3, -4)}") + b"0" * 48,
            "got shape (-3, -4), expected examples",
        ),
        (header("(" * 9_000), "is not a complete .npy file"),
        (header("{'descr': 'no', 'fortran_order': 1, 'shape': 2}"), "is not a complete .npy file"),
        (header("{", b"\x02\x00")[:8] + b"\xff\xff\xff\xff{", "is not a complete .npy file"),
        (header("{}", b"\x09\x00"), "is not a complete .npy file"),
    ],
)
def test_what_is_no_array_of_examples_is_refused(
    content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with refused(message):
        opened(tmp_path / "x.npy", wanted(), tmp_path)


def test_garbled_headers_end_in_one_line(tmp_path: Path) -> None:
    whole, source = saved(np.ones((2, 4), np.float32)), np.random.RandomState(0)
    for _ in range(300):
        content = bytearray(whole)
        for place in source.randint(len(content), size=3):
            content[place] = source.randint(256)
        (tmp_path / "x.npy").write_bytes(content)
        found = opened_or_refused(tmp_path / "x.npy", tmp_path)
        assert found is None or found.inputs["values"].shape == (2, 4)


def test_a_folder_of_images_and_labels(tmp_path: Path) -> None:
    images = np.arange(5 * 28 * 28, dtype=np.uint8).reshape(5, 28, 28)
    labels = np.array([0, 1, 2, 1, 0], np.uint8)
    np.save(tmp_path / SLICE_IMAGES, images)
    if labels is not None:
        np.save(tmp_path / SLICE_LABELS, labels)
    what = wanted(spec("image", 28, 28, 1))
    found = opened(tmp_path, what, tmp_path)
    assert np.array_equal(found.inputs["image"], images[..., np.newaxis])
    assert np.array_equal(found.targets["classes"], labels)
    assert isinstance(found.inputs["image"], np.memmap)
    (tmp_path / "labels.npy").unlink()
    assert not opened(tmp_path, what, tmp_path).targets


def test_a_folder_whose_images_and_labels_differ_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.ones((5, 4)))
    np.save(tmp_path / "labels.npy", np.zeros(4, int))
    with refused("got 5 of 'values', 4 of 'target:classes', expected as many examples"):
        opened(tmp_path, wanted(), tmp_path)
    (tmp_path / "labels.npy").write_bytes(b"")
    with refused("labels.npy: is not a complete .npy file"):
        opened(tmp_path, wanted(), tmp_path)


@pytest.mark.parametrize("source", ["", "no.npy", "no.npz", "no", "a b:c", ":f", "m:", "\0"])
def test_what_is_not_there_is_refused(source: str, tmp_path: Path) -> None:
    with refused("is not there; expected an .npy or .npz file, a folder of pictures or with"):
        opened(source, wanted(), tmp_path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1,2")
    with refused("is not a kind of data that can be read; expected an .npy or .npz file"):
        opened(tmp_path / "x.csv", wanted(), tmp_path)
    os.mkfifo(tmp_path / "x.npy")
    with refused("is not a kind of data that can be read"):
        opened(tmp_path / "x.npy", wanted(), tmp_path)


def test_what_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    with refused("File name too long"):
        opened("x" * 5_000 + ".npy", wanted(), tmp_path)


def test_two_sources_share_a_staging_folder(tmp_path: Path) -> None:
    for name, value in (("a", 1.0), ("b", 2.0)):
        np.savez(tmp_path / f"{name}.npz", x=np.full((2, 4), value))
    one, two = (opened(tmp_path / f"{name}.npz", wanted(), tmp_path) for name in "ab")
    assert (one.inputs["values"] == 1).all()
    assert (two.inputs["values"] == 2).all()


def test_bad_values_are_found_beyond_the_first_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks_module, "CHUNK_BYTES", 40)
    values = np.zeros((50, 4))
    values[41, 2] = np.nan
    np.save(tmp_path / "x.npy", values)
    with refused("input 'values': got nan in example 41, expected finite values within float32"):
        opened(tmp_path / "x.npy", wanted(INPUT, outputs=(OUTPUT,)), tmp_path)
