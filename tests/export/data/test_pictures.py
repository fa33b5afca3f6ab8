"""Folders of pictures, by class and without classes; damaged and hostile ones too."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.export.data.opened import opened, refused, spec, wanted
from train.common.tensors import TensorSpec

GREY, COLOUR, FLAT = spec("image", 4, 6, 1), spec("image", 4, 6, 3), spec("image", 4, 6)
THREE = ("cat", "dog", "emu")


def draw(path: Path, value: int | tuple[int, int, int] = 0, size: tuple[int, int] = (6, 4)) -> None:
    """Writes a picture of one colour; `size` is width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L" if isinstance(value, int) else "RGB", size, value).save(path)


def draw_classes(folder: Path, counts: tuple[int, int, int] = (3, 1, 2)) -> Path:
    """Writes pictures whose grey is ten times the class, plus their number in it."""
    for label, (name, count) in enumerate(zip(THREE, counts, strict=True)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            draw(folder / name / f"{number}.png", 10 * label + number)
    return folder


def test_classes_take_turns(tmp_path: Path) -> None:
    folder = draw_classes(tmp_path / "d")
    found = opened(folder, wanted(GREY), tmp_path)
    images = found.inputs["image"]
    assert isinstance(images, np.memmap)
    assert (images.shape, images.dtype) == ((6, 4, 6, 1), np.uint8)
    assert images[:, 0, 0, 0].tolist() == [0, 10, 20, 1, 21, 2]
    assert found.targets["classes"].tolist() == [0, 1, 2, 0, 2, 0]
    assert found.class_names == THREE


def test_pictures_without_classes(tmp_path: Path) -> None:
    for number, suffix in enumerate(("bmp", "gif", "JPG", "png", "webp", "tiff", "ppm")):
        draw(tmp_path / "d" / f"{number}.{suffix}", 30 * number)
    for other in (".hidden", "notes.txt", "labels.csv", "meta.JSON", ".folder/x.png"):
        (tmp_path / "d" / other).parent.mkdir(exist_ok=True)
        (tmp_path / "d" / other).write_bytes(b"no picture")
    found = opened(tmp_path / "d", wanted(FLAT), tmp_path)
    assert found.inputs["image"].shape == (7, 4, 6)
    assert found.inputs["image"][:, 0, 0].tolist() == [30 * number for number in range(7)]
    assert not found.targets
    assert not found.class_names


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_mode_of_eight_bits(mode: str, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    picture = Image.new("RGB", (6, 4), (255, 255, 255)).convert(mode)
    picture.save(tmp_path / "d" / ("x.tiff" if mode == "CMYK" else "x.png"))
    for what in (GREY, COLOUR, FLAT):
        found = opened(tmp_path / "d", wanted(what), tmp_path).inputs["image"]
        assert found.shape[1:] == what.shape[1:]
        assert (found == 255).all()


def test_pictures_are_resized(tmp_path: Path) -> None:
    rows = np.repeat(np.array([[0], [200]], np.uint8), 2, axis=1)
    (tmp_path / "d").mkdir()
    Image.fromarray(rows).save(tmp_path / "d" / "x.png")
    own = opened(tmp_path / "d", wanted(GREY), tmp_path).inputs["image"]
    assert own[0, :, 0, 0].tolist() == [0, 50, 150, 200]  # bilinear, aligned by the edges
    anything = spec("image", None, None, None)
    asked = opened(tmp_path / "d", wanted(anything, image_size=(3, 5)), tmp_path)
    assert asked.inputs["image"].shape == (1, 3, 5, 3)
    with refused("image (?, ?, ?, ?) float32, which takes any size; give the size with --image-si"):
        opened(tmp_path / "d", wanted(anything), tmp_path)
    with refused("got pictures of size 3×5, expected image (?, 4, 6, 1) float32; leave --image-s"):
        opened(tmp_path / "d", wanted(GREY, image_size=(3, 5)), tmp_path)


@pytest.mark.parametrize("what", [spec("image", 3, 4, 6), spec("image", 4), spec("image", 4, 6, 4)])
def test_inputs_that_take_no_pictures_are_refused(what: TensorSpec, tmp_path: Path) -> None:
    draw(tmp_path / "d" / "x.png")
    with refused("pictures fit (N, height, width), (…, 1) and (…, 3), give other data as arrays"):
        opened(tmp_path / "d", wanted(what), tmp_path)


def test_several_inputs_take_no_pictures(tmp_path: Path) -> None:
    draw(tmp_path / "d" / "x.png")
    with refused("got pictures, expected arrays for the inputs 'a', 'image'; give an .npz"):
        opened(tmp_path / "d", wanted(spec("a", 1), GREY), tmp_path)


def test_folders_are_as_many_as_classes(tmp_path: Path) -> None:
    folder = draw_classes(tmp_path / "d")
    two = wanted(GREY, outputs=(spec("yes", 1),))
    with refused("got 3 class folders ('cat', 'dog', 'emu'), expected 2, one per class"):
        opened(folder, two, tmp_path)
    with refused("expected none, the output being no classes: mask (?, 4, 6, 1) float32"):
        opened(folder, wanted(GREY, outputs=(spec("mask", 4, 6, 1),)), tmp_path)
    empty = draw_classes(tmp_path / "e", (0, 2, 1))
    found = opened(empty, wanted(GREY), tmp_path)
    assert found.targets["classes"].tolist() == [1, 2, 1]
    assert found.class_names == THREE


def test_layouts_that_are_neither_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "read.txt").touch()
    with refused("got a folder without pictures, expected some"):
        opened(tmp_path / "empty", wanted(GREY), tmp_path)
    with refused("got a folder without pictures, expected some"):
        opened(draw_classes(tmp_path / "none", (0, 0, 0)), wanted(GREY), tmp_path)
    mixed = draw_classes(tmp_path / "mixed")
    draw(mixed / "x.png")
    with refused("got folders ('cat', 'dog', 'emu') and pictures beside them ('x.png')"):
        opened(mixed, wanted(GREY), tmp_path)
    nested = draw_classes(tmp_path / "nested")
    draw(nested / "dog" / "puppy" / "x.png")
    with refused("got folders ('puppy') inside 'dog', expected pictures"):
        opened(nested, wanted(GREY), tmp_path)
    control = draw_classes(tmp_path / "control")
    (control / "emu").rename(control / "e\x1b[2Jmu")
    with refused("got the class name 'e\\x1b[2Jmu', expected printable text; rename it"):
        opened(control, wanted(GREY), tmp_path)


def bomb() -> bytes:
    """Returns a PNG of 30,000 × 30,000 pixels by its header."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        size, crc = len(content), zlib.crc32(kind + content)
        return struct.pack(">I", size) + kind + content + struct.pack(">I", crc)

    size = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cat/9.png: is damaged or not a picture (UnidentifiedImageError: "),
        (b"nonsense", "cat/9.png: is damaged or not a picture (UnidentifiedImageError: "),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cat/9.png: is damaged or not a p"),
        (bomb(), "cat/9.png: is too large a picture (Image size (900000000 pixels) exceeds"),
    ],
)
def test_what_is_no_picture_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    folder = draw_classes(tmp_path / "d")
    (folder / "cat" / "9.png").write_bytes(content)
    with refused(message):
        opened(folder, wanted(GREY), tmp_path)


def test_a_picture_large_enough_for_a_warning_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    draw(tmp_path / "d" / "x.png")
    with refused("x.png: is too large a picture (Image size (24 pixels) exceeds limit of 20"):
        opened(tmp_path / "d", wanted(GREY), tmp_path)


def test_a_truncated_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d" / "x.jpg"
    draw(path, size=(600, 400))
    path.write_bytes(path.read_bytes()[:-500])
    with refused("x.jpg: is damaged or not a picture (OSError: "):
        opened(tmp_path / "d", wanted(GREY), tmp_path)


def test_sixteen_bits_are_refused(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    Image.fromarray(np.full((4, 6), 40_000, np.uint16)).save(tmp_path / "d" / "x.png")
    with refused("x.png: got a picture of mode I;16, expected 8 bits per value; give an array"):
        opened(tmp_path / "d", wanted(GREY), tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "d" / "x.png")
    with refused("x.png: is not a regular file; remove it"):
        opened(tmp_path / "d", wanted(GREY), tmp_path)
