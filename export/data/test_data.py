"""Test data, and the Keras model's outputs on it: stored, or computed once."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from export.data.open import open_samples
from export.data.wanted import Wanted
from export.model.recorded import recorded_request
from export.model.request import NO_TRUST, Trust
from train.common.environment import BUNDLE_FILE, DATA_FOLDER, ROOT, in_bundle
from train.common.errors import ArtifactError, ToolkitError
from train.common.files.artifact import write_npz
from train.common.files.open import is_there
from train.common.files.staging import publish
from train.common.record import RECORD_FILE, ModelRecord, read_model_record
from train.common.reference_outputs import (
    OUTPUTS_FILE,
    ReferenceOutputs,
    belongs,
    check_reference,
    load_outputs,
)
from train.common.samples import Samples
from train.data import fashion_mnist as dataset

DATA_FILE = "data.npz"  # of a bundle, unless its data is Fashion-MNIST
# The test accuracy of the notebook that the training of the reference job comes from.
FASHION_MNIST_BASELINE = 0.886


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What exports are judged on.

    Attributes:
        samples: the test data.
        reference: the Keras model's outputs on it.
        default_baseline: accuracy, 0…1, that exports are held to unless another is given; None
            where no such figure is known.
        same_distribution: whether the test data is drawn as the data was that calibrated and
            verified the exports, so that they must do as well on it as they did then.
        save: writes test data into the data folder of a bundle, from where it is opened again.
    """

    samples: Samples
    reference: ReferenceOutputs
    default_baseline: float | None
    same_distribution: bool
    save: Callable[[Samples, Path], None]

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


def open_evaluation(
    artifacts: Path,
    data: Path | None,
    image_size: tuple[int, int] | None,
    folder: Path,
    trust: Trust = NO_TRUST,
) -> Evaluation:
    """Returns the test data and the Keras model's outputs on it.

    Of a custom model they are computed in another process, with TensorFlow, when first asked for
    on some data, and kept in the artifacts folder.

    Args:
        artifacts: the folder with the exports.
        data: as `open_samples` takes it, or the folder of the reference job's data set; None to
            look for that, or for what a bundle carries.
        image_size: height and width that pictures are brought to; None for the model's own.
        folder: a temporary folder, for data that has to be unpacked.
        trust: what the command line allows of code that loading a custom model runs.

    Raises:
        ArtifactError: there are no outputs, or they belong to other data.
        DataError: the data cannot be had.
        ToolkitError: a custom model has no data, or other classes than the data.
    """
    known = is_there(artifacts / RECORD_FILE)  # not in a bundle
    record = read_model_record(artifacts) if known else None
    if record is None or record.request is None:
        carried = _carried_data(artifacts)
        custom = carried is not None and is_there(carried / DATA_FILE)
        reference = load_outputs(artifacts, folder)
        if carried is not None and custom:
            wanted = Wanted(
                inputs=reference.inputs, outputs=reference.output_specs, image_size=image_size
            )
            test = open_samples(str(data or carried / DATA_FILE), wanted, folder)
        else:
            test = dataset.load_evaluation(data or carried)
        if record is not None and reference.model_sha256 != record.sha256:
            reference = _outputs_on(test, record, folder, trust)  # of a model replaced
        check_reference(reference, test)
    else:
        custom = True
        if data is None:
            raise ToolkitError(
                f"{artifacts} holds exports of {record.file}, which has no test data of its own; "
                "give it with --data: an .npz with arrays by input name, a folder of images by "
                "class, or module:callable"
            )
        wanted = Wanted(inputs=record.inputs, outputs=record.outputs, image_size=image_size)
        test = open_samples(str(data), wanted, folder)
        if test.class_names and record.labels and test.class_names != record.labels:
            raise ToolkitError(
                f"{data}: got classes {', '.join(test.class_names)}, expected "
                f"{', '.join(record.labels)}, those of the calibration data; give folders of these "
                "names"
            )
        reference = _outputs_on(test, record, folder, trust)
    return Evaluation(
        samples=test,
        reference=reference,
        default_baseline=None if custom else FASHION_MNIST_BASELINE,
        same_distribution=not custom,
        save=save_samples if custom else dataset.save_slice,
    )


def _carried_data(artifacts: Path) -> Path | None:
    """Returns the data folder of the bundle that runs this or holds the exports, if one does."""
    root = ROOT if in_bundle() else artifacts.resolve().parent
    return root / DATA_FOLDER if is_there(root / BUNDLE_FILE) else None


def save_samples(test: Samples, folder: Path) -> None:
    """Writes examples to `data.npz`, which `open_samples` reads: targets as `target:NAME`."""
    arrays = {**test.inputs, **{f"target:{name}": v for name, v in test.targets.items()}}
    write_npz(folder / DATA_FILE, arrays)


def unpacked(test: Samples, folder: Path) -> dict[str, Path]:
    """Returns a file of each input's raw values, by its name; written where there is none yet."""
    found = {}
    for number, (name, values) in enumerate(test.inputs.items()):
        mapped = getattr(values, "filename", None)
        if mapped is not None and _is_whole(values, Path(mapped)):
            found[name] = Path(mapped)
            continue
        found[name] = folder / f"input{number}.npy"
        np.save(found[name], values)
    return found


def _outputs_on(test: Samples, record: ModelRecord, folder: Path, trust: Trust) -> ReferenceOutputs:
    """Returns a custom Keras model's outputs on test data; runs it, in another process, for new.

    Raises:
        ToolkitError: TensorFlow is not installed here, or the model cannot be loaded or run.
    """
    artifacts = record.folder
    try:
        stored = load_outputs(artifacts, folder)
    except ArtifactError:
        pass
    else:
        same_model = stored.model_sha256 == record.sha256
        same_preprocessing = dict(stored.preprocessing) == dict(record.preprocessing)
        if same_model and same_preprocessing and belongs(stored, test):
            return stored
    job, outputs = folder / "reference.json", folder / OUTPUTS_FILE
    content = {
        "request": asdict(recorded_request(record, trust)),
        "artifacts": str(artifacts.resolve()),
        "inputs": {name: str(path.resolve()) for name, path in unpacked(test, folder).items()},
        "labels": list(record.labels or test.class_names),
        "data_sha256": test.sha256(),
        "inputs_sha256": test.inputs_sha256(),
        "outputs": str(outputs.resolve()),
    }
    job.write_bytes(json.dumps(content).encode())
    done = subprocess.run(
        [sys.executable, "-m", "export.data.reference_outputs", str(job)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        reason = said[-1].removeprefix("error: ") if said else f"exit code {done.returncode}"
        raise ToolkitError(f"the Keras model could not be run over the test data: {reason}")
    publish([outputs], artifacts)
    return load_outputs(artifacts, folder)


def _is_whole(values: np.ndarray, path: Path) -> bool:
    """Returns whether a memory-mapped array is all of an `.npy` file."""
    try:
        found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return False
    return found.shape == values.shape and found.dtype == values.dtype
