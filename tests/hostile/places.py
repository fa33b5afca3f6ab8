"""Where the commands look for files, and what reads them there."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from benchmark.measure.settings import MeasureSettings
from benchmark.measure.variants import find_manifests, find_variants
from benchmark.results.read import read_run
from export.data.test_data import open_evaluation
from export.deploy.bundle.archive import unpack
from export.deploy.bundle.launcher import problem_with
from export.deploy.ethos_u.manifest import read_npu_manifest
from export.deploy.foreign.interface import read_foreign
from export.model.request import ModelRequest
from train.command.repeat import recorded_options
from train.common.errors import ToolkitError
from train.common.record import read_model_record
from train.common.reference_outputs import OUTPUTS_FILE, load_outputs

SETTINGS = MeasureSettings(samples=1_000, rounds=5, launches=1, max_seconds=1)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A file that is read: what reads it, given a folder with a sound one, and its name there.

    `read` returns what was said of the odd file; None where it was taken for a sound one.
    """

    name: str
    file: str
    read: Callable[[Path], str | None]


def said_of_manifest(place: Path) -> str | None:
    """Returns the problem of the row of a manifest that was changed."""
    found = open_evaluation(place / "artifacts", place / "images", None, _scratch(place))
    manifests = find_manifests(place / "artifacts", None)
    with patch("benchmark.measure.variants.check_kept"):  # the files here hold no model
        built = place / "built"
        variants = find_variants(manifests, SETTINGS, found.reference, found.samples, built=built)
    return next(v.problem for v in variants if v.format == "tflite-int8")


def said_of_bundle(place: Path) -> str | None:
    """Returns what the launcher says of a bundle."""
    return problem_with(place / "edge")


def _scratch(place: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=place))


def _refusal(read: Callable[[Path], object]) -> Callable[[Path], str | None]:
    def said(place: Path) -> str | None:
        try:
            read(place)
        except ToolkitError as error:
            return str(error)
        return None

    return said


PLACES = (
    Place(name="manifest", file="artifacts/tflite-int8.json", read=said_of_manifest),
    Place(name="exported file", file="artifacts/tflite-int8.tflite", read=said_of_manifest),
    Place(
        name="added file",
        file="artifacts/tflite-int8.tflite",
        read=_refusal(lambda place: read_foreign(place / "artifacts" / "tflite-int8.tflite")),
    ),
    Place(
        name="NPU's manifest",
        file="artifacts/tflite-int8.json",
        read=_refusal(lambda place: read_npu_manifest(place / "artifacts" / "tflite-int8.json")),
    ),
    Place(
        name="reference outputs",
        file=f"artifacts/{OUTPUTS_FILE}",
        read=_refusal(lambda place: load_outputs(place / "artifacts", _scratch(place))),
    ),
    Place(
        name="record",
        file="artifacts/model.json",
        read=_refusal(lambda place: read_model_record(place / "artifacts")),
    ),
    Place(
        name="--from",
        file="artifacts/model.json",
        read=_refusal(lambda place: recorded_options(place / "artifacts" / "model.json")),
    ),
    Place(
        name="results",
        file="artifacts/benchmark.json",
        read=_refusal(lambda place: read_run(place / "artifacts" / "benchmark.json")),
    ),
    Place(
        name="model",
        file="artifacts/model.keras",
        read=_refusal(
            lambda place: ModelRequest(path=str(place / "artifacts" / "model.keras")).kind
        ),
    ),
    Place(
        name="images",
        file="images/images.npy",
        read=_refusal(
            lambda place: open_evaluation(
                place / "artifacts", place / "images", None, _scratch(place)
            )
        ),
    ),
    Place(
        name="archive",
        file="edge.tar.gz",
        read=_refusal(lambda place: unpack(place / "edge.tar.gz", _scratch(place))),
    ),
    Place(name="bundle's list", file="edge/bundle.json", read=said_of_bundle),
)
