import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export.manifest import (
    Calibration,
    Check,
    FineTuning,
    Manifest,
    Observation,
    Source,
    WeightScheme,
    check_file,
    read_manifest,
)
from tests.benchmark.report.contents import LAYERS
from tests.examples import MIXTURE
from train.common.errors import ArtifactError
from train.common.files.artifact import file_sha256, sealed, write_json
from train.common.preprocessing import Preprocessing
from train.common.tensors import TensorSpec


def write_manifest(folder: Path) -> Manifest:
    path = folder / "tflite-int8.tflite"
    path.write_bytes(b"model")
    manifest = Manifest(
        path=folder / "tflite-int8.json",
        format="tflite-int8",
        runtime="litert",
        file=path.name,
        sha256=file_sha256(path),
        size_bytes=5,
        gzip_bytes=25,
        options={"batch": 1},
        source=Source(file="model.keras", sha256="s", accuracy=0.9),
        inputs=(
            TensorSpec(name="image", shape=(1, 28, 28), dtype="int8", scale=0.5, zero_point=-1),
        ),
        outputs=(TensorSpec(name="probabilities", shape=(None, 10), dtype="float32"),),
        preprocessing={"image": Preprocessing(scale=1 / 255, offset=0.0)},
        labels=("a", "b"),
        calibration=Calibration(
            count=500,
            sha256="c",
            examples=("00", "ff"),
            method="min-max",
            candidates={"min-max": 0.9},
            clipped_share=None,
            halves_difference=0.1,
        ),
        checks=(Check(name="agreement", value=0.99, limit=">= 0.9", passed=True),),
        observations=(Observation(name="tflm_flips", value=0.5),),
        versions={"numpy": "1"},
        created="2026-01-01T00:00:00+00:00",
        operators={"FULLY_CONNECTED": 2, "SOFTMAX": 1},
        fine_tuning=FineTuning(before=0.91, after=0.92, standard_error=0.002, kept=True),
        weight_scheme=WeightScheme(
            scheme="uint8 per channel",
            candidates={"int8 per channel": 12.5, "uint8 per channel": 34.7},
            target_cpu="this",
            processor="Fast CPU, x86_64 without dot products",
            sums_overflow=True,
            holds_for="every processor",
        ),
    )
    write_json(manifest.path, manifest.as_json())
    return manifest


def test_a_failed_check_is_said_in_words_and_few_digits() -> None:
    found = Check.at_least("variation_db:price", 1.3565774059040407, 6.5)
    assert found.reason == "check centred SNR in dB of price: got 1.357, expected >= 6.5"
    cosine = Check.at_least("cosine", 0.999987654, 0.99999)
    assert cosine.reason == "check cosine similarity: got 0.999988, expected >= 0.99999"
    sizes = Check(name="size_bytes", value=144160, limit="30934 to 65456", passed=False)
    assert sizes.reason == "check size in bytes: got 144160, expected 30934 to 65456"


