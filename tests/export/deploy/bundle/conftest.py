"""A bundle of synthetic exports."""

from pathlib import Path

import pytest

from export.deploy.bundle.build import BundleConfig, write_bundle
from tests.bundles import write_inputs


@pytest.fixture
def config(tmp_path: Path) -> BundleConfig:
    return write_inputs(tmp_path)


@pytest.fixture
def bundle(config: BundleConfig) -> Path:
    write_bundle(config)
    return config.target
