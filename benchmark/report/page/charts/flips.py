"""The test images whose class an export changes, as pictures inside the page."""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from PIL import Image

from benchmark.results.run import Data, Run

MAX_SHOWN = 12
MAX_PIXELS = 64  # of a picture's longer side
KINDS = ("lost", "gained", "neither", "changed")


@dataclass(frozen=True, kw_only=True)
class Flip:
    """One image.

    Attributes:
        number: its place in the test data, from 0.
        kind: `lost`: only the Keras model is right; `gained`: only the export is; `neither`: both
            are wrong; `changed`: there are no labels.
        truth: its class; None without labels.
        before, after: the class that the Keras model and the export see in it.
        picture: a data URI; None where the images are no pictures.
    """

    number: int
    kind: str
    truth: str | None
    before: str
    after: str
    picture: str | None


@dataclass(frozen=True, kw_only=True)
class Flips:
    """Those of one export: how many of each kind, and some of them."""

    name: str
    total: int
    counts: dict[str, int]
    shown: list[Flip]


def flips(run: Run, images: np.ndarray | None) -> list[Flips]:
    """Returns what each measured export changes.

    Args:
        run: what was found.
        images: (N, h, w) or (N, h, w, 1 or 3) uint8, the test images; None where the data is no
            pictures.
    """
    before = run.source.predicted
    if before is None:
        return []
    return [
        _flips(row.name, row.predicted, before, run.data, images)
        for row in run.results
        if row.predicted is not None
    ]


def _flips(
    name: str,
    after: np.ndarray,
    before: np.ndarray,
    data: Data,
    images: np.ndarray | None,
) -> Flips:
    flipped, labels = after != before, data.labels
    if labels is None:
        kinds = {"changed": np.flatnonzero(flipped)}
    else:
        lost, gained = flipped & (before == labels), flipped & (after == labels)
        masks = (lost, gained, flipped & ~lost & ~gained)
        kinds = dict(zip(KINDS, map(np.flatnonzero, masks), strict=False))
    chosen = sorted(list(_in_turns(kinds))[:MAX_SHOWN], key=lambda found: KINDS.index(found[0]))
    return Flips(
        name=name,
        total=int(flipped.sum()),
        counts={kind: int(indices.size) for kind, indices in kinds.items()},
        shown=[
            Flip(
                number=index,
                kind=kind,
                truth=None if labels is None else class_name(data, int(labels[index])),
                before=class_name(data, int(before[index])),
                after=class_name(data, int(after[index])),
                picture=None if images is None else picture(images[index]),
            )
            for kind, index in chosen
        ],
    )


def _in_turns(kinds: dict[str, np.ndarray]) -> Iterator[tuple[str, int]]:
    """Yields one image of each kind, then the next of each, so that none crowds out another."""
    for several in zip_longest(*kinds.values()):
        for kind, index in zip(kinds, several, strict=True):
            if index is not None:
                yield kind, int(index)


def class_name(data: Data, label: int) -> str:
    """Returns the name of a class, or its number where it has none."""
    return data.classes[label] if label < len(data.classes) else str(label)


def picture(image: np.ndarray) -> str:
    """Returns an image, (h, w) or (h, w, 1 or 3) uint8, as the data URI of a PNG."""
    shown = Image.fromarray(image[..., 0] if image.shape[2:] == (1,) else image)
    shown.thumbnail((MAX_PIXELS, MAX_PIXELS))
    content = io.BytesIO()
    shown.save(content, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