def test_round_trip(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    assert read_manifest(manifest.path) == manifest
    check_file(manifest)


def test_the_contracts_fields_are_there(tmp_path: Path) -> None:
    content = json.loads(write_manifest(tmp_path).path.read_text())
    assert set(content) == {
        *("schema_version", "format", "runtime", "file", "sha256", "size_bytes", "source"),
        *("inputs", "outputs", "preprocessing", "labels", "calibration", "checks"),
        *("versions", "created", "gzip_bytes", "options", "seal", "operators"),
        *("fine_tuning", "observations", "weight_scheme", "layers", "mixture", "parts"),
    }
    assert content["schema_version"] == 1
    (output,) = content["outputs"]
    assert output["shape"] == [None, 10]
    assert set(output) == {"name", "shape", "dtype", "scale", "zero_point"}


def test_what_operators_cost_and_what_is_in_float_are_read_back(tmp_path: Path) -> None:
    written = replace(write_manifest(tmp_path), layers=LAYERS, mixture=MIXTURE)
    write_json(written.path, written.as_json())
    found = read_manifest(written.path)
    assert (found.layers, found.mixture) == (LAYERS, MIXTURE)
    assert MIXTURE.text == "1 of 8 operators in float (head), 90% of the multiplications in int8"


def test_a_manifest_of_before_operators_were_counted_is_read(tmp_path: Path) -> None:
    path = write_manifest(tmp_path).path
    content = json.loads(path.read_text())
    del content["operators"]
    write_json(path, sealed(content))
    assert read_manifest(path).operators is None


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": None},
        {"size_bytes": "many"},
        {"source": {}},
        {"inputs": [{"name": "image"}]},
        {"inputs": None},
        {"preprocessing": []},
        {"calibration": {"count": 3}},
        {"checks": [1]},
        {"operators": {"SOFTMAX": "many"}},
    ],
)
def test_garbled_fields_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = write_manifest(tmp_path).path
    write_json(path, sealed(json.loads(path.read_text()) | changes))
    with pytest.raises(ArtifactError, match=r"(got|has no) .*--format tflite-int8` again"):
        read_manifest(path)


@pytest.mark.parametrize("scale", [0, -1])
def test_a_scale_must_be_positive(tmp_path: Path, scale: float) -> None:
    path = write_manifest(tmp_path).path
    content = json.loads(path.read_text())
    content["inputs"][0]["scale"] = scale
    write_json(path, sealed(content))
    with pytest.raises(ArtifactError, match=r"inputs 1: got scale .*expected a number in"):
        read_manifest(path)


def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    path = write_manifest(tmp_path).path
    path.write_text(path.read_text().replace('"size_bytes": 5', '"size_bytes": NaN'))
    with pytest.raises(ArtifactError, match="NaN is not a JSON number"):
        read_manifest(path)


@pytest.mark.parametrize(
    "edit",
    [
        ('"accuracy": 0.9', '"accuracy": 0.99'),
        ('"passed": true', '"passed": false'),
        ('"seal": "', '"seal": "0'),
        ('"count": 500', '"count": 600'),
    ],
)
def test_an_edited_manifest_is_refused(tmp_path: Path, edit: tuple[str, str]) -> None:
    path = write_manifest(tmp_path).path
    assert edit[0] in path.read_text()
    path.write_text(path.read_text().replace(*edit))
    with pytest.raises(ArtifactError, match=r"was edited since it was written.*int8` again"):
        read_manifest(path)


def test_layout_and_order_of_fields_do_not_matter(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    content = json.loads(manifest.path.read_text())
    manifest.path.write_text(json.dumps(dict(reversed(content.items()))))
    assert read_manifest(manifest.path) == manifest


def test_recorded_values_of_checks_and_observations(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    assert manifest.recorded("agreement") == 0.99
    assert manifest.recorded("tflm_flips") == 0.5
    assert manifest.recorded("snr_db") is None


def test_manifests_of_earlier_versions_have_no_observations(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    content = json.loads(manifest.path.read_text())
    del content["observations"]
    write_json(manifest.path, sealed(content))
    assert read_manifest(manifest.path) == replace(manifest, observations=())


@pytest.mark.parametrize("changes", [{"file": "../model.tflite"}, {"format": "onnx-int8"}])
def test_a_manifest_of_something_else_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = write_manifest(tmp_path).path
    write_json(path, sealed(json.loads(path.read_text()) | changes))
    with pytest.raises(ArtifactError, match="expected format 'tflite-int8' and a file beside it"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "is not there"), (b"mode", "got 4 bytes, expected 5"), (b"mOdel", "got SHA-256")],
)
def test_a_changed_file_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    manifest = write_manifest(tmp_path)
    if content is None:
        manifest.artifact_path.unlink()
    else:
        manifest.artifact_path.write_bytes(content)
    with pytest.raises(ArtifactError, match=message):
        check_file(manifest)
