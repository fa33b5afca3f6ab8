"""Loads a model of any kind, and checks that its weights are there and are numbers. Heavy."""

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from export.convert.reason import reason_of
from export.model import files, imported
from export.model.keras_call import open_keras
from export.model.keras_inputs import is_a
from export.model.loaded import LoadedModel
from export.model.request import ModelRequest
from export.model.safety import check_operators
from export.model.saved_model import open_saved_model
from train.common.errors import ArtifactError, ToolkitError
from train.common.native_output import captured_native_output


def load(request: ModelRequest) -> LoadedModel:
    """Returns the model that a request names; see `export.models.load_model`."""
    kind = request.kind
    with captured_native_output(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters is checked below, and said as an error
        custom = imported.custom_objects(request.custom_objects)
        if kind == "saved-model":
            loaded = open_saved_model(request)
        elif kind == "callable":
            loaded = open_keras(_made(request.path), request, lambda operators: None)
        else:
            loaded = _open_file(request, custom)
    for name, value in loaded.weights():
        if value.dtype.kind not in "OSU" and not np.isfinite(value).all():
            raise ArtifactError(
                f"{request.path}: weight {name} holds NaN or infinity, expected finite numbers; "
                "train the model again, with a lower learning rate"
            )
    return loaded


def _open_file(request: ModelRequest, custom: dict[str, Any]) -> LoadedModel:
    def check(operators: Iterable[str]) -> None:
        if not request.unsafe:
            check_operators(request.path, operators)

    model = files.load_file(request, custom)
    count = len(model.weights)
    loaded = open_keras(model, request, check)
    if len(model.weights) == count:
        return loaded
    # Some layers were only built by the first call; what they hold so far is random.
    try:
        model.load_weights(request.path)
    except Exception as error:
        raise ArtifactError(
            f"{request.path} lacks weights of the model ({reason_of(error)}), as if saved before "
            "it was built; call it on data, then save it again"
        ) from error
    return loaded


def _made(path: str) -> Any:
    model = imported.made_by(path)
    if not is_a(model, "Model") or not hasattr(model, "_flatten_layers"):
        raise ToolkitError(f"{path} returns {type(model).__name__}, expected a Keras model")
    return model
