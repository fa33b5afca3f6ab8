"""Each cause, of an operator that has it and no other."""

from collections.abc import Mapping

import numpy as np

from export.convert.mixed.causes import Seen, cause_of
from export.convert.mixed.probes.figures import Figures
from export.convert.mixed.probes.operators import Operator, Range

RANDOM = np.random.RandomState(0)


def figures(values: np.ndarray, limits: Range | None = None, axis: int | None = 1) -> Figures:
    found = Figures()
    for example in values:
        found.add_float(example[np.newaxis], axis, limits)
    return found


def said(
    values: np.ndarray,
    limits: Range | None = None,
    inputs: Mapping[str, tuple[np.ndarray, Range | None]] | None = None,
    **fields: object,
) -> str:
    """What is said of an operator with this output, by the ranges and values around it."""
    known = inputs or {}
    operator = Operator(
        **{"name": "out", "members": ("out",), "kind": "CONV_2D", "output": "out", **fields},  # type: ignore[arg-type]
        inputs=tuple(known),
        range=limits,
    )
    of = figures(values, limits)
    ranges = {name: found for name, (_, found) in known.items() if found is not None}
    ranges |= {"out": limits} if limits is not None else {}
    return cause_of(
        Seen(
            operator=operator,
            figures=of,
            around={"out": of, **{name: figures(v) for name, (v, _) in known.items()}},
            ranges=ranges,
            layers={"boxes": "boxes", "scores": "scores"},
        )
    )


def spanning(low: float, high: float) -> Range:
    return Range(low=low, high=high, step=(high - low) / 255)


def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
    values = RANDOM.normal(0, scale, shape).clip(-3 * scale, 3 * scale)
    return values.astype(np.float32)


def test_a_mask_is_told_with_a_constant_that_would_do() -> None:
    scores = np.linspace(-3, 3, 160, dtype=np.float32).reshape(20, 8)
    text = said(scores, spanning(-1e9, 3), {"scores": (scores, None)}, constants=(1e9,))
    assert "a constant of 1e+09 beside values of at most 3" in text
    assert "a step of its range is 3.92e+06" in text
    assert "a constant of -16 would mask as well" in text


def test_a_softmax_that_reads_a_mask() -> None:
    mask = (normal(20, 8), spanning(-1e9, 0))
    text = said(normal(20, 8) ** 2, spanning(0, 9), {"scores": mask}, kind="SOFTMAX")
    assert "reads 'scores' in steps of 3.92e+06" in text


def test_tensors_of_different_scale() -> None:
    scores = np.linspace(-0.3, 0.3, 160, dtype=np.float32).reshape(20, 8)
    boxes = 2000 * scores
    text = said(
        np.concatenate([boxes, scores], 1),
        spanning(-600, 600),
        {"boxes": (boxes, None), "scores": (scores, None)},
        kind="CONCATENATION",
    )
    assert "puts 'boxes', which spans 1.2e+03, and 'scores', which spans 0.6, into" in text


def test_an_outlier_channel_of_the_output() -> None:
    values = normal(20, 8)
    values[:, 3] *= 400
    assert "outlier channel 3 of 8 spans" in said(values, spanning(-1200, 1200))


def test_an_outlier_channel_of_weights_with_one_scale() -> None:
    weights = normal(8, 100)
    weights[5] *= 300
    text = said(normal(20, 8), spanning(-3, 3), weights=weights, per_tensor=True)
    assert "those of outlier channel 5 reach" in text
    assert "outlier" not in said(normal(20, 8), spanning(-3, 3), weights=weights)


def test_a_coarse_input() -> None:
    given = normal(20, 8)
    given[:, 3] *= 400
    text = said(normal(20, 8), spanning(-3, 3), {"boxes": (given, spanning(-1200, 1200))})
    assert "reads 'boxes', whose one scale leaves the median channel" in text


def test_values_beyond_the_range() -> None:
    text = said(normal(20, 8), spanning(-1, 1))
    assert "of its values, which reach from -" in text
    assert "lie outside its range of -1 to 1" in text


def test_a_range_that_is_hardly_used() -> None:
    assert "use 30% of the -10 to 10 that its scale holds" in said(
        normal(400, 8).clip(-3, 3), spanning(-10, 10)
    )


def test_a_float_island_with_what_it_converts() -> None:
    text = said(
        normal(20, 8), spanning(-3, 3), {"boxes": (normal(20, 4), spanning(-3, 3))}, in_float=True
    )
    assert text.startswith("a float island: 4 integers become floats before it and 8 floats")


def test_nothing_stands_out() -> None:
    assert said(normal(400, 8), spanning(-3, 3)).startswith("no fault of its own")
