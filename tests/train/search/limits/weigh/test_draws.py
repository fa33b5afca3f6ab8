"""What a search begins with."""

import numpy as np

from train.search.limits.space.built_in import BuiltIn
from train.search.limits.weigh.draws import in_turn


def test_where_a_cost_is_to_be_small_each_design_begins_with_its_widest_and_goes_down() -> None:
    starts = BuiltIn(np.zeros(784, np.float32)).starts()
    turns = in_turn(starts)
    assert all(len(each) == 1 for each in turns)
    first = [turn[0] for turn in turns[: len(starts)]]
    assert first == [design[0] for design in reversed(starts)]
    units = [turn[0]["units"] for turn in turns if turn[0].get("mlp_pooled") is False]
    assert units == sorted(units, reverse=True)
    assert len(turns) < sum(map(len, starts))
