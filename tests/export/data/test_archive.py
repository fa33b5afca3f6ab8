"""Arrays by name in .npz archives; damaged and hostile ones too."""

import io
import shutil
import tracemalloc
import zipfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from export.data import checks as checks_module
from tests.export.data.opened import opened, opened_or_refused, refused, spec, wanted
from tests.export.data.test_arrays import Mine, header, saved

X, Y = np.arange(24, dtype=np.int16).reshape(6, 4), np.array([0, 1, 2, 0, 1, 2])
TWO = wanted(spec("a", 4), spec("b/c:0"), outputs=(spec("classes", 3), spec("height", 1)))


def zipped(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def archived(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    return zipped(path, {f"{name}.npy": saved(values) for name, values in arrays.items()})


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_x_y_and_class_names(save: object, tmp_path: Path) -> None:
    assert callable(save)
    save(tmp_path / "d.npz", x=X, y=Y, class_names=np.array(["cat", "dög", "emu"]))
    found = opened(tmp_path / "d.npz", wanted(), tmp_path)
    assert isinstance(found.inputs["values"], np.memmap)
    assert np.array_equal(found.inputs["values"], X)
    assert np.array_equal(found.targets["classes"], Y)
    assert found.class_names == ("cat", "dög", "emu")


def test_arrays_by_the_names_of_inputs_and_outputs(tmp_path: Path) -> None:
    b, height = np.arange(6.0), np.linspace(0, 1, 6)[:, np.newaxis]
    arrays = {"a": X, "b/c:0": b, "classes": Y, "height": height}
    found = opened(archived(tmp_path / "d.npz", arrays), TWO, tmp_path)
    assert np.array_equal(found.inputs["a"], X)
    assert np.array_equal(found.inputs["b/c:0"], b)
    assert np.array_equal(found.targets["classes"], Y)
    assert np.array_equal(found.targets["height"], height)
    assert all(path.parent.parent.name == "staging" for path in tmp_path.rglob("[0-9].npy"))


def test_a_name_of_an_input_and_an_output_is_the_input(tmp_path: Path) -> None:
    path = archived(tmp_path / "d.npz", {"y": X, "target:y": X.astype(float)})
    found = opened(path, wanted(spec("y", 4), outputs=(spec("y", 4),)), tmp_path)
    assert found.inputs["y"].dtype == np.int16
    assert found.targets["y"].dtype == np.float64


def test_arrays_in_fortrans_order(tmp_path: Path) -> None:
    values = np.asfortranarray(X)
    np.savez(tmp_path / "d.npz", x=values)
    assert np.array_equal(opened(tmp_path / "d.npz", wanted(), tmp_path).inputs["values"], X)


def test_an_archive_is_never_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks_module, "CHUNK_BYTES", 1 << 16)
    np.savez(tmp_path / "d.npz", x=np.ones((600_000, 4), np.float32))
    tracemalloc.start()
    try:
        found = opened(tmp_path / "d.npz", wanted(), tmp_path)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.inputs["values"].nbytes == 9_600_000
    assert peak_bytes < 4_000_000


def test_a_header_that_is_a_bomb_is_never_held_in_memory(tmp_path: Path) -> None:
    bomb = header(" " * 20_000_000, b"\x02\x00")
    path = zipped(tmp_path / "d.npz", {"x.npy": bomb}, zipfile.ZIP_DEFLATED)
    del bomb
    tracemalloc.start()
    try:
        with refused("'x': is not a complete .npy file (20,000,012 bytes)"):
            opened(path, wanted(), tmp_path)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2_000_000


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X, "z": Y}, "got the key 'z', expected 'x', 'values', 'y', 'classes'"),
        ({"arr_0": X}, "got the key 'arr_0', expected 'x', 'values', 'y', 'classes'"),
        ({"../x": X}, "got the key '../x', expected 'x', 'values'"),
        ({"y": Y}, "got no array for any input, expected one for the input 'values' too"),
        ({}, "got no array for any input, expected one for the input 'values' too"),
        ({"x": X, "values": X}, "got 'x' and 'values', expected one array for the input 'values'"),
        ({"x": X, "y": Y[:5]}, "got 6 of 'x', 5 of 'y', expected as many examples in every array"),
        ({"x": X, "class_names": np.array(["a", "b"])}, "got 2 class names, expected 3 by the mod"),
        ({"x": X, "class_names": np.array(["a", "b", "c\n"])}, "got the class name 'c\\n', exp"),
        ({"x": X, "class_names": np.arange(3)}, "'class_names': got int64, expected text"),
        ({"x": X, "class_names": np.array([["a"]])}, "got class_names of shape (1, 1), expected"),
        ({"x": X, "y": np.array([Mine()])}, "'y': got an array of Python objects, expected numb"),
        ({"x": X, "class_names": np.array(["a"], object)}, "'class_names': got an array of Python"),
    ],
)
def test_what_does_not_fit_is_refused(
    arrays: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    path = archived(tmp_path / "d.npz", arrays)
    with refused(message):
        opened(path, wanted(), tmp_path)
    assert not list((tmp_path / "staging").rglob("x.npy"))


def test_class_names_of_megabytes_are_not_unpacked(tmp_path: Path) -> None:
    names = np.array(["a" * (1 << 21), "b", "c"])
    np.savez_compressed(tmp_path / "d.npz", x=X, class_names=names)
    with refused("25,165,824 bytes of text, expected a few lines"):
        opened(tmp_path / "d.npz", wanted(), tmp_path)
    assert not list(tmp_path.rglob("class_names.npy"))


def test_class_names_that_are_no_code_points_are_refused(tmp_path: Path) -> None:
    names = saved(np.array(["a", "b", "c"]))[:-4] + b"\xff\xff\xff\x7f"
    path = zipped(tmp_path / "d.npz", {"x.npy": saved(X), "class_names.npy": names})
    with refused("class_names': got what is not text"):
        opened(path, wanted(), tmp_path)


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", a=X)
    with refused("got arrays for 'a', expected one for the input 'b/c:0' too; add it by this name"):
        opened(tmp_path / "d.npz", TWO, tmp_path)


@pytest.mark.parametrize("kept_bytes", [0, 30, 300, -10])
def test_truncated_archives_are_refused(kept_bytes: int, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=X)
    content = (tmp_path / "d.npz").read_bytes()
    (tmp_path / "d.npz").write_bytes(content[:kept_bytes])
    with refused("is not a complete .npz file (File is not a zip file); write it with numpy.savez"):
        opened(tmp_path / "d.npz", wanted(), tmp_path)


def test_damaged_archives_end_in_one_line(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", x=X)
    content = (tmp_path / "d.npz").read_bytes()
    for place in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        (tmp_path / "d.npz").write_bytes(damaged)
        found = opened_or_refused(tmp_path / "d.npz", tmp_path)
        # what is taken all the same differs in a date or the like
        assert found is None or np.array_equal(found.inputs["values"], X)


def test_changed_values_are_found_by_their_checksum(tmp_path: Path) -> None:
    path = zipped(tmp_path / "d.npz", {"x.npy": saved(X)})
    content = path.read_bytes()
    place = content.index(X.tobytes())
    path.write_bytes(content[:place] + b"\x07" + content[place + 1 :])
    with refused("is not a complete .npz file (Bad CRC-32 for file 'x.npy')"):
        opened(path, wanted(), tmp_path)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"x.npy": b"\x80pickle"}, "'x': got a pickle, expected a .npy file; pickled objects"),
        ({"x.npy": b""}, "'x': is not a complete .npy file (0 bytes)"),
        ({"x.npy": saved(X)[:-2]}, "'x': got 174 bytes, expected 176 by its header"),
        ({"x": saved(X)}, "got the member 'x', expected .npy files of different names"),
        ({"x.npy": saved(X), "read.me": b""}, "got the member 'read.me', expected .npy files"),
        ({"x.npy": saved(X), "folder/": b""}, "got the member 'folder/', expected .npy files"),
        (
            {
                "x.npy": header(
                    "{'descr': '|u1', 'fortran_order': False, 'shape': (250000000000000, 4)}"
                )
            },
            "expected 1,000,000,000,000,0",
        ),
    ],
)
def test_hostile_members_are_refused(
    members: dict[str, bytes], message: str, tmp_path: Path
) -> None:
    with refused(message):
        opened(zipped(tmp_path / "d.npz", members), wanted(), tmp_path)


