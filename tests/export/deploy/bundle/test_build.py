"""What goes into a bundle, what is refused, and that it is there whole or not at all."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.deploy.bundle.archive import unpack
from export.deploy.bundle.build import BundleConfig, write_bundle
from export.deploy.bundle.code import code_files
from export.deploy.bundle.launcher import problem_with
from export.formats.table import FORMATS
from export.manifest import read_manifest
from tests.bundles import COUNT, NAMES, write_inputs
from tests.commands import REPOSITORY, assert_one_line_error, run_module
from tests.test_light_imports import BLOCKER, RUNTIMES, TENSORFLOW
from train.common.errors import ArtifactError
from train.common.files.artifact import write_json
from train.common.reference_outputs import check_reference, load_outputs
from train.data.fashion_mnist import load_evaluation


def test_the_images_are_the_first_ones_and_the_reference_is_keyed_by_them(
    config: BundleConfig,
) -> None:
    said = write_bundle(replace(config, images=12))
    assert "2 exports and 12 of 30 test images" in said
    test, whole = load_evaluation(config.target / "data"), load_evaluation(config.data)
    for name, values in {**whole.inputs, **whole.targets}.items():
        assert np.array_equal({**test.inputs, **test.targets}[name], values[:12])
    assert list(test.targets) == ["probabilities"]
    reference = load_outputs(config.target / "artifacts")
    check_reference(reference, test)
    outputs = load_outputs(config.artifacts).outputs["probabilities"]
    assert np.array_equal(reference.outputs["probabilities"], outputs[:12])
    with pytest.raises(ArtifactError, match="belong to other test data"):
        check_reference(reference, whole)


def test_images_without_labels(tmp_path: Path) -> None:
    config = replace(write_inputs(tmp_path, labelled=False), images=5)
    write_bundle(config)
    test = load_evaluation(config.target / "data")
    assert test.targets == {}
    assert not (config.target / "data" / "labels.npy").exists()
    check_reference(load_outputs(config.target / "artifacts"), test)


def test_it_holds_what_a_device_needs_and_nothing_else(bundle: Path) -> None:
    files = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    code = {name for name in files if name.split("/")[0] in ("benchmark", "export", "train")}
    assert files - code == {
        *(
            "artifacts/model.outputs.npz",
            "artifacts/tflite-int8.json",
            "artifacts/onnx-float32.json",
        ),
        *("artifacts/tflite-int8.tflite", "artifacts/onnx-float32.onnx"),
        *("data/images.npy", "data/labels.npy"),
        *("predict.py", "labels.txt", "requirements.txt", "README.txt", "bundle.json"),
    }
    assert not any(name.startswith(("benchmark/remote", "export/bundle")) for name in code)
    for name in NAMES:
        assert read_manifest(bundle / "artifacts" / f"{name}.json").format == name
    assert (bundle / "labels.txt").read_text() == "a\nb\nc\n"
    lock = (bundle / "requirements.txt").read_text()
    assert lock == (REPOSITORY / "requirements-device.txt").read_text()
    assert len((bundle / "predict.py").read_text().splitlines()) < 60


def test_every_module_imports_in_the_bundle_alone(bundle: Path) -> None:
    """From another folder than the repository, without what a device does not have."""
    modules = [
        ".".join(path.relative_to(bundle).with_suffix("").parts).removesuffix(".__init__")
        for path in bundle.rglob("*.py")
        if path.relative_to(bundle).parts[0] in ("benchmark", "export", "train")
    ]
    code = BLOCKER.format(blocked={*TENSORFLOW, *RUNTIMES}) + (
        "import importlib\n"
        f"for name in {modules}:\n"
        "    found = importlib.import_module(name).__file__\n"
        f"    assert found.startswith({str(bundle)!r}), found\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=bundle, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "benchmark.command" in modules


def test_imports_inside_functions_are_found(tmp_path: Path) -> None:
    for name, text in {
        "benchmark/__init__.py": "",
        "benchmark/__main__.py": "def f():\n    from export.a import thing\n",
        "benchmark/templates/page.html": "",
        "benchmark/remote/run.py": "import export.unused",
        "export/__init__.py": "",
        "export/a.py": "from train import b\nimport numpy",
        "export/unused.py": "",
        "train/__init__.py": "",
        "train/b.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert set(code_files(tmp_path)) == {
        *("benchmark/__init__.py", "benchmark/command.py", "benchmark/templates/page.html"),
        *("export/__init__.py", "export/a.py", "train/__init__.py", "train/b.py"),
    }


def test_the_command_verifies_the_bundle_first(bundle: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "benchmark", *arguments],
            cwd=bundle,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("--help").returncode == 0
    for name, change in (
        ("train/common/command/cli.py", "garbled ("),
        ("benchmark/pipeline.py", None),
    ):
        before = (bundle / name).read_text()
        if change is None:
            (bundle / name).unlink()
        else:
            (bundle / name).write_text(change)
        done = run("--help")
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith("error: ")
        assert name in done.stderr
        (bundle / name).write_text(before)
    assert run("--help").returncode == 0
    done = run("--host", "pi")
    assert done.returncode == 2
    assert "error: got --host in a bundle" in done.stderr


def test_an_archive_holds_the_same(config: BundleConfig, tmp_path: Path) -> None:
    write_bundle(config)
    archive = tmp_path / "edge.tar.gz"
    write_bundle(replace(config, target=archive))
    write_bundle(replace(config, target=archive))
    (tmp_path / "unpacked").mkdir()
    found = unpack(archive, tmp_path / "unpacked")
    assert found.name == "edge"
    assert problem_with(found) is None
    assert (found / "bundle.json").read_bytes() == (config.target / "bundle.json").read_bytes()


def test_formats_are_chosen(config: BundleConfig) -> None:
    write_bundle(replace(config, formats=(FORMATS["onnx-float32"],)))
    assert json.loads((config.target / "bundle.json").read_text())["formats"] == ["onnx-float32"]
    assert not (config.target / "artifacts" / "tflite-int8.json").exists()


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("absent", r"no exports in .*; run `python -m export --format all`"),
        ("file", r"tflite-int8.tflite: got SHA-256 .*`python -m export --format tflite-int8`"),
        ("model", r"made from another model.*run `python -m export --format tflite-int8` again"),
    ],
)
def test_exports_that_prove_nothing_are_refused_and_nothing_is_written(
    config: BundleConfig, damage: str, expected: str
) -> None:
    if damage == "absent":
        for path in config.artifacts.glob("*.json"):
            path.unlink()
    elif damage == "file":
        path = config.artifacts / "tflite-int8.tflite"
        path.write_bytes(path.read_bytes().swapcase())
    else:
        path = config.artifacts / "tflite-int8.json"
        manifest = read_manifest(path)
        write_json(
            path, replace(manifest, source=replace(manifest.source, sha256="older")).as_json()
        )
    with pytest.raises(ArtifactError, match=expected):
        write_bundle(config)
    assert not config.target.parent.exists()


def test_a_format_that_is_not_there(config: BundleConfig) -> None:
    with pytest.raises(ArtifactError, match=r"no onnx-int8 in .*--format onnx-int8`"):
        write_bundle(replace(config, formats=(FORMATS["onnx-int8"],)))


def test_more_images_than_there_are_are_all(config: BundleConfig) -> None:
    assert "30 of 30 test images" in write_bundle(replace(config, images=COUNT + 1))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--force"], "options of a conversion"),
        (["--sparsity", "0.5"], "options of a conversion"),
        (["--bundle-images", "0"], "got '0', expected an integer in 1…"),
        (["--format", "tflm"], "unknown format 'tflm'"),
        (["--artifacts", "ABSENT"], "run `python -m train`"),
    ],
)
def test_bad_options(tmp_path: Path, arguments: list[str], expected: str) -> None:
    arguments = [text.replace("ABSENT", str(tmp_path / "absent")) for text in arguments]
    done = run_module("export", "--bundle", tmp_path / "edge", *arguments)
    assert_one_line_error(done, expected)
    assert list(tmp_path.iterdir()) == []


def test_images_for_no_bundle() -> None:
    done = run_module("export", "--format", "all", "--bundle-images", "all")
    assert_one_line_error(done, "got --bundle-images without --bundle")
    done = run_module("benchmark", "--bundle-images", "7")
    assert_one_line_error(done, "got --bundle-images without --host")


def test_the_command_makes_one_without_tensorflow(config: BundleConfig) -> None:
    arguments = ["--bundle", config.target, "--bundle-images", "all"]
    arguments += ["--artifacts", config.artifacts, "--data", str(config.data)]
    code = BLOCKER.format(blocked={*TENSORFLOW, *RUNTIMES}) + (
        f"import runpy\nsys.argv[1:] = {list(map(str, arguments))}\n"
        "runpy.run_module('export', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "2 exports and 30 of 30 test images" in done.stdout
    assert problem_with(config.target) is None
