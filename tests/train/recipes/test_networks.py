"""Networks as descriptions: what these say is what Keras builds."""

import keras
import pytest

from train.fit.model import build_model
from train.recipes.networks import Block, Mlp, Separable, Student, memory, multiplications, weights
from train.recipes.recipe import RECIPES, Hyperparameters

pytestmark = pytest.mark.slow  # it builds networks with Keras

NETWORKS = (
    Mlp(units=(32,)),
    Mlp(units=(24, 12), pooled=True),
    Separable(filters=8, blocks=(Block(filters=12), Block(filters=24, stride=2, kernel=5))),
    Separable(filters=4, blocks=(Block(filters=8, stride=2),), kernel=5, stride=1, pooling="max"),
    Separable(filters=4, blocks=(Block(filters=8),), stride=1, pooled=True),
)


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_a_description_counts_what_the_exported_network_stores_and_computes(
    network: Student,
) -> None:
    chosen = Hyperparameters(units=8, learning_rate=1e-3, recipe=RECIPES["cnn"], network=network)
    model = build_model(chosen)
    stored = computed = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            stored += layer.beta.shape[0]  # folded into a bias
            continue
        kernels = [weight for weight in layer.weights if len(weight.shape) > 1]
        stored += sum(int(keras.ops.size(weight)) for weight in layer.weights)
        positions = 1
        if len(layer.output.shape) == 4:
            positions = layer.output.shape[1] * layer.output.shape[2]
        computed += positions * sum(int(keras.ops.size(kernel)) for kernel in kernels)
    assert (weights(network), multiplications(network)) == (stored, computed)


def test_the_most_that_a_layer_reads_and_writes_is_counted() -> None:
    assert memory(Mlp(units=(32,))) == 32 + 10
    assert memory(Mlp(units=(32,), pooled=True)) == 196 + 32
    assert memory(NETWORKS[2]) == 14 * 14 * (8 + 12)
