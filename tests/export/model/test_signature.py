from collections import namedtuple

import pytest

from export.model.request import Shape
from export.model.signature import (
    fill,
    flatten,
    identifier,
    open_dimensions,
    path_name,
    unique,
    with_shapes,
)
from train.common.errors import ToolkitError
from train.common.tensors import TensorSpec

Pair = namedtuple("Pair", "left right")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image", "image"),
        ("serving/image:0", "serving_image_0"),
        ("1x", "tensor_1x"),
        ("__hidden", "hidden"),
        ("class", "class_"),
        ("größe", "gr__e"),
        ("", "tensor"),
        ("_", "tensor"),
    ],
)
def test_identifiers(text: str, expected: str) -> None:
    assert identifier(text) == expected
    assert identifier(text).isidentifier()


def test_names_become_unique() -> None:
    assert unique(["x", "x", "x_1", "y"]) == ("x", "x_1", "x_1_1", "y")
    assert unique(["x"], taken=["x"]) == ("x_1",)


def test_structures_are_flattened_in_keras_order_and_filled_again() -> None:
    structure = {"b": [1, (2, None)], "a": Pair(3, 4)}
    leaves = flatten(structure)
    assert [leaf for _, leaf in leaves] == [3, 4, 1, 2, None]
    assert leaves[0][0] == ("a", 0)
    filled = fill(structure, "vwxyz")
    assert filled == {"a": Pair("v", "w"), "b": ["x", ("y", "z")]}
    assert isinstance(filled["a"], Pair)
    assert flatten("leaf") == [((), "leaf")]


def test_paths_are_named_by_their_keys() -> None:
    assert path_name((), "output") == "output"
    assert path_name((1,), "output") == "output_1"
    assert path_name(("boxes", 0), "output") == "boxes_0"


def spec(name: str, *shape: int | None) -> TensorSpec:
    return TensorSpec(name=name, shape=shape, dtype="float32")


SPECS = (spec("image", None, None, None, 3), spec("size", None, 2))


def test_open_sizes_are_fixed_and_the_batch_is_not() -> None:
    fixed = with_shapes(SPECS, {"image": (1, 96, None, 3)})
    assert [s.shape for s in fixed] == [(None, 96, None, 3), (None, 2)]


def test_names_are_taken_as_the_user_knows_them() -> None:
    (fixed,) = with_shapes([spec("x_1", None, None)], {"x-1": (1, 7)})
    assert fixed.shape == (None, 7)


def test_sizes_of_data_seen_once_do_not_bind() -> None:
    (fixed,) = with_shapes([spec("x", None, 5)], {"x": (1, 7)}, binding=False)
    assert fixed.shape == (None, 7)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"picture": (1, 2)}, "'picture', expected an input of the model: image, size"),
        ({"image": (1, 96, 96)}, r"image=1,96,96 of 3 sizes, expected 4: .* \(\?, \?, \?, 3\)"),
        ({"image": (1, 96, 96, 1)}, "expected only open sizes to differ"),
    ],
)
def test_contradictions_are_refused(shapes: dict[str, Shape], message: str) -> None:
    with pytest.raises(ToolkitError, match=message):
        with_shapes(SPECS, shapes)


def test_open_dimensions_name_the_option_that_fixes_them() -> None:
    assert open_dimensions(SPECS) == (
        "input 'image' is (?, ?, ?, 3); fix it with --shape image=1,224,224,3"
    )
    assert open_dimensions(SPECS[1:]) is None
