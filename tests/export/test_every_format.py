"""One test over every entry of the format table, with the real converters and runtimes."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.formats import BYTES_PER_WEIGHT, FORMATS, Format
from export.pipeline import make
from export.runners import decode, encode, open_runner, predict
from tests.export.conftest import Tiny

ENTRIES = pytest.mark.parametrize("entry", FORMATS.values(), ids=list(FORMATS))


@ENTRIES
def test_the_file_is_what_was_asked_and_does_what_the_model_does(
    entry: Format, tiny: Tiny, tmp_path: Path
) -> None:
    path, verification = make(entry, tiny.source, tiny.expected, tmp_path)
    assert path == tmp_path / f"{entry.name}{entry.suffix}"
    assert verification.failed == ()
    assert {check.name for check in verification.checks} == {
        *("input", "output", "size_bytes", "finite_outputs"),
        *("agreement", "accuracy_drop", "mean_abs_error"),
    }
    assert (verification.input.name, verification.output.name) == ("image", "probabilities")
    assert verification.input.shape == (entry.batch, 28, 28)
    assert verification.output.shape == (entry.batch, 10)
    assert path.stat().st_size >= tiny.expected.weights * BYTES_PER_WEIGHT[entry.weights]

    with open_runner(entry.runtime, path, threads=1) as runner:
        outputs = predict(runner, tiny.expected.inputs)
    agreement = np.mean(outputs.argmax(axis=1) == tiny.expected.outputs.argmax(axis=1))
    assert agreement >= entry.min_agreement
    (recorded,) = (check for check in verification.checks if check.name == "agreement")
    assert recorded.value == agreement


@ENTRIES
def test_the_same_model_gives_the_same_bytes(entry: Format, tiny: Tiny, tmp_path: Path) -> None:
    contents = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        contents.append(make(entry, tiny.source, tiny.expected, folder)[0].read_bytes())
    assert contents[0] == contents[1]


def test_integer_input_takes_a_raw_pixel_less_128(tiny: Tiny, tmp_path: Path) -> None:
    path, verification = make(FORMATS["tflite-int8"], tiny.source, tiny.expected, tmp_path)
    spec = verification.input
    assert spec.scale == pytest.approx(1 / 255, rel=1e-6)
    assert spec.zero_point == -128
    pixels = np.arange(256, dtype=np.uint8)
    stored = encode(pixels.astype(np.float32) / np.float32(255), spec)
    assert stored.dtype == np.int8
    assert np.array_equal(stored, pixels.astype(np.int16) - 128)
    assert np.allclose(decode(stored, spec), pixels / 255, atol=1e-6)
    assert path.exists()


def operators(path: Path) -> list[str]:
    model = schema.ModelT.InitFromPackedBuf(bytearray(path.read_bytes()))
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if name.isupper()}
    (graph,) = model.subgraphs
    return [names[model.operatorCodes[op.opcodeIndex].builtinCode] for op in graph.operators]


def test_the_fixed_batch_leaves_no_shape_arithmetic(tiny: Tiny, tmp_path: Path) -> None:
    path, _ = make(FORMATS["tflite-int8"], tiny.source, tiny.expected, tmp_path)
    assert operators(path) == ["RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX"]


def test_buffers_lie_where_the_schema_wants_them(tiny: Tiny, tmp_path: Path) -> None:
    path, _ = make(FORMATS["tflite-int8"], tiny.source, tiny.expected, tmp_path)
    content = path.read_bytes()
    assert content[4:8] == b"TFL3"
    model = schema.Model.GetRootAs(content, 0)
    filled = 0
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if not buffer.DataIsNone():
            filled += 1
            position = buffer._tab.Vector(buffer._tab.Offset(4))
            assert position % 16 == 0
    assert filled >= 4
