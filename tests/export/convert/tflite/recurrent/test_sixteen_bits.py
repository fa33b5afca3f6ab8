"""The quantizer to 16 bits changes constants in place, and is given each as often as it is read."""

import numpy as np

from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.flatbuffer import finish, unshare
from export.convert.tflite.recurrent.builder import CODES, TYPES, Builder
from tests.export.convert.tflite.recurrent.layers import empty_model, file_of, run


def shared() -> tuple[Builder, bytes]:
    """Two dense layers of one bias, whose values are a third one's too."""
    on = empty_model()
    x = on.tensor((1, 4), TYPES.FLOAT32)
    kernel = on.constant(np.ones((4, 4)), TYPES.FLOAT32)
    bias = on.constant(np.arange(4), TYPES.FLOAT32)
    first, second, output = (on.tensor((1, 4), TYPES.FLOAT32) for _ in range(3))
    on.add(CODES.FULLY_CONNECTED, [x, kernel, bias], [first])
    on.add(CODES.FULLY_CONNECTED, [first, kernel, bias], [second])
    again = on.tensor((4,), TYPES.FLOAT32)
    on.graph.tensors[again].buffer = on.graph.tensors[bias].buffer
    on.add(CODES.MUL, [second, again], [output])
    return on, file_of(on, [x], output)


def test_no_two_readers_share_what_the_quantizer_changes() -> None:
    tree = unpack(shared()[1])
    unshare(tree)
    graph = unpack(pack(tree, 10_000)).subgraphs[0]
    first, second, product = graph.operators
    places = [graph.tensors[i].buffer for i in (first.inputs[2], second.inputs[2])]
    places.append(graph.tensors[product.inputs[1]].buffer)
    assert len(set(places)) == 3
    assert first.inputs[1] == second.inputs[1]  # weights have one unit for all that read them


def test_what_is_the_same_in_the_end_is_stored_once() -> None:
    tree = unpack(shared()[1])
    unshare(tree)
    content = pack(tree, 10_000)
    made = finish(content, inputs=["layer/0"], outputs=["layer/5"])
    stored = [bytes(buffer.data) for buffer in unpack(made).buffers if buffer.data is not None]
    assert len(stored) == len(set(stored))
    given = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    assert np.array_equal(run(made, given), run(shared()[1], given))
