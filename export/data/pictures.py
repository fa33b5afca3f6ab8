"""Pictures in a folder, by class or not, as one uint8 array on disk."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np

from export.data.checks import classes_of
from export.data.wanted import error_prefix, quoted
from export.model.reason import attempt
from train.common.errors import DataError
from train.common.files.npy import NpyWriter, open_npy
from train.common.tensors import TensorSpec

# Pillow's own list is longer, and has formats that start other programs (EPS: Ghostscript).
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
# Files that may lie beside pictures; any other must be a picture.
OTHER_SUFFIXES = frozenset(
    {
        *(".csv", ".db", ".html", ".ini", ".json", ".log", ".md", ".txt"),
        *(".tsv", ".xml", ".yaml", ".yml"),
    }
)


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """What a picture becomes: its size, Pillow's mode, the shape of its array."""

    height: int
    width: int
    mode: str
    shape: tuple[int, ...]


def read_pictures(
    folder: Path,
    spec: TensorSpec,
    output: TensorSpec,
    image_size: tuple[int, int] | None,
    staging: Path,
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Returns the pictures in a folder, resized, and their classes where it has a folder each.

    The classes take turns, so that the first examples are of every class. Colours are as stored
    in the file: turning by EXIF is ignored, as Keras and TensorFlow do when they load pictures.

    Args:
        folder: pictures, or folders of pictures, whose sorted names are the classes 0, 1, ….
        spec: the input that they are for.
        output: the output that tells their classes.
        image_size: height and width that they are resized to; None for the input's own.
        staging: where the array is written.

    Returns:
        The pictures (N, height, width[, channels]) uint8, their classes (N,) and the classes'
        names; None and no names without folders.

    Raises:
        DataError: it holds no pictures or a damaged one, or does not fit the model.
    """
    layout = _layout(spec, image_size)
    classes, pictures = _list_pictures(folder, output)
    target = staging / "pictures.npy"
    with NpyWriter(target, layout.shape, np.dtype(np.uint8)) as writer:
        for path, _ in pictures:
            with error_prefix(str(path.relative_to(folder))):
                writer.append(_pixels(path, layout)[np.newaxis])
    labels = np.array([label for _, label in pictures]) if classes else None
    return open_npy(target), labels, classes


def _layout(spec: TensorSpec, image_size: tuple[int, int] | None) -> _Layout:
    rank = len(spec.shape)
    channels = 1 if rank == 3 else spec.shape[-1] or 3
    if rank not in (3, 4) or channels not in (1, 3):
        raise DataError(
            f"got pictures, expected {spec}; pictures fit (N, height, width), (…, 1) and (…, 3), "
            "give other data as arrays"
        )
    own = spec.shape[1:3]
    height, width = image_size or own
    if height is None or width is None:
        raise DataError(
            f"got pictures for {spec}, which takes any size; give the size with --image-size"
        )
    if (own[0] or height, own[1] or width) != (height, width):
        raise DataError(
            f"got pictures of size {height}×{width}, expected {spec}; leave --image-size out"
        )
    shape = (height, width) if rank == 3 else (height, width, channels)
    return _Layout(height=height, width=width, mode="L" if channels == 1 else "RGB", shape=shape)


def _list_pictures(
    folder: Path, output: TensorSpec
) -> tuple[tuple[str, ...], list[tuple[Path, int]]]:
    """Returns the classes, and the pictures with their class (0 without classes), in turns."""
    classes = sorted(p for p in _visible(folder) if p.is_dir())
    loose = _files(folder)
    if classes and loose:
        raise DataError(
            f"got folders ({quoted(p.name for p in classes)}) and pictures beside them "
            f"({quoted(p.name for p in loose)}), expected either; move one of them"
        )
    expected = classes_of(output)
    if classes and len(classes) != expected:
        takes = f"{expected}, one per class" if expected else "none, the output being no classes"
        raise DataError(
            f"got {len(classes)} class folders ({quoted(p.name for p in classes)}), expected "
            f"{takes}: {output}; an empty folder stands for a class without pictures"
        )
    for path in classes:
        nested = sorted(p.name for p in _visible(path) if p.is_dir())
        if nested:
            raise DataError(
                f"got folders ({quoted(nested)}) inside {path.name!r}, expected pictures; give "
                "the folder that holds the folders of the classes"
            )
    turns = zip_longest(*(_files(path) for path in classes)) if classes else zip(loose, strict=True)
    pictures = [
        (path, label) for turn in turns for label, path in enumerate(turn) if path is not None
    ]
    if not pictures:
        raise DataError("got a folder without pictures, expected some (.png, .jpg, .bmp, …)")
    return tuple(path.name for path in classes), pictures


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX")))


def _files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in _visible(folder)
        if not path.is_dir() and path.suffix.lower() not in OTHER_SUFFIXES
    )


def _pixels(path: Path, layout: _Layout) -> np.ndarray:
    """Returns a picture as an array of the layout's shape, uint8 in 0…255."""
    from PIL import Image

    if not path.is_file():  # a pipe would be waited for without end
        raise DataError("is not a regular file; remove it")
    found = attempt(partial(_decoded, path, layout))
    if isinstance(found, Image.DecompressionBombWarning | Image.DecompressionBombError):
        raise DataError(f"is too large a picture ({found}); scale it down") from found
    if isinstance(found, Exception):
        raise DataError(
            f"is damaged or not a picture ({type(found).__name__}: {found}); remove or replace it"
        ) from found
    if isinstance(found, str):
        raise DataError(
            f"got a picture of mode {found}, expected 8 bits per value; give an array instead"
        )
    return found


def _decoded(path: Path, layout: _Layout) -> np.ndarray | str:
    """Returns a picture as `_pixels` does, or its mode if its values have not 8 bits."""
    from PIL import Image

    size = layout.width, layout.height
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=FORMATS) as image:
            mode: str = image.mode
            if mode[0] in "IF":
                return mode
            pixels = image.convert(layout.mode).resize(size, Image.Resampling.BILINEAR)
            return np.asarray(pixels).reshape(layout.shape)
