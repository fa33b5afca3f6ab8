"""Test data, and the Keras model's outputs on it: stored, or computed once. Light."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.config import BenchmarkConfig
from export.opening import Wanted, open_samples
from train import data as dataset
from train.artifact import publish
from train.bundled import DATA_FOLDER, ROOT, in_bundle
from train.errors import ArtifactError, ToolkitError
from train.record import (
    OUTPUTS_FILE,
    RECORD_FILE,
    ModelRecord,
    ReferenceOutputs,
    belongs,
    check_reference,
    load_outputs,
    read_model_record,
)
from train.samples import Samples
from train.tensors import TensorSpec

DATA_FILE = "data.npz"  # of a bundle with a user's own data


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What exports are judged on.

    Attributes:
        samples: the test data.
        reference: the Keras model's outputs on it.
        own: whether the model is a user's own.
    """

    samples: Samples
    reference: ReferenceOutputs
    own: bool

    @property
    def pictures(self) -> np.ndarray | None:
        """The only input, (N, H, W) or (N, H, W, 1 or 3) uint8, where it is pictures."""
        arrays = list(self.samples.inputs.values())
        return arrays[0] if len(arrays) == 1 and are_pictures(arrays[0]) else None

    @property
    def examples(self) -> str:
        """What the test data is made of."""
        return "examples" if self.pictures is None else "images"


def are_pictures(values: np.ndarray) -> bool:
    """Returns whether values can be shown: (N, H, W) or (N, H, W, 1 or 3) uint8."""
    shaped = values.ndim == 3 or (values.ndim == 4 and values.shape[-1] in (1, 3))
    return shaped and values.dtype == np.uint8


def load_test_data(config: BenchmarkConfig, folder: Path) -> Evaluation:
    """Returns the test data and the Keras model's outputs on it.

    Of a user's own model they are computed in a process of its own, with TensorFlow, when first
    asked for on some data, and kept in the artifacts folder.

    Args:
        config: where artifacts and data are.
        folder: a temporary folder, for data that has to be unpacked.

    Raises:
        ArtifactError: there are no outputs, or they belong to other data.
        DataError: the data cannot be had.
    """
    if in_bundle() and config.data is None and (ROOT / DATA_FOLDER / DATA_FILE).is_file():
        reference = load_outputs(config.artifacts)
        file = str(ROOT / DATA_FOLDER / DATA_FILE)
        test = open_samples(file, _wanted(config, reference.inputs, _specs(reference)), folder)
        check_reference(reference, test)
        return Evaluation(samples=test, reference=reference, own=True)
    record = own_record(config.artifacts)
    if record is None:
        reference = load_outputs(config.artifacts)
        test = dataset.load_evaluation(config.data)
        check_reference(reference, test)
        return Evaluation(samples=test, reference=reference, own=False)
    if config.data is None:
        raise ToolkitError(
            f"{config.artifacts} holds exports of {record.file}, which has no test data of its own; give "
            "it with --data: an .npz with arrays by input name, a folder of images by class, "
            "or module:callable"
        )
    test = open_samples(str(config.data), _wanted(config, record.inputs, record.outputs), folder)
    if test.class_names and record.labels and test.class_names != record.labels:
        raise ToolkitError(
            f"{config.data}: got classes {', '.join(test.class_names)}, expected "
            f"{', '.join(record.labels)}, those of the calibration data; name the folders alike"
        )
    reference = _stored(config.artifacts, record, test) or compute(
        config.artifacts, record, test, folder
    )
    return Evaluation(samples=test, reference=reference, own=True)


def unpacked(test: Samples, folder: Path) -> dict[str, Path]:
    """Returns a file of each input's raw values, by its name; written where there is none yet."""
    found = {}
    for number, (name, values) in enumerate(test.inputs.items()):
        own = getattr(values, "filename", None)
        if own is not None and _is_whole(values, Path(own)):
            found[name] = Path(own)
            continue
        found[name] = folder / f"input{number}.npy"
        np.save(found[name], values)
    return found


def compute(artifacts: Path, record: ModelRecord, test: Samples, folder: Path) -> ReferenceOutputs:
    """Runs a user's own Keras model over test data, in a process of its own, and keeps the outputs.

    Raises:
        ToolkitError: TensorFlow is not installed here, or the model cannot be loaded or run.
    """
    job, outputs = folder / "reference.json", folder / OUTPUTS_FILE
    content = {
        "artifacts": str(artifacts.resolve()),
        "inputs": {name: str(path.resolve()) for name, path in unpacked(test, folder).items()},
        "labels": list(record.labels or test.class_names),
        "data_sha256": test.sha256(),
        "inputs_sha256": test.inputs_sha256(),
        "outputs": str(outputs.resolve()),
    }
    job.write_text(json.dumps(content))
    done = subprocess.run(
        [sys.executable, "-m", "export.reference", str(job)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        reason = said[-1].removeprefix("error: ") if said else f"exit code {done.returncode}"
        raise ToolkitError(f"the Keras model could not be run over the test data: {reason}")
    publish([outputs], artifacts)
    return load_outputs(artifacts)


def own_record(artifacts: Path) -> ModelRecord | None:
    """Returns the record of a user's own model in a folder; None if it holds none."""
    if not (artifacts / RECORD_FILE).is_file():
        return None
    record = read_model_record(artifacts)
    return None if record.request is None else record


def _stored(artifacts: Path, record: ModelRecord, test: Samples) -> ReferenceOutputs | None:
    try:
        reference = load_outputs(artifacts)
    except ArtifactError:
        return None
    same = (reference.model_sha256, dict(reference.preprocessing)) == (
        record.sha256,
        dict(record.preprocessing),
    )
    return reference if same and belongs(reference, test) else None


def _wanted(
    config: BenchmarkConfig, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> Wanted:
    return Wanted(
        inputs=inputs, outputs=outputs, option="--data", image_size=config.image_size, limit=None
    )


def _specs(reference: ReferenceOutputs) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name=name, shape=(None, *values.shape[1:]), dtype="float32")
        for name, values in reference.outputs.items()
    )


def _is_whole(values: np.ndarray, path: Path) -> bool:
    """Returns whether a memory-mapped array is all of an `.npy` file."""
    try:
        found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return False
    return found.shape == values.shape and found.dtype == values.dtype
