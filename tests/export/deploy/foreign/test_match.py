"""Inputs and outputs of a stranger's file beside those of the model."""

from pathlib import Path

import pytest

from export.deploy.foreign.match import match
from train.common.errors import ArtifactError
from train.common.tensors import TensorSpec

Shape = tuple[int | None, ...]


def spec(
    name: str, shape: Shape = (None, 4), dtype: str = "float32", *, scaled: bool = False
) -> TensorSpec:
    return TensorSpec(
        name=name,
        shape=shape,
        dtype=dtype,
        scale=0.5 if scaled else None,
        zero_point=0 if scaled else None,
    )


def names(found: list[TensorSpec], wanted: list[TensorSpec]) -> list[str]:
    return [each.name for each in match(Path("v.tflite"), "input", found, wanted)]


@pytest.mark.parametrize(
    "name", ["image", "serving_default_image:0", "image:0", "StatefulPartitionedCall:0", "x"]
)
def test_the_only_one_is_it_whatever_its_name(name: str) -> None:
    found = spec(name, (1, 4), "int8", scaled=True)
    (matched,) = match(Path("v.tflite"), "input", [found], [spec("image")])
    assert (matched.name, matched.dtype, matched.shape) == ("image", "int8", (1, 4))


def test_names_decide_where_shapes_are_the_same() -> None:
    assert names([spec("b"), spec("serving_default_a:0")], [spec("a"), spec("b")]) == ["b", "a"]


def test_one_name_is_enough_for_two_of_a_shape() -> None:
    assert names([spec("x"), spec("a")], [spec("a"), spec("b")]) == ["b", "a"]


def test_shapes_decide_where_names_are_others() -> None:
    wanted = [spec("a", (None, 4)), spec("b", (None, 2, 2))]
    assert names([spec("y", (1, 2, 2)), spec("z", (1, 4))], wanted) == ["b", "a"]


def test_what_they_hold_decides_where_shapes_are_the_same() -> None:
    wanted = [spec("ids", (None, 4), "int32"), spec("values")]
    found = [spec("p", (1, 4), "int8", scaled=True), spec("q", (1, 4), "int32")]
    assert names(found, wanted) == ["values", "ids"]


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        ([spec("x"), spec("y")], [spec("a"), spec("b")], "one alone that fits it, or its name"),
        ([spec("x", (1, 5))], [spec("a")], "one that fits it among the model's a"),
        ([spec("a", (1, 5))], [spec("a")], "its shape among the model's a"),
        ([spec("x", (1, 2, 2))], [spec("a")], "one that fits it"),
        ([spec("a"), spec("b")], [spec("a")], "expected 1 of them among"),
        ([], [spec("a")], "got input none, expected 1 of them"),
    ],
)
def test_what_fits_none_or_several_is_refused(
    found: list[TensorSpec], wanted: list[TensorSpec], expected: str
) -> None:
    with pytest.raises(ArtifactError, match=expected):
        match(Path("v.tflite"), "input", found, wanted)
