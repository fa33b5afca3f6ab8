"""What is in a `.tflite` file, and that nothing of it is missed."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from export.convert.tflite.file.builder import ALIGNMENT_BYTES, pack, unpack
from export.convert.tflite.file.parts import parts_of
from export.convert.tflite.file.shipped import stripped
from export.formats.settings import ExportOptions
from export.runtimes.litert import KERNELS, LiteRTRunner
from export.runtimes.runner import Values
from tests.export.conftest import Tiny

KEPT = ExportOptions(keep_metadata=True)
NAMES = ("tflite-int8", "tflite-float32", "tflite-dynamic", "tflite-int16x8")


def outputs(path: Path, kernels: str, values: np.ndarray) -> list[Values]:
    with LiteRTRunner(path, threads=1, mode=kernels) as runner:
        dtype = np.dtype(runner.inputs[0].dtype)
        given = values if dtype.kind == "f" else values * np.iinfo(dtype).max
        return [np.copy(runner.invoke(each[np.newaxis].astype(dtype))) for each in given]


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_the_same_bytes_with_metadata_and_without(
    tiny: Tiny, name: str, kernels: str
) -> None:
    images = next(iter(tiny.expected.inputs.values()))[:8]
    small, whole = (
        outputs(tiny.made(name, options).path, kernels, images) for options in (None, KEPT)
    )
    np.testing.assert_array_equal(small, whole)


@pytest.mark.parametrize("options", [None, KEPT])
@pytest.mark.parametrize("name", NAMES)
def test_every_byte_is_accounted_for(tiny: Tiny, name: str, options: ExportOptions | None) -> None:
    path = tiny.made(name, options).path
    found = parts_of(path.read_bytes())
    stored = sum(len(b.data) for b in unpack(path.read_bytes()).buffers if b.data is not None)
    assert found.total == path.stat().st_size
    assert found.weights == stored or (options and found.weights < stored)  # some is metadata
    assert min(found.weights, found.graph, found.rest) > 0
    assert (found.scales > 16) == (name != "tflite-float32")


def test_a_file_of_other_bytes_is_not_accounted_for(tiny: Tiny) -> None:
    content = tiny.made("tflite-int8").path.read_bytes()
    with pytest.raises(ValueError, match="written as others"):
        parts_of(content + bytes(16))


def test_only_inputs_and_outputs_have_names(tiny: Tiny) -> None:
    content = tiny.made("tflite-int8").path.read_bytes()
    tree = unpack(content)
    graph = tree.subgraphs[0]
    named = {index: each.name for index, each in enumerate(graph.tensors) if each.name}
    assert named == {int(graph.inputs[0]): b"image", int(graph.outputs[0]): b"probabilities"}
    assert tree.signatureDefs is tree.metadata is tree.description is None
    assert b"CONVERSION_METADATA" not in content


def test_names_metadata_and_signature_are_kept_where_that_is_asked_for(tiny: Tiny) -> None:
    path = tiny.made("tflite-int8", KEPT).path
    interpreter = Interpreter(model_path=str(path))
    signatures = interpreter.get_signature_list()
    assert [*signatures.values()] == [{"inputs": ["image"], "outputs": ["probabilities"]}]
    assert all(details["name"] for details in interpreter.get_tensor_details())
    assert b"CONVERSION_METADATA" in path.read_bytes()
    small = tiny.made("tflite-int8").path
    assert small.read_bytes() == stripped(path.read_bytes())
    assert small.stat().st_size < path.stat().st_size


def test_equal_tables_are_written_once_and_weights_lie_where_the_schema_wants_them(
    tiny: Tiny,
) -> None:
    content = tiny.made("tflite-int8").path.read_bytes()
    tree = unpack(content)
    again = unpack(content)
    again.subgraphs[0].tensors += again.subgraphs[0].tensors
    count = len(tree.subgraphs[0].tensors)
    assert pack(tree, len(content)) == content
    assert len(pack(again, len(content))) <= len(content) + 4 * count + ALIGNMENT_BYTES
    for buffer in tree.buffers:
        if buffer.data is not None and len(buffer.data) >= ALIGNMENT_BYTES:
            assert content.index(buffer.data.tobytes()) % ALIGNMENT_BYTES == 0
