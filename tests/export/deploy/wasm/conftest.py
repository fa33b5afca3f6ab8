"""A tiny model as a WebAssembly module, as it is and clustered."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from export.convert.job.inputs import ConversionInputs
from export.deploy.c.proof import provable
from export.deploy.wasm.package import (
    FOLDER,
    MANIFEST_FILE,
    MODULE_FILE,
    OWN_BYTES,
    SCRIPT_FILE,
    make_package,
)
from export.manifest import Manifest, read_manifest
from tests.conftest import synthetic
from tests.export.conftest import Tiny
from tests.export.deploy.conftest import LABELS, NOW, inputs_of
from tests.export.deploy.wasm.tools import MOST_OVER_BYTES, need_tools
from train.common.record import ModelRecord
from train.data.fashion_mnist import as_samples

HELD_OUT = synthetic(400, seed=3)


@pytest.fixture
def inputs(tiny: Tiny, record: ModelRecord) -> ConversionInputs:
    """What the tiny model was converted with, held-out images with their classes among it."""
    need_tools()
    held_out = replace(as_samples(HELD_OUT.images, HELD_OUT.labels), class_names=LABELS)
    return replace(inputs_of(tiny, record), held_out=held_out)


@pytest.fixture
def folder(converted: tuple[Path, Manifest], inputs: ConversionInputs) -> Path:
    """The files that were made."""
    told = make_package(*converted, inputs, NOW, provable=provable)
    assert "the same bytes as LiteRT's reference kernels on all 400 held-out examples" in told
    folder = inputs.record.folder / FOLDER
    manifest = read_manifest(folder / MANIFEST_FILE)
    (own,) = (float(each.value) for each in manifest.observations if each.name == OWN_BYTES)
    sent = sum(
        len(gzip.compress((folder / name).read_bytes())) for name in (MODULE_FILE, SCRIPT_FILE)
    )
    assert manifest.gzip_bytes == sent <= own + MOST_OVER_BYTES
    assert f"{sent / 1000:.1f} kB to transfer with model.mjs (gzip; the file's weights" in told
    return folder
