"""Operators and what the resolver calls them."""

from dataclasses import replace
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema

from export.deploy.microcontroller.arena import measure_arena
from export.deploy.microcontroller.operators import add_methods
from export.manifest import Manifest
from tests.export.conftest import Tiny, with_operator
from tests.export.deploy.microcontroller.conftest import package, stored_inputs
from train.common.errors import ArtifactError
from train.common.files.artifact import file_sha256
from train.common.record import ModelRecord


def test_operators_are_named_as_the_resolver_names_them() -> None:
    found = add_methods(["CONV_2D", "FULLY_CONNECTED", "CONV_2D", "CUMSUM"])
    assert found == {
        "CONV_2D": "AddConv2D",
        "FULLY_CONNECTED": "AddFullyConnected",
        "CUMSUM": "AddCumSum",
    }
    with pytest.raises(ArtifactError, match="TFLM has no operator GELU, CUSTOM, expected"):
        add_methods(["SOFTMAX", "GELU", "CUSTOM", "GELU"])


def test_a_model_with_an_operator_that_tflm_lacks_leaves_the_earlier_files(
    converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord
) -> None:
    folder = package(converted, tiny, record)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    path, manifest = converted
    path.write_bytes(with_operator(path.read_bytes(), schema.BuiltinOperator.GELU))
    changed = replace(manifest, sha256=file_sha256(path))
    with pytest.raises(ArtifactError, match=r"^tflm: TFLM has no operator GELU"):
        package((path, changed), tiny, record)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    # the table could be ahead of the interpreter, which then says so itself
    with pytest.raises(ArtifactError, match=r"^tflm: TFLM has no operator GELU"):
        measure_arena(path, stored_inputs(manifest, tiny), folder.parent)
