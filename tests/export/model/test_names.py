from collections import namedtuple

import pytest

from export.model.signature import fill, flatten, identifier, path_name, unique

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
