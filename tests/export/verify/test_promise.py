"""What a name promises: of weights and activations, and of those of mixed files."""

import pytest

from export.formats.table import FORMATS
from export.verify.graph.contents import Graph
from export.verify.graph.products import Weights
from export.verify.promise import check_promise


def graph(small: str) -> Graph:
    """Returns a small convolution, which does most of the multiplications, and a dense layer."""
    dense = Weights(
        key=0, size=1024, dtype="float32", operator="FULLY_CONNECTED", activations="float32"
    )
    conv = Weights(key=1, size=432, dtype=small, operator="CONV_2D", activations=small)
    return Graph(
        operators=("CONV_2D", "FULLY_CONNECTED"),
        float_operators=(),
        foreign_operators=(),
        depth=2,
        kernels=(),
        weights={"float32": 1024},
        activations={"float32": 1},
        products=(dense, conv),
    )


@pytest.mark.parametrize(
    ("name", "small", "failed"),
    [
        ("tflite-int8", "int8", {"weight_types", "activation_types"}),
        ("tflite-int8-mixed", "int8", set()),  # its limit is of multiplications
        ("tflite-int8-mixed", "float32", {"weight_types"}),
    ],
)
def test_most_of_a_file_is_as_its_name_says(name: str, small: str, failed: set[str]) -> None:
    checks = check_promise(FORMATS[name], graph(small))
    assert {check.name for check in checks if not check.passed} == failed
