"""Of several sparsities, the first that loses nothing that matters is made."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.convert import make as making
from export.convert.candidates.made import Made
from export.convert.candidates.trials import CONVERTERS
from export.convert.tflite.file.builder import FILE_IDENTIFIER
from export.convert.tflite.flatbuffer import finish
from export.formats.settings import ExportOptions, Settings
from export.formats.table import FORMATS, Format
from export.manifest import Check
from export.verify.file import Verification
from tests.export.conftest import Tiny, settings_of
from train.common.errors import CheckError

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow


def test_the_sparsest_that_passes_verification_is_made(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A converter that prunes everything away, unless half of it is enough."""
    pruned, dense = FORMATS["tflite-int8-pruned"], FORMATS["tflite-int8"]
    real, tried = CONVERTERS["tflite"].convert, []

    def prune(entry: Format, settings: Settings, *rest: Any) -> bytes:
        tried.append(settings.sparsities)
        content: bytes = real(dense, settings_of(dense), "min-max", tiny.source)
        graph = schema.ModelT.InitFromPackedBuf(bytearray(content))
        for buffer in graph.buffers:
            if buffer.data is not None and len(buffer.data) > 1_000:
                kept = 0 if settings.sparsities == (0.6,) else len(buffer.data) // 2
                magnitudes = np.abs(buffer.data.view(np.int8).astype(int))
                buffer.data[np.argsort(magnitudes)[: len(buffer.data) - kept]] = 0
        builder = flatbuffers.Builder()
        builder.Finish(graph.Pack(builder), file_identifier=FILE_IDENTIFIER)
        packed = bytes(builder.Output())
        return finish(packed, inputs=["image"], outputs=["probabilities"])

    monkeypatch.setitem(CONVERTERS, "tflite", SimpleNamespace(convert=prune))
    made = tiny.make(pruned, tmp_path)
    assert tried == [(0.6,), (0.4,)]
    (sparsity,) = (check for check in made.verification.checks if check.name == "sparsity")
    assert 0.39 <= float(sparsity.value) <= 0.6
    with pytest.raises(CheckError, match="agreement"):
        tiny.make(pruned, tmp_path, ExportOptions(sparsity=0.6))


def test_no_drop_is_put_down_to_chance_while_a_lower_sparsity_is_left(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 60 % the accuracy drops by more than the limit, within chance: 40 % is tried too."""
    pruned = FORMATS["tflite-int8-pruned"]
    over = Check(name="accuracy_drop", value=0.012, limit="<= 0.015", passed=True)
    within = replace(over, value=0.009)
    tried = []

    def make_one(entry: Format, settings: Settings, *_: Any, **__: Any) -> Made:
        tried.append(settings.sparsities)
        check = within if settings.sparsities == (0.2,) else over
        verification = Verification(inputs=(), outputs=(), operators={}, checks=(check,))
        return Made(path=tmp_path / "made", verification=verification, calibration=None)

    monkeypatch.setattr(making, "_make", make_one)
    assert tiny.make(pruned, tmp_path).verification.checks == (within,)
    assert tried == [(0.6,), (0.4,), (0.2,)]
    asked = tiny.make(pruned, tmp_path, ExportOptions(sparsity=0.6))
    assert asked.verification.checks == (over,)
