"""How images are seen, and which of them an epoch shows."""

import numpy as np
import pytest
import tensorflow as tf

from train.data.fit_data import VIEWS, kept, seen


@pytest.mark.parametrize("view", range(len(VIEWS)))
def test_views_move_by_a_pixel_at_most(view: int) -> None:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 10, 10] = 200
    moved = seen(tf.constant(image), tf.constant(view)).numpy()
    (row,), (column,) = np.nonzero(moved[0])
    down, right = 1 - VIEWS[view]
    assert (row, column) == (10 + down, 10 + right)
    assert abs(down) + abs(right) == (view > 0)


def test_a_view_is_black_where_nothing_is() -> None:
    moved = seen(tf.constant(np.full((1, 28, 28), 9, np.uint8)), tf.constant(1)).numpy()[0]
    assert (moved[0] == 0).all()
    assert (moved[1:] == 9).all()


def test_what_is_learnt_is_left_out_in_part_and_the_rest_of_it_counts_for_all() -> None:
    losses = np.concatenate([np.full(3_000, 0.1), np.full(1_000, 2.0)]).astype(np.float32)
    shown, weights = kept(losses, 0.6, np.random.default_rng(1))
    learnt = losses[shown] < 1
    assert (~learnt).sum() == 1_000
    assert learnt.sum() == pytest.approx(0.4 * 3_000, rel=0.05)
    assert set(weights[~learnt]) == {1}
    assert np.allclose(weights[learnt], 2.5)
    again, _ = kept(losses, 0.6, np.random.default_rng(2))
    assert not np.array_equal(shown, again)


def test_what_was_never_seen_is_shown() -> None:
    random = np.random.default_rng(1)
    losses = np.array([np.inf] * 50 + [0.1] * 50 + [3.0] * 50, np.float32)
    for never, skipped in ((np.full(150, np.inf, np.float32), 0.9), (losses, 0.0)):
        shown, weights = kept(never, skipped, random)
        assert np.array_equal(shown, np.arange(150))
        assert (weights == 1).all()
    shown, _ = kept(losses, 0.9, random)
    assert set(range(50)) | set(range(100, 150)) <= set(shown)
    assert len(shown) < 150
