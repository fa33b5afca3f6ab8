"""Which arrays fit which inputs, and which targets which outputs."""

from collections.abc import Mapping

import numpy as np
import pytest

from export.data import checks as checks_module
from export.data.checks import check_samples, validate_target
from tests.export.data.opened import spec, wanted
from train.common.errors import DataError
from train.common.samples import Samples
from train.common.tensors import TensorSpec

INDEX = TensorSpec(name="out", shape=(None,), dtype="int32")
RANKS = TensorSpec(name="out", shape=(None, 3), dtype="int64")
CLASSES, YES, FLAT_YES, MASK = (spec("out", 3), spec("out", 1), spec("out"), spec("out", 2, 2, 3))


def passed(values: np.ndarray, what: TensorSpec) -> np.ndarray:
    return check_samples(Samples(inputs={what.name: values}), wanted(what)).inputs[what.name]


@pytest.mark.parametrize(
    ("shape", "wanted_shape", "found_shape"),
    [
        ((5, 4), (4,), (5, 4)),
        ((5, 4), (None,), (5, 4)),
        ((5,), (), (5,)),
        ((5,), (1,), (5, 1)),
        ((5, 28, 28), (28, 28, 1), (5, 28, 28, 1)),
        ((5, 28, 28), (None, None, 1), (5, 28, 28, 1)),
        ((5, 28, 28), (28, 28), (5, 28, 28)),
    ],
)
def test_shapes_that_fit(
    shape: tuple[int, ...], wanted_shape: tuple[int | None, ...], found_shape: tuple[int, ...]
) -> None:
    assert passed(np.zeros(shape), spec("x", *wanted_shape)).shape == found_shape


@pytest.mark.parametrize(
    ("shape", "wanted_shape"),
    [
        ((5, 4), (5,)),
        ((5,), (4,)),
        ((5,), (None,)),
        ((5, 7), (7, 1)),
        ((5, 28, 28), (28, 28, 3)),
        ((5, 28, 28), (28, 28, None)),
        ((5, 28, 28, 1), (28, 28)),
        ((5, 1), ()),
    ],
)
def test_shapes_that_do_not_fit(
    shape: tuple[int, ...], wanted_shape: tuple[int | None, ...]
) -> None:
    with pytest.raises(DataError, match=r"input 'x': got shape \(5.*, expected x \(\?.*; reshape"):
        passed(np.zeros(shape), spec("x", *wanted_shape))


@pytest.mark.parametrize(
    ("dtype", "wanted_dtype", "fits"),
    [
        ("bool", "float32", True),
        ("uint8", "float32", True),
        ("int64", "float16", True),
        ("float64", "float32", True),
        (">f4", "bfloat16", True),
        ("int64", "int8", True),
        ("uint8", "int8", True),
        ("uint64", "int64", True),
        ("bool", "int32", False),
        ("float32", "int32", False),
        ("bool", "bool", True),
        ("uint8", "bool", False),
    ],
)
def test_dtypes(dtype: str, wanted_dtype: str, fits: bool) -> None:
    what = spec("x", 2, dtype=wanted_dtype)
    if fits:
        assert passed(np.ones((3, 2), dtype), what).dtype == dtype
    else:
        with pytest.raises(DataError, match=r"input 'x': got .*, expected x .*; convert it with"):
            passed(np.ones((3, 2), dtype), what)


def test_an_input_of_text_takes_nothing() -> None:
    with pytest.raises(DataError, match=r"the model's input x \(\?, 2\) string takes no numbers"):
        passed(np.ones((3, 2)), spec("x", 2, dtype="string"))


@pytest.mark.parametrize(
    ("dtype", "value", "wanted_dtype", "message"),
    [
        ("uint8", 128, "int8", "got 128 in example 2, expected -128 to 127, what int8 holds"),
        ("int16", -1, "uint8", "got -1 in example 2, expected 0 to 255, what uint8 holds"),
        ("uint64", 2**63, "int64", "got 9223372036854775808 in example 2, expected -922337203685"),
        ("int64", 2**31, "int32", "got 2147483648 in example 2, expected -2147483648 to 2147483"),
        ("float32", np.nan, "float32", "got nan in example 2, expected finite values"),
        ("float16", -np.inf, "float32", "got -inf in example 2, expected finite values"),
        ("float64", 1e300, "float32", r"got 1e\+300 in example 2, expected finite values within"),
    ],
)
def test_values_that_do_not_fit(
    dtype: str, value: float, wanted_dtype: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks_module, "CHUNK_BYTES", 1)  # a row at a time
    values = np.zeros((4, 2), dtype)
    values[2:, 1] = value
    with pytest.raises(DataError, match=f"input 'x': {message}"):
        passed(values, spec("x", 2, dtype=wanted_dtype))
    assert len(passed(values[:2], spec("x", 2, dtype=wanted_dtype))) == 2


