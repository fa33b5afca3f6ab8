"""Means and maxima over all pixels: pooled where the channels are, with the same values."""

import numpy as np
import pytest

from export.convert.onnx.graph.pool import pool_globally
from tests.export.convert.onnx.graph.test_fold import Node, model_of, op, outputs

LAST, FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
MIDDLE = np.array([1, 2])


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize(
    ("operator", "pool"), [("ReduceMean", "GlobalAveragePool"), ("ReduceMax", "GlobalMaxPool")]
)
@pytest.mark.parametrize(
    ("shape", "order", "axes"),
    [((3, 5, 4), LAST, MIDDLE), ((3, 5, 4), LAST, np.array([-2, 1])), ((3, 6), (0, 2, 1), [1])],
)
def test_it_becomes_the_pooling_of_the_image_as_it_was(
    shape: tuple[int, ...],
    order: tuple[int, ...],
    axes: np.ndarray,
    operator: str,
    pool: str,
    keepdims: int,
) -> None:
    model = model_of(
        shape,
        op("Relu"),
        op("Transpose", perm=order),
        op(operator, np.asarray(axes), keepdims=keepdims),
        op("Relu"),
    )
    before = outputs(model, shape)
    pool_globally(model)
    found = [node.op_type for node in model.graph.node]
    assert found == ["Relu", pool, "Transpose" if keepdims else "Flatten", "Relu"]
    after = outputs(model, shape)
    assert after.shape == before.shape
    assert np.allclose(after, before, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("before", [[], [op("Transpose", perm=LAST)]])
def test_so_it_does_where_the_channels_are_the_second_axis(
    before: list[Node], keepdims: int
) -> None:
    shape = (3, 5, 4)
    pooled = op("ReduceMean", np.array([2, 3]), keepdims=keepdims)
    model = model_of(shape, *before, pooled, op("Relu"))
    wanted = outputs(model, shape)
    pool_globally(model)
    behind = [] if keepdims else ["Flatten"]
    found = [node.op_type for node in model.graph.node]
    assert found == [*(name for name, _, _ in before), "GlobalAveragePool", *behind, "Relu"]
    after = outputs(model, shape)
    assert after.shape == wanted.shape
    assert np.allclose(after, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "nodes",
    [
        [op("Transpose", perm=LAST), op("ReduceMean", np.array([1]))],
        [op("Transpose", perm=LAST), op("ReduceMean", np.array([1, 2, 3]))],
        [op("Transpose", perm=FIRST), op("ReduceMean", MIDDLE)],
        [op("ReduceMean", np.array([3]))],
        [op("Transpose", perm=LAST), op("ReduceSum", MIDDLE)],
    ],
)
def test_any_other_stays(nodes: list[Node]) -> None:
    model = model_of((3, 5, 4), *nodes)
    pool_globally(model)
    assert [node.op_type for node in model.graph.node] == [operator for operator, _, _ in nodes]


def test_what_reads_the_moved_image_too_keeps_it() -> None:
    shape = (3, 5, 4)
    model = model_of(
        shape, op("Transpose", perm=LAST), op("ReduceMean", MIDDLE), op("Add", 1), op("Relu")
    )
    before = outputs(model, shape)
    pool_globally(model)
    assert [node.op_type for node in model.graph.node][:2] == ["Transpose", "GlobalAveragePool"]
    assert np.allclose(outputs(model, shape), before, rtol=1e-5, atol=1e-6)
