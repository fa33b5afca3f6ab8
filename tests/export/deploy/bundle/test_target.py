"""A bundle replaces an older bundle, and nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest

from export.deploy.bundle.build import BundleConfig, write_bundle
from export.deploy.bundle.launcher import problem_with
from train.common.errors import ArtifactError
from train.common.files.staging import publish


def test_an_older_bundle_is_replaced_as_a_whole(config: BundleConfig, bundle: Path) -> None:
    (bundle / "benchmark" / "__pycache__").mkdir()
    (bundle / "benchmark" / "__pycache__" / "x.pyc").write_text("")
    write_bundle(replace(config, images=3))
    assert problem_with(bundle) is None
    assert not (bundle / "benchmark" / "__pycache__").exists()
    assert [path.name for path in bundle.parent.iterdir()] == ["edge"]


def test_an_older_bundle_stays_if_the_new_one_cannot_be_moved(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        publish([tmp_path / "never made"], bundle.parent)
    assert problem_with(bundle) is None
    assert [path.name for path in bundle.parent.iterdir()] == ["edge"]


def test_an_empty_folder_is_taken(config: BundleConfig) -> None:
    config.target.mkdir(parents=True)
    write_bundle(config)
    assert problem_with(config.target) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("artifacts/benchmark.json", "also holds artifacts/benchmark.json, which would be lost"),
        ("predict.py", "is not whole"),
    ],
)
def test_results_and_changes_in_an_older_bundle_are_not_lost(
    config: BundleConfig, bundle: Path, name: str, expected: str
) -> None:
    (bundle / name).write_text("mine")
    with pytest.raises(ArtifactError, match=expected):
        write_bundle(config)
    assert (bundle / name).read_text() == "mine"


def test_a_folder_of_something_else_is_refused(config: BundleConfig) -> None:
    config.target.mkdir(parents=True)
    (config.target / "thesis.tex").write_text("mine")
    with pytest.raises(ArtifactError, match="folder with other things in it; move it"):
        write_bundle(config)
    assert (config.target / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize("name", ["file", "file.tar.gz"])
def test_a_file_of_something_else_is_refused(config: BundleConfig, name: str) -> None:
    target = config.target.with_name(name)
    target.parent.mkdir(parents=True)
    target.write_text("mine")
    with pytest.raises(ArtifactError, match="move it, or give another place with --bundle"):
        write_bundle(replace(config, target=target))
    assert target.read_text() == "mine"