@pytest.mark.parametrize(
    ("values", "output", "expected"),
    [
        (np.array([0, 2, 1]), CLASSES, [0, 2, 1]),
        (np.array([[0], [2]], np.uint8), CLASSES, [0, 2]),
        (np.eye(3)[[2, 0]], CLASSES, [2, 0]),
        (np.eye(3, dtype=np.int8)[[2, 0]], CLASSES, [2, 0]),
        (np.eye(3, dtype=bool)[[2, 0]], CLASSES, [2, 0]),
        (np.array([[0.5, 0.25, 0.25], [1, 0, 0]]), CLASSES, [[0.5, 0.25, 0.25], [1, 0, 0]]),
        (np.array([0, 1]), YES, [0, 1]),
        (np.array([False, True]), YES, [0, 1]),
        (np.array([[False], [True]]), FLAT_YES, [0, 1]),
        (np.array([0.5, 7.0]), YES, [[0.5], [7.0]]),
        (np.array([[0.5], [7.0]]), YES, [[0.5], [7.0]]),
        (np.array([0.5, 7.0]), FLAT_YES, [0.5, 7.0]),
        (np.array([0.5, 7.0])[:, np.newaxis], spec("out", None), [[0.5], [7.0]]),
        (np.full((1, 2, 2, 3), 0.5), MASK, np.full((1, 2, 2, 3), 0.5).tolist()),
        (np.array([30, 41], np.uint8), INDEX, [30, 41]),  # the output has no number of classes
        (np.array([[4, 0, 9]]), RANKS, [[4, 0, 9]]),
    ],
)
def test_targets_that_fit(values: np.ndarray, output: TensorSpec, expected: object) -> None:
    found = validate_target(values, output)
    assert found.tolist() == expected
    assert found.dtype.kind in ("f" if np.array(expected).dtype.kind == "f" else "iu")


@pytest.mark.parametrize(
    ("values", "output", "message"),
    [
        (
            np.array([0, 1, 3, 9]),
            CLASSES,
            r"labels outside the classes: got 3 in example 2, expected 0…2; give the model's own",
        ),
        (np.array([0, -1]), CLASSES, r"got -1 in example 1, expected 0…2"),
        (
            np.array([30, 41]),
            YES,
            r"got 30 in example 0, expected 0…1; give other values as floats",
        ),
        (
            np.array([0.0, 1.0]),
            CLASSES,
            r"got float64 of shape \(2,\), expected the shape of out \(",
        ),
        (np.array([True, False]), CLASSES, r"got bool of shape \(2,\), expected integer classes"),
        (np.zeros((2, 4), int), CLASSES, r"got int64 of shape \(2, 4\), expected integer classes"),
        (np.array([[1, 0, 0], [1, 1, 0]]), CLASSES, r"got no single 1 in row 1 of \(2, 3\)"),
        (np.array([[1, 0, 0], [0, 0, 0]]), CLASSES, r"got no single 1 in row 1 of \(2, 3\)"),
        (np.array([[1, 2, 0], [1, 0, 0]]), CLASSES, r"got no single 1 in row 0 of \(2, 3\)"),
        (np.array([[0.5, np.nan, 0]]), CLASSES, r"got nan in example 0, expected finite values"),
        (np.array([0.5, np.inf]), YES, r"got inf in example 1, expected finite values"),
        (
            np.zeros((2, 2)),
            YES,
            r"got float64 of shape \(2, 2\), expected the shape of out \(\?, 1\)",
        ),
        (np.zeros((2, 2), int), FLAT_YES, r"got int64 of shape \(2, 2\), expected integer classes"),
        (np.zeros((1, 2, 2, 2)), MASK, r"expected the shape of out \(\?, 2, 2, 3\) float32$"),
        (np.zeros((1, 2, 2), int), MASK, r"got int64, expected float values of the output out"),
        (np.zeros(2, int), spec("out", None), r"got int64, expected float values of the output"),
        (np.array([0.0, 1.0]), INDEX, r"got float64 of shape \(2,\), expected integers of the sh"),
        (np.array([0, 1]), RANKS, r"got int64 of shape \(2,\), expected integers of the shape of"),
    ],
)
def test_targets_that_do_not_fit(values: np.ndarray, output: TensorSpec, message: str) -> None:
    with pytest.raises(DataError, match=message):
        validate_target(values, output)


def test_one_hot_rows_are_looked_at_in_every_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_module, "CHUNK_BYTES", 48)  # two rows at a time
    classes = np.array([0, 2, 1, 1, 2])
    rows = np.eye(3)[classes]
    assert np.array_equal(validate_target(rows, CLASSES), classes)
    rows[4] = 0.5
    assert validate_target(rows, CLASSES) is rows


def test_targets_are_named_in_messages() -> None:
    inputs: Mapping[str, np.ndarray] = {"values": np.ones((1, 4))}
    found = Samples(inputs=inputs, targets={"classes": np.array([3])})
    with pytest.raises(DataError, match=r"^target of 'classes': labels outside the classes: got 3"):
        check_samples(found, wanted())
