"""The search for a user's own networks and data: examples in, the model that ships out."""

from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import tensorflow as tf

from train.common.candidates import SEARCH_FILE
from train.common.command.progress import Progress
from train.common.files.artifact import array_sha256, write_json
from train.common.files.staging import check_places, publish, staging
from train.common.record import MODEL_FILE, SCHEMA_VERSION
from train.config import FitRequest, TrainConfig
from train.data.fit_data import FitData
from train.search.limits.search import Answer, find
from train.search.limits.space.custom import CustomSpace
from train.search.limits.weigh.costs import CostProcess


def find_custom(config: TrainConfig, request: FitRequest, report: Progress) -> Answer:
    """Finds the best of a user's networks within limits, and writes it as `model.keras`.

    Args:
        config: the run; its `source` says where the examples are.
        request: what `--fit` asks for.
        report: told of every step.

    Raises:
        ToolkitError: the data or the function do not do, or nothing meets the limits.
    """
    check_places(config.artifacts, (MODEL_FILE, SEARCH_FILE))
    with staging(config.artifacts) as staged:
        data, digest = custom_data(config, request, staged)
        answer = find(config, request, data, report, data_sha256=digest)
        answer.final.model.save(staged / MODEL_FILE)
        record: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "validation_accuracy": answer.final.accuracy,
            "limits": answer.as_json(request),
        }
        write_json(staged / SEARCH_FILE, record)
        publish([staged / MODEL_FILE, staged / SEARCH_FILE], config.artifacts)
        answer.final.forget()
    return answer


def custom_data(config: TrainConfig, request: FitRequest, folder: Path) -> tuple[FitData, str]:
    """Returns a user's examples, and the hash of those for fitting.

    Args:
        config: the run.
        request: with the space that says what networks take.
        folder: a temporary one.

    Raises:
        ToolkitError: the data cannot be had or do not fit, or the function fails.
    """
    space = CustomSpace(request.space or "")
    model = folder / "example.keras"
    space.to_ship(keras_tuner.HyperParameters()).save(model)
    arrays = folder / "examples.npz"
    with CostProcess() as process:
        process.ask(
            {
                "examples": str(config.data),
                "model": str(model),
                "scale": request.scale,
                "to": str(arrays),
            }
        )
    with np.load(arrays, allow_pickle=False) as found:
        inputs = found["inputs"]
        data = FitData(
            images=tf.constant(inputs),
            labels=tf.constant(found["targets"]),
            validation_images=tf.constant(found["held_inputs"]),
            validation_labels=tf.constant(found["held_targets"]),
            raw=False,
        )
        digest = array_sha256(inputs, found["targets"])
    for file in (model, arrays):
        file.unlink()
    return data, digest
