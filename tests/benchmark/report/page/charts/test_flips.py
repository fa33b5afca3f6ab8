import base64
import io

import numpy as np
import pytest
from PIL import Image

from benchmark.report.page.charts.flips import MAX_SHOWN, flips, picture
from export.data.test_data import are_pictures
from tests.benchmark.report.contents import (
    EXTREMES,
    GAINED,
    IMAGES,
    LOST,
    NEITHER,
    content_of,
    measured,
    read,
)


def opened(uri: str) -> Image.Image:
    kind, _, content = uri.partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_flips_are_named_by_who_is_right() -> None:
    (found,) = flips(read(content_of(measured("a", flips={**LOST, **GAINED, **NEITHER}))), IMAGES)
    assert (found.total, found.counts) == (3, {"lost": 1, "gained": 1, "neither": 1})
    assert [(flip.kind, flip.number) for flip in found.shown] == [
        *(("lost", 0), ("gained", 57), ("neither", 58)),
    ]
    assert [(flip.truth, flip.before, flip.after) for flip in found.shown[1:]] == [
        ("T-shirt|top", "<script>alert('1')</script>", "T-shirt|top"),
        ("<script>alert('1')</script>", "Bag", "T-shirt|top"),
    ]


def test_the_pictures_are_the_test_images() -> None:
    (found,) = flips(read(content_of(measured("a", flips=GAINED))), IMAGES)
    assert np.array_equal(np.asarray(opened(found.shown[0].picture or "")), IMAGES[57])


def test_no_kind_crowds_out_another() -> None:
    many = {**dict.fromkeys(range(0, 57, 3), 1), **GAINED, **NEITHER}
    (found,) = flips(read(content_of(measured("a", flips=many))), IMAGES)
    assert found.counts == {"lost": 19, "gained": 1, "neither": 1}
    assert [flip.kind for flip in found.shown] == ["lost"] * (MAX_SHOWN - 2) + ["gained", "neither"]


def test_without_labels_a_flip_is_a_change() -> None:
    (found,) = flips(read(EXTREMES["no labels"]), IMAGES)  # the broken row has none
    assert found.counts == {"changed": 1}
    assert found.shown[0].truth is None


@pytest.mark.parametrize(
    ("shape", "size"), [((28, 28), (28, 28)), ((8, 9, 1), (9, 8)), ((96, 128, 3), (64, 48))]
)
def test_images_of_other_shapes(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    images = np.full((60, *shape), 200, np.uint8)
    assert are_pictures(images)
    assert opened(picture(images[0])).size == size


@pytest.mark.parametrize(
    "images", [np.zeros((60, 28, 28), np.float32), np.zeros((60, 7), np.uint8)]
)
def test_what_is_no_picture_is_not_shown(images: np.ndarray) -> None:
    (found,) = flips(read(content_of(measured("a", flips=LOST))), None)
    assert not are_pictures(images)
    assert found.shown[0].picture is None
