from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.convert.calibrate.calibration import tflite_values
from export.convert.make import make
from export.convert.tflite.converter import float_twin
from export.formats.table import FORMATS
from export.verify.distance import distance
from tests.export.conftest import load_source, settings_of
from tests.export.convert.mixed.models import case_of, causal

pytestmark = pytest.mark.slow
ENTRY = FORMATS["tflite-int8"]


def lowest_constant(model: bytes) -> float:
    """The lowest number that the operators of a float file read from it."""
    tree = schema.ModelT.InitFromPackedBuf(model)
    graph = tree.subgraphs[0]
    read = {int(i) for operator in graph.operators for i in operator.inputs if i >= 0}
    tensors = [graph.tensors[index] for index in read]
    floats = [tensor for tensor in tensors if tensor.type == schema.TensorType.FLOAT32]
    stored = [tree.buffers[tensor.buffer].data for tensor in floats]
    return min(
        float(np.asarray(data, np.uint8).view(np.float32).min())
        for data in stored
        if data is not None and len(data)
    )


def test_attention_with_a_causal_mask_keeps_its_outputs_in_int8(tmp_path: Path) -> None:
    case = case_of(causal, tmp_path)
    settings = settings_of(ENTRY)
    twin = float_twin(case.source, ENTRY, settings)
    assert -100 < lowest_constant(twin) < -10
    some = {name: values[:50] for name, values in case.expected.inputs.items()}
    ((name, wanted),) = case.expected.outputs.items()
    found = np.concatenate([values[name] for values in tflite_values(twin, some)])
    # what is masked has a share of e⁻¹⁰ and less
    assert distance(found, wanted[:50], None).centred_snr_db > 60
    settings = replace(settings, calibration_methods=("min-max",))
    made = make(ENTRY, settings, case.source, case.expected, tmp_path)
    assert made.layers is not None
    assert made.layers.outcome.snr_db > 30  # 8.6 with the lowest float32


@pytest.mark.parametrize("reader", ["softmax", "output", "sum"])
def test_only_what_softmaxes_alone_read_is_another_number(reader: str, tmp_path: Path) -> None:
    image = keras.Input((28, 28), name="image")
    x = keras.layers.Dense(10)(keras.layers.Flatten()(image))
    x = keras.ops.where(x > 0, x, -1e9)
    outputs = [keras.layers.Softmax(name="scores")(x)]
    if reader == "output":
        outputs.append(keras.layers.Identity(name="logits")(x))
    if reader == "sum":
        outputs.append(keras.layers.Add(name="sum")([x, keras.ops.relu(x)]))
    keras.Model(image, outputs).save(tmp_path / "model.keras")
    source = load_source(tmp_path / "model.keras", tmp_path)
    lowest = lowest_constant(float_twin(source, ENTRY, settings_of(ENTRY)))
    assert (lowest > -100) == (reader == "softmax")
