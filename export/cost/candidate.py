"""A model with random weights as the file that it would be exported to, unverified."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from export.convert.calibrate.calibration import RepresentativeDataset
from export.convert.onnx import converter as onnx
from export.convert.source import SourceModel
from export.convert.tflite import converter as tflite
from export.convert.tflite.file.shipped import shipped
from export.cost.cost import Candidate, Request
from export.data.split import random_examples
from export.deploy.c.network import Network
from export.deploy.c.recurrent.loops import multiplications
from export.formats.settings import ExportOptions, resolve
from export.formats.table import FORMATS
from export.model.load import load_model
from export.model.loaded import LoadedModel
from export.model.reason import refused
from export.model.request import ModelRequest
from export.model.signature import open_dimensions
from export.runtimes.litert import LiteRTRunner
from export.runtimes.onnxruntime import ONNXRuntimeRunner
from train.common.errors import ArtifactError, ToolkitError, damaged
from train.common.tensors import TensorSpec, fits, shape_text

RUNNERS = {".tflite": LiteRTRunner, ".onnx": ONNXRuntimeRunner}
SEED = 0
EXAMPLES = 8
INT8 = "tflite-int8"
METHOD = "min-max"
# The largest way to store weights, so that no export of these takes more.
SCHEME = "int8 per channel"
POSITIVE = re.compile(r"(variance|gamma|scale)[^/]*$")
BIAS_SPREAD = 0.1
GAIN = 6  # of all kernels together


def convert(request: Request, folder: Path) -> Candidate:
    """Returns a model converted with random weights, as its export is, but for what is measured.

    Weights are random, those of normalizations and biases too: equal ones are stored once. A file
    that was exported is taken as it is.

    Args:
        request: what is asked for.
        folder: a temporary folder, in which the file is.

    Raises:
        ToolkitError: the model cannot be loaded or converted.
        ArtifactError: its sizes are left open, or the inputs are not its own.
    """
    if request.model.suffix in RUNNERS:
        return _exported(request.model)
    asked = ModelRequest(path=str(request.model))
    if asked.kind == "callable":
        raise ArtifactError(f"{request.model} is not there; send the path of a saved model")
    model = load_model(asked)
    still_open = open_dimensions(model.inputs)
    if still_open is not None:
        raise ArtifactError(f"{request.model}: {still_open}")
    randomize(model.variables)
    examples = _examples(model.inputs, request.inputs)
    calibrating = RepresentativeDataset(inputs=examples, sha256="", examples=())
    source = SourceModel(model, representative=calibrating, training=None, folder=folder)
    found = folder / f"{INT8}.tflite"
    if request.format != "onnx-int8":
        found.write_bytes(_tflite(model, source))
        return Candidate(path=found, examples=examples, multiplications=_counted(found))
    try:
        found.write_bytes(_tflite(model, source))
        count = _counted(found)
    except ToolkitError:  # as of operators that only ONNX has in integers
        count = None
    path = folder / "onnx-int8.onnx"
    path.write_bytes(_onnx(model, source))
    return Candidate(path=path, examples=examples, multiplications=count)


def _exported(path: Path) -> Candidate:
    """Returns a `.tflite` or `.onnx` file."""
    with RUNNERS[path.suffix](path, threads=1) as runner:
        real = [
            TensorSpec(name=spec.name, shape=spec.shape, dtype="float32")
            if spec.scale is not None
            else spec
            for spec in runner.inputs
        ]
    count = _counted(path) if path.suffix == ".tflite" else None
    return Candidate(path=path, examples=_examples(real, None), multiplications=count)


def randomize(variables: Iterable[tuple[str, tf.Variable]]) -> None:
    """Gives variables random values, the same every time.

    Outputs are about as large as those of trained networks: of a softmax that reads next to
    nothing, compilers leave parts out.
    """
    random = np.random.default_rng(SEED)
    variables = tuple(variables)
    kernels = sum(len(variable.shape) > 1 for _, variable in variables)
    gain = GAIN ** (1 / max(1, kernels))
    for name, variable in variables:
        if not variable.dtype.is_floating:
            continue  # as the state of a random generator
        shape = tuple(variable.shape)
        if POSITIVE.search(name):
            values = random.uniform(0.5, 1.5, shape)
        elif len(shape) < 2:
            values = random.normal(0, BIAS_SPREAD, shape)
        else:
            read = shape[:-2] if "depthwise" in name else shape[:-1]
            values = random.normal(0, gain * np.sqrt(2 / np.prod(read)), shape)
        variable.assign(values.astype(variable.dtype.as_numpy_dtype))


def _examples(specs: Iterable[TensorSpec], file: Path | None) -> dict[str, np.ndarray]:
    specs = tuple(specs)
    if file is None:
        found = random_examples(specs, {}).inputs
        return {name: values[:EXAMPLES] for name, values in found.items()}
    try:
        with np.load(file, allow_pickle=False) as arrays:
            named = {
                spec.name: np.asarray(arrays[spec.name]) for spec in specs if spec.name in arrays
            }
    except (OSError, ValueError, EOFError) as error:
        raise damaged(file, error, "write the inputs again") from error
    for spec in specs:
        shape = named[spec.name].shape if spec.name in named else ()
        if not fits(shape[1:], spec.shape[1:]) or shape[:1] in ((), (0,)):
            raise ArtifactError(
                f"{file}: got {spec.name!r} of shape {shape}, expected some of "
                f"{shape_text(spec.shape[1:])} each"
            )
    return {spec.name: named[spec.name].astype(spec.dtype) for spec in specs}


def _tflite(model: LoadedModel, source: SourceModel) -> bytes:
    entry = FORMATS[INT8]
    settings = resolve([entry], ExportOptions(), model.inputs[0].shape[0])[entry.name]
    with refused(f"{entry.name} cannot be made"):
        return shipped(tflite.convert(entry, settings, METHOD, source), entry, settings)


def _onnx(model: LoadedModel, source: SourceModel) -> bytes:
    entry = FORMATS["onnx-int8"]
    settings = resolve([entry], ExportOptions(), model.inputs[0].shape[0])[entry.name]
    with refused(f"{entry.name} cannot be made"):
        return onnx.convert(entry, replace(settings, weight_schemes=(SCHEME,)), METHOD, source)


def _counted(path: Path) -> int | None:
    """Returns the multiplications of a file; None of one that has loops or types of its own."""
    try:
        return multiplications(Network(path))
    except ArtifactError:
        return None
