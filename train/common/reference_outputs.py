"""The model's outputs on the test data, as later stages read them.

They are kept so that every paired comparison works where TensorFlow isn't installed; they are keyed
by the hashes of the model and of the data.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from train.common.errors import ArtifactError, DataError, damaged
from train.common.files.artifact import write_npz
from train.common.files.decode import Decoder
from train.common.files.npz import check_disk_space, open_npz
from train.common.files.open import parse_json
from train.common.preprocessing import Preprocessing
from train.common.record import REMEDY, Training
from train.common.samples import Samples
from train.common.tensors import TensorSpec

OUTPUTS_FILE = "model.outputs.npz"
CHECKED_VALUES = 1 << 22  # at a time, of arrays that may be larger than memory


@dataclass(frozen=True, kw_only=True)
class _About:
    """What reference outputs came from, as it is written beside them."""

    outputs: tuple[str, ...]
    model_sha256: str
    data_sha256: str
    inputs_sha256: str
    preprocessing: Mapping[str, Preprocessing]
    labels: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    own_rounding_db: Mapping[str, float] = field(default_factory=dict)
    dtypes: Mapping[str, str] = field(default_factory=dict)
    training: Training | None = None


@dataclass(frozen=True, kw_only=True)
class ReferenceOutputs:
    """The Keras model's outputs on the test data, and what they came from.

    Attributes:
        outputs: (N, …) float32 by the output's name; the first one is the model's first.
        model_sha256: hash of the model's file.
        data_sha256: hash of the test data, inputs and targets.
        inputs_sha256: hash of the inputs alone, for test data that comes without targets.
        preprocessing: what turned raw values into the model's inputs, by the input's name.
        labels: the names of the classes, in the order of the outputs; empty where there are none.
        inputs: of the model, so that test data can be read where the model isn't.
        own_rounding_db: signal-to-noise ratio of outputs that are as right as these, as far as
            float32 can tell, by the output's name; empty where it was not looked for.
        dtypes: of the model's outputs that are not float32, by name.
        training: what the model was trained on, where its record is not beside this, as in a
            bundle.
    """

    outputs: Mapping[str, np.ndarray]
    model_sha256: str
    data_sha256: str
    inputs_sha256: str
    preprocessing: Mapping[str, Preprocessing]
    labels: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    own_rounding_db: Mapping[str, float] = field(default_factory=dict)
    dtypes: Mapping[str, str] = field(default_factory=dict)
    training: Training | None = None

    def __len__(self) -> int:
        return len(next(iter(self.outputs.values())))

    def is_exact(self, output: str) -> bool:
        """Returns whether an output holds indices or classes, which are the same or another."""
        return any(spec.name == output and spec.is_exact for spec in self.output_specs)

    @property
    def output_specs(self) -> tuple[TensorSpec, ...]:
        """The model's outputs, as `inputs` are."""
        return tuple(
            TensorSpec(
                name=name,
                shape=(None, *values.shape[1:]),
                dtype=self.dtypes.get(name, "float32"),
            )
            for name, values in self.outputs.items()
        )


def save_outputs(path: Path, reference: ReferenceOutputs) -> None:
    """Writes reference outputs as an `.npz` archive: `about`, as JSON, and one array per output."""
    about = {
        "outputs": list(reference.outputs),
        "model_sha256": reference.model_sha256,
        "data_sha256": reference.data_sha256,
        "inputs_sha256": reference.inputs_sha256,
        "preprocessing": {name: asdict(how) for name, how in reference.preprocessing.items()},
        "labels": list(reference.labels),
        "inputs": [asdict(spec) for spec in reference.inputs],
        "own_rounding_db": dict(reference.own_rounding_db),
        "dtypes": dict(reference.dtypes),
        "training": reference.training and asdict(reference.training),
    }
    arrays = {f"output{n}": values for n, values in enumerate(reference.outputs.values())}
    arrays["about"] = np.array(json.dumps(about))
    write_npz(path, arrays)


def load_outputs(artifacts: Path, unpacked: Path | None = None) -> ReferenceOutputs:
    """Returns the stored reference outputs of a folder; nothing in the file is executed.

    Args:
        artifacts: the folder.
        unpacked: a folder that the arrays are unpacked into and mapped from, so that they may be
            larger than memory; keep it while they are used. None to read them into memory.

    Raises:
        ArtifactError: the file is missing, truncated or not such an archive.
    """
    path = artifacts / OUTPUTS_FILE
    try:
        with open_npz(path) as archive:
            content = parse_json(str(archive.text("about")))
            about = Decoder(remedy=f"{REMEDY} again").decode(_About, content, str(path))
            keys = {name: f"output{number}" for number, name in enumerate(about.outputs)}
            if unpacked is not None:
                unpacked.mkdir(parents=True, exist_ok=True)
                check_disk_space(map(archive.header, keys.values()), unpacked)
            outputs = {
                name: archive.read(key)
                if unpacked is None
                else archive.unpack(key, unpacked / f"{key}.npy")
                for name, key in keys.items()
            }
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}, the Keras model's outputs, is not there; {REMEDY}") from error
    except (OSError, DataError) as error:
        raise damaged(path, error, f"{REMEDY} again") from error
    _check_outputs(path, outputs, about)
    return ReferenceOutputs(
        outputs=outputs,
        model_sha256=about.model_sha256,
        data_sha256=about.data_sha256,
        inputs_sha256=about.inputs_sha256,
        preprocessing=about.preprocessing,
        labels=about.labels,
        inputs=about.inputs,
        own_rounding_db=about.own_rounding_db,
        dtypes=about.dtypes,
        training=about.training,
    )


def _check_outputs(path: Path, outputs: Mapping[str, np.ndarray], about: _About) -> None:
    counts = {len(values) for values in outputs.values()}
    if len(counts) != 1 or len(outputs) != len(about.outputs) or not about.inputs:
        raise ArtifactError(
            f"{path}: got {len(outputs)} outputs, {len(about.inputs)} inputs, and "
            f"{', '.join(map(str, sorted(counts))) or 'no'} examples, expected at least one of "
            f"each and as many examples of every output; {REMEDY} again"
        )
    for name, values in outputs.items():
        step = max(1, CHECKED_VALUES // max(1, values[0].size))
        parts = (values[start : start + step] for start in range(0, len(values), step))
        if values.dtype != np.float32 or not all(np.isfinite(part).all() for part in parts):
            raise ArtifactError(
                f"{path}: got {values.dtype} of {name!r}, expected finite float32 numbers; "
                f"{REMEDY} again"
            )


def belongs(reference: ReferenceOutputs, test: Samples) -> bool:
    """Returns whether the Keras model's outputs are those on this test data."""
    if len(reference) != len(test):
        return False
    if test.targets:
        return test.sha256() == reference.data_sha256
    return test.inputs_sha256() == reference.inputs_sha256


def check_reference(reference: ReferenceOutputs, test: Samples) -> None:
    """Raises ArtifactError unless the Keras model's outputs are those on this test data."""
    if not belongs(reference, test):
        found, expected = test.inputs_sha256(), reference.inputs_sha256
        if test.targets and found == expected:
            found, expected = test.sha256(), reference.data_sha256
        raise ArtifactError(
            "the Keras model's stored outputs belong to other test data: got data "
            f"{found[:12]}…, the outputs are on {expected[:12]}…; "
            "run `python -m train` again, or give the data that it was evaluated on"
        )
