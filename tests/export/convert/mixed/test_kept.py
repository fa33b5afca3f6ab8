"""A mixed file is held to what its manifest says is in float."""

from dataclasses import replace
from pathlib import Path

import pytest

from export.convert.candidates.trials import convert
from export.formats.table import FORMATS
from export.layer_report import Mixture
from export.verify.promise import check_kept
from tests.examples import MANIFEST
from tests.export.conftest import Tiny, settings_of
from train.common.errors import ArtifactError

pytestmark = pytest.mark.slow
NAME = "tflite-int8-mixed"


def test_what_its_manifest_does_not_say_may_not_be_in_float(tiny: Tiny, tmp_path: Path) -> None:
    made = tiny.made(NAME)
    plain = made.mixture
    assert plain is not None
    assert made.layers is not None
    last = made.layers.operators[-1]
    assert last.operator == "SOFTMAX"
    settings = replace(settings_of(FORMATS[NAME]), float_operators=(last.name,))
    path = tmp_path / f"{NAME}.tflite"
    path.write_bytes(convert(FORMATS[NAME], settings, "min-max", tiny.source))
    known = replace(plain, float_operators={"SOFTMAX": 1})

    def check(mixture: Mixture | None, file: Path) -> None:
        found = replace(MANIFEST, format=NAME, path=file.with_suffix(".json"), file=file.name)
        options = {"io_dtype": "float32"}
        check_kept(replace(found, runtime="litert", mixture=mixture, options=options))

    check(plain, made.path)
    check(known, path)
    for mixture, file in ((plain, path), (None, path), (known, made.path)):
        with pytest.raises(ArtifactError, match=r"float operators: got .* expected those of its"):
            check(mixture, file)
