"""Runs a Keras model over test data, for every later comparison.

`python -m export.data.reference_outputs JOB.json`, which the benchmark starts as another process,
so that TensorFlow is not in the one that measures.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.model.load import load_model
from export.model.loaded import LoadedModel, batch_size
from export.model.request import request_from_json
from export.model.rounding import rounded_otherwise
from train.common.command.cli import run_program
from train.common.command.native_output import captured_native_output
from train.common.errors import ArtifactError
from train.common.files.artifact import new_array
from train.common.preprocessing import InputPreprocessing, preprocess
from train.common.record import read_model_record
from train.common.reference_outputs import ReferenceOutputs, save_outputs

# How many batches are preprocessed at a time, of data that may be larger than memory.
BATCHES = 8
ROUNDING_EXAMPLES = 64  # on which it is seen how far float32 tells outputs apart


def main(arguments: Sequence[str]) -> int:
    """Writes the outputs that a job asks for; returns 0."""
    (path,) = arguments
    job: dict[str, Any] = json.loads(Path(path).read_bytes())
    record = read_model_record(Path(job["artifacts"]))
    with captured_native_output():
        model = load_model(request_from_json(job["request"]))
    raw = {name: np.load(file, mmap_mode="r") for name, file in job["inputs"].items()}
    outputs = outputs_on(model, raw, record.preprocessing, Path(job["outputs"]).parent)
    reference = ReferenceOutputs(
        outputs=outputs,
        model_sha256=record.sha256,
        data_sha256=job["data_sha256"],
        inputs_sha256=job["inputs_sha256"],
        preprocessing=record.preprocessing,
        labels=tuple(job["labels"]),
        inputs=model.inputs,
        dtypes={spec.name: spec.dtype for spec in model.outputs if spec.dtype != "float32"},
        own_rounding_db=own_rounding_db(model, raw, record.preprocessing, outputs),
    )
    save_outputs(Path(job["outputs"]), reference)
    return 0


def own_rounding_db(
    model: LoadedModel,
    raw: Mapping[str, np.ndarray],
    how: InputPreprocessing,
    outputs: Mapping[str, np.ndarray],
) -> dict[str, float]:
    """Returns the least ratio, in dB, of outputs to what rounding otherwise changes, by name.

    On the first examples; outputs that rounding does not change are left out.

    Args:
        model: the model.
        raw: (N, …) raw values by the input's name.
        how: what raw values become.
        outputs: (N, …) the model's, by name.
    """
    some = {name: np.asarray(values[:ROUNDING_EXAMPLES]) for name, values in raw.items()}
    inputs = preprocess(some, how, model.inputs)
    wanted = {name: np.asarray(values[:ROUNDING_EXAMPLES]) for name, values in outputs.items()}
    found: dict[str, float] = {}
    for others in rounded_otherwise(model, inputs, wanted, batch_size(model.inputs)):
        for name, values in wanted.items():
            signal = float(np.sum(values.astype(np.float64) ** 2))
            noise = float(np.sum((others[name].astype(np.float64) - values) ** 2))
            if 0 < noise < np.inf and signal > 0:
                ratio_db = 10 * math.log10(signal / noise)
                found[name] = min(found.get(name, ratio_db), ratio_db)
    return found


def outputs_on(
    model: LoadedModel, raw: Mapping[str, np.ndarray], how: InputPreprocessing, folder: Path
) -> dict[str, np.ndarray]:
    """Returns a model's outputs, (N, …) float32 by name, in files mapped from a folder.

    Args:
        model: the model.
        raw: (N, …) raw values by the input's name, which may be larger than memory.
        how: what raw values become.
        folder: where the files are made.

    Raises:
        ArtifactError: an output is not finite.
    """
    size = batch_size(model.inputs)
    count = len(next(iter(raw.values())))
    found: dict[str, np.ndarray] = {}
    for start in range(0, count, BATCHES * size):
        some = {name: values[start : start + BATCHES * size] for name, values in raw.items()}
        part = model.predict(preprocess(some, how, model.inputs), batch_size=size)
        for number, spec in enumerate(model.outputs):
            values = part[spec.name].astype(np.float32)
            if not np.isfinite(values).all():
                raise ArtifactError(
                    f"the Keras model's output {spec.name!r} holds NaN or infinity on the test "
                    "data, expected finite numbers; look at its inputs and their preprocessing"
                )
            if spec.name not in found:
                shape = (count, *values.shape[1:])
                path = folder / f"computed{number}.npy"
                found[spec.name] = new_array(path, shape)
            found[spec.name][start : start + len(values)] = values
    return found


if __name__ == "__main__":
    run_program(main, leave_at_once=True)
