"""A user's training examples, and a model's outputs, for the search for limits: as arrays in files.

The search is part of `train`, which does not know how users store their data and models.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.convert.job.job import CustomJob
from export.model.load import load_model
from export.model.loaded import batch_size
from export.model.request import ModelRequest
from train.common.errors import DataError
from train.common.files.decode import Decoder
from train.common.preprocessing import Preprocessing, preprocess


@dataclass(frozen=True, kw_only=True)
class ExamplesRequest:
    """A request for a user's examples; the fields as the arguments of `write_examples`."""

    examples: str
    model: str
    to: str
    scale: float | None = None


@dataclass(frozen=True, kw_only=True)
class OutputsRequest:
    """A request for the outputs of a model; the fields as the arguments of `write_outputs`."""

    outputs: str
    inputs: str
    to: str


def written(content: Any) -> dict[str, Any]:
    """Answers a request for examples or outputs; errors as of what writes them.

    Raises:
        ArtifactError: a key is missing or not what it should be; it is named.
    """
    if "examples" in content:
        asked = Decoder(remedy="send them").decode(ExamplesRequest, content, "request")
        return write_examples(asked.model, asked.examples, asked.scale, asked.to)
    given = Decoder(remedy="send them").decode(OutputsRequest, content, "request")
    return write_outputs(given.outputs, given.inputs, given.to)


def write_examples(model: str, data: str, scale: float | None, file: str) -> dict[str, Any]:
    """Writes labelled examples as a model of one input takes them, split as `export` splits them.

    Args:
        model: a file of a Keras model with that input, and classes as its output.
        data: where the examples are, as `--calibration` takes it.
        scale: what raw values are multiplied by; None for 1.
        file: `.npz` to write: `inputs` (N, …) float32 or integers, `targets` (N,) int32, and
            `held_inputs`, `held_targets`.

    Returns:
        The numbers of examples: `training`, `held_out`; and `classes`, their names.

    Raises:
        DataError: the data cannot be had, do not fit, or have no labels.
    """
    request = ModelRequest(path=model)
    loaded = load_model(request)
    how = {} if scale is None else {"": Preprocessing(scale=scale, offset=0.0)}
    with tempfile.TemporaryDirectory() as folder:
        job = CustomJob(artifacts=Path(folder), request=request, calibration=data, preprocess=how)
        found = job.conversion_inputs(loaded.inputs, loaded.outputs, Path(folder), loaded.extracted)
        if found.training is None:
            raise DataError(f"{data}: got no examples, expected some; give --data others")
        arrays: dict[str, Any] = {}
        for prefix, samples in (("", found.training.samples), ("held_", found.held_out)):
            if not samples.targets:
                raise DataError(
                    f"{data}: got examples without labels, expected a class for each; give them as "
                    "y in an .npz, or a folder of pictures per class"
                )
            values = preprocess(samples.inputs, found.preprocessing, loaded.inputs)
            arrays[f"{prefix}inputs"] = values[loaded.inputs[0].name]
            targets = samples.targets[loaded.outputs[0].name]
            if targets.ndim != 1 or targets.dtype.kind not in "iub":
                raise DataError(
                    f"{data}: got targets of shape {targets.shape} and type {targets.dtype}, "
                    "expected whole numbers of classes, (N,)"
                )
            arrays[f"{prefix}targets"] = targets.astype(np.int32)
        np.savez(file, **arrays)
    return {
        "training": len(arrays["inputs"]),
        "held_out": len(arrays["held_inputs"]),
        "classes": list(found.held_out.class_names),
    }


def write_outputs(model: str, inputs: str, file: str) -> dict[str, Any]:
    """Writes a model's outputs.

    Args:
        model: a Keras model in any form that `export` reads.
        inputs: `.npy` of its only input's values, (N, …), preprocessed.
        file: `.npy` to write the first output to, (N, classes) float32.

    Returns:
        The output's `shape`.

    Raises:
        DataError: it has several inputs, or takes others.
        ArtifactError: it cannot be loaded.
    """
    loaded = load_model(ModelRequest(path=model))
    values = np.load(inputs, mmap_mode="r", allow_pickle=False)
    expected = tuple(loaded.inputs[0].shape[1:])
    fits = len(expected) == values.ndim - 1 and all(
        size in (None, found) for size, found in zip(expected, values.shape[1:], strict=True)
    )
    if len(loaded.inputs) != 1 or not fits:
        raise DataError(
            f"{model}: got inputs of shape {[spec.shape for spec in loaded.inputs]}, expected one "
            f"of {values.shape[1:]}, as the networks have; give another --teacher"
        )
    name = loaded.inputs[0].name
    found = loaded.predict({name: values}, batch_size=batch_size(loaded.inputs))
    outputs = np.asarray(found[loaded.outputs[0].name], np.float32)
    np.save(file, outputs)
    return {"shape": list(outputs.shape)}
