"""The same model gives the same bytes, in this process and in every other."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import REPOSITORY
from tests.export.conftest import Tiny
from tests.export.convert.repeated import (
    CONVERSIONS,
    LAYERS,
    convert_all,
    save_convolutional,
    save_recurrent,
)

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow


@pytest.mark.slow
def test_another_process_gives_the_same_bytes(tiny: Tiny, tmp_path: Path) -> None:
    """Addresses differ in each, and TFLite's converter goes by them where it may.

    This process has converted to ONNX before, the other has not.
    """
    tiny.made("onnx-float32")
    for kind in LAYERS:
        save_recurrent(kind, tiny.path.with_name(f"{kind}.keras"))
    save_convolutional(tiny.path.with_name("convolutional.keras"))
    folders = [tmp_path / name for name in ("here", "there")]
    convert_all(tiny.path.parent, folders[0], CONVERSIONS)
    command = [sys.executable, "-m", "tests.export.convert.repeated"]
    command += [str(tiny.path.parent), str(folders[1]), *CONVERSIONS]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    for model, conversions in CONVERSIONS.items():
        for name, method in conversions:
            contents = {
                path.read_bytes()
                for folder in folders
                for path in (folder / model).glob(f"{name}-{method}.*")
            }
            assert len(contents) == 1, (model, name)
