"""A stranger's file beside the Keras model that it was made of."""

from collections.abc import Mapping

import numpy as np

from export.deploy.foreign.interface import ForeignFile
from export.deploy.foreign.match import match
from export.manifest import Check, Observation
from export.model.request import ModelRequest
from export.runtimes.litert import LiteRTRunner
from export.runtimes.predict import decode, encode_all
from export.runtimes.runner import unpack
from export.verify.distance import distance
from train.common.errors import ArtifactError

LEAST_SNR_DB = 6.5  # what the coarsest of this toolkit's formats has to have
BATCH = 64


def check_against(
    file: ForeignFile, request: ModelRequest, examples: Mapping[str, np.ndarray]
) -> list[Check | Observation]:
    """Returns what compares a file's outputs with those of a Keras model.

    Args:
        file: a `.tflite` file.
        request: the model.
        examples: (N, …) real values by the file's inputs.

    Returns:
        Of each output the signal-to-noise ratio in dB and, of probabilities, the share of the
        examples in the same class.

    Raises:
        ArtifactError: its inputs or outputs are not the model's, or it computes something else.
        ToolkitError: the model cannot be loaded.
    """
    from export.model.load import load_model  # TensorFlow

    model = load_model(request)
    inputs = match(file.path, "input", file.inputs, model.inputs)
    outputs = match(file.path, "output", file.outputs, model.outputs)
    given = {
        of_model.name: examples[own.name] for own, of_model in zip(file.inputs, inputs, strict=True)
    }
    expected = model.predict(given, BATCH)
    with LiteRTRunner(file.path, threads=1) as runner:
        made = unpack(runner.invoke_each(encode_all(examples, runner.inputs)))
    findings: list[Check | Observation] = []
    for spec, stored, of_model in zip(file.outputs, made, outputs, strict=True):
        reference = expected[of_model.name]
        found = decode(stored, spec)[: len(reference)].reshape(reference.shape)
        apart = distance(found, reference, None)
        suffix = f"_{of_model.name}" if len(outputs) > 1 else ""
        check = Check.at_least(f"keras_snr_db{suffix}", apart.snr_db, LEAST_SNR_DB)
        if not check.passed:
            raise ArtifactError(
                f"{file.path}: its output {of_model.name!r} has {apart.snr_db:.1f} dB beside that "
                f"of {request.path}, expected at least {LEAST_SNR_DB:g}; give the model that it "
                "was made of, with its --preprocess, or no --model"
            )
        findings.append(check)
        if apart.agreement is not None:
            name = f"keras_agreement{suffix}"
            findings.append(Observation(name=name, value=apart.agreement))
    return findings
