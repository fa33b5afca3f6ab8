"""The networks that are trained can be built, and are as small as their training time allows."""

import pytest

from tests.zoo.trained.run import NAMES

pytestmark = pytest.mark.slow  # it imports Keras


def test_every_network_classifies_small_pictures() -> None:
    from tests.zoo.trained.networks import CLASSES, NETWORKS, SHAPE

    assert tuple(NETWORKS) == NAMES
    for build in NETWORKS.values():
        network = build()
        assert network.input_shape == (None, *SHAPE)
        assert network.output_shape == (None, CLASSES)
        assert network.count_params() < 1_000_000