def test_a_name_given_twice_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "d.npz", {"x.npy": saved(X), "y.npy": saved(Y)})
    path.write_bytes(path.read_bytes().replace(b"y.npy", b"x.npy"))
    with refused("got the member 'x.npy' twice, expected .npy files of different names"):
        opened(path, wanted(), tmp_path)


def test_unusual_compression_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "d.npz", {"x.npy": saved(X)}, zipfile.ZIP_LZMA)
    with refused("got compression 14 of 'x', expected none or deflate"):
        opened(path, wanted(), tmp_path)


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "d.npz", {"x.npy": saved(X)})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag in the member's own header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and in the archive's directory
    path.write_bytes(content)
    with refused("is encrypted"):
        opened(path, wanted(), tmp_path)


def test_what_the_disk_cannot_hold_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", ("total", "used", "free"))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(99, 90, 40))
    np.savez(tmp_path / "d.npz", x=X)
    with refused("arrays of 48 bytes do not fit into the 40 that are free; free some space"):
        opened(tmp_path / "d.npz", wanted(), tmp_path)
    assert not list((tmp_path / "staging").rglob("*.npy"))


def test_a_member_that_ends_before_its_declared_size_is_refused(tmp_path: Path) -> None:
    """The directory of the archive promises more than the compressed bytes hold."""
    big = io.BytesIO()
    np.save(big, np.zeros((1_000, 4), np.int16))
    whole = big.getvalue()
    path = zipped(tmp_path / "d.npz", {"x.npy": whole[:200]}, zipfile.ZIP_DEFLATED)
    content = path.read_bytes()
    size, claimed = (number.to_bytes(4, "little") for number in (200, len(whole)))
    path.write_bytes(content.replace(size, claimed))
    with refused("'x': ends 7,928 bytes before it should; write the .npz again"):
        opened(path, wanted(), tmp_path)
