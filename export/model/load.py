"""Loads a model of any kind, and checks that its weights are there and are numbers."""

import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from export.model.keras.call import open_keras
from export.model.keras.extract import extract_preprocessing
from export.model.keras.file import keras_file
from export.model.keras.inputs import is_a
from export.model.keras.split import split_outputs
from export.model.loaded import LoadedModel
from export.model.reason import refused
from export.model.request import ModelRequest
from export.model.safety import check_operators
from export.model.saved_model import open_saved_model
from export.model.user_code import call_function, custom_objects
from train.common.errors import ArtifactError, ToolkitError
from train.common.preprocessing import Preprocessing


def load_model(request: ModelRequest) -> LoadedModel:
    """Returns the model that a request names, its weights checked to be finite numbers.

    Raises:
        ArtifactError: the model does not exist, or is damaged, unsafe to load without `unsafe`,
            or holds NaN or infinity.
        ToolkitError: the request does not fit the model, or the user's own code fails.
        MissingPackageError: a package that it needs is not installed.
    """
    kind = request.kind
    with refused(f"{request.path} cannot be loaded"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters is checked below, and said as an error
        custom = custom_objects(request.custom_objects)
        if kind == "saved-model":
            for option, value in _of_layers(request).items():
                if value:
                    raise ToolkitError(
                        f"{request.path}: got {option} with a SavedModel, expected a Keras model, "
                        "whose layers can be seen; give that, or leave the option out"
                    )
            loaded = open_saved_model(request)
        elif kind == "callable":
            model, extracted = _as_asked(_returned_by(request.path), request)
            loaded = open_keras(model, request, lambda operators: None)
            loaded = replace(loaded, extracted=extracted)
        else:
            loaded = _open_file(request, custom)
        _check_numbers(loaded)
    return loaded


def _check_numbers(loaded: LoadedModel) -> None:
    for name, value in loaded.weights():
        if value.dtype.kind not in "OSU" and not np.isfinite(value).all():
            raise ArtifactError(
                f"{loaded.path}: weight {name} holds NaN or infinity, expected finite numbers; "
                "train the model again, with a lower learning rate"
            )


def _open_file(request: ModelRequest, custom: dict[str, Any]) -> LoadedModel:
    def check(operators: Iterable[str]) -> None:
        if not request.unsafe:
            check_operators(request.path, operators)

    with keras_file(request) as file:
        model = file.load(request, custom)
        count = len(model.weights)
        asked, extracted = _as_asked(model, request)
        loaded = replace(open_keras(asked, request, check), extracted=extracted)
        if len(model.weights) != count:
            # Some layers were only built by the first call; what they hold so far is random.
            file.load_weights(model)
    return loaded


def _of_layers(request: ModelRequest) -> dict[str, bool]:
    return {
        "--split-outputs": request.split_outputs,
        "--extract-preprocessing": request.extract_preprocessing,
    }


def _as_asked(model: Any, request: ModelRequest) -> tuple[Any, dict[str, Preprocessing]]:
    """Returns the model between the inputs and outputs asked for, and what is left out before."""
    extracted: dict[str, Preprocessing] = {}
    if request.extract_preprocessing:
        model, extracted = extract_preprocessing(model, request.path)
    if request.split_outputs:
        model = split_outputs(model, request.path)
    return model, extracted


def _returned_by(path: str) -> Any:
    model = call_function(path)
    if not is_a(model, "Model") or not hasattr(model, "_flatten_layers"):
        raise ToolkitError(f"{path} returns {type(model).__name__}, expected a Keras model")
    return model
