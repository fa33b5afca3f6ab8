import numpy as np
import pytest

from export.convert.mixed.probes.operators import Operator
from export.convert.mixed.trials import suspects


@pytest.mark.parametrize(
    ("weights", "tried"), [(1_000, 100), (5_000_000, 100), (10_000_000, 50), (500_000_000, 16)]
)
def test_the_larger_the_model_the_fewer_operators_are_quantized_alone(
    weights: int, tried: int
) -> None:
    random = np.random.RandomState(weights % 1_000)
    own: dict[str, float | None] = {f"op{n}": float(random.uniform(0, 90)) for n in range(200)}
    own["op7"] = None  # adds none
    operators = [Operator(name=name, members=(name,), kind="ADD", output=name) for name in own]
    few, others = suspects(operators, own, weights)
    assert len(few) == tried
    assert {each.name for each in (*few, *others)} == own.keys()
    ratios = [own[each.name] for each in (*few, *others)]
    assert ratios[-1] is None
    known = [ratio for ratio in ratios if ratio is not None]
    assert known == sorted(known)
