"""The limits that outputs are held to."""

import numpy as np
import pytest

from export.formats import FORMATS
from export.manifest import Check
from export.verify.distance import Distance
from export.verify.expectation import Expectation
from export.verify.outputs import check_distance
from train.common.tensors import TensorSpec

INT8 = FORMATS["tflite-int8"]
COUNT = 1_000
SPEC = TensorSpec(name="scores", shape=(None, 3), dtype="float32")
EXPECTED = Expectation(
    input_specs=(),
    output_specs=(SPEC,),
    weights=1,
    inputs={"x": np.zeros((COUNT, 1))},
    labels={"scores": np.zeros(COUNT, int)},
    outputs={"scores": np.zeros((COUNT, 3))},
)
GOOD = {
    "finite": 1.0,
    "agreement": 0.98,
    "accuracy_drop": 0.01,
    "max_abs_error": 0.3,
    "snr_db": 25.0,
    "centred_snr_db": 20.0,
    "cosine": 0.995,
}


@pytest.mark.parametrize(
    ("measure", "value", "failed"),
    [
        ("finite", 1.0, []),
        ("finite", 0.999, ["finite_outputs"]),
        ("agreement", 0.94, ["agreement"]),
        ("accuracy_drop", 0.03, ["accuracy_drop"]),  # most of what changed its class was right
        ("max_abs_error", 0.7, ["max_abs_error"]),
        ("snr_db", 17.0, ["snr_db"]),
        ("centred_snr_db", 11.0, ["variation_db"]),  # an answer that hardly changes
        ("cosine", 0.98, ["cosine"]),
    ],
)
def test_every_distance_alone_can_fail_a_file(
    measure: str, value: float, failed: list[str]
) -> None:
    found = Distance(**{**GOOD, measure: value}, accuracy=0.9, span=1.0)
    checks = check_distance("scores", found, INT8, EXPECTED, noise=1.0)
    assert [c.name for c in checks if isinstance(c, Check) and not c.passed] == failed
