"""Whatever Keras model a user has, loaded safely as a function of named tensors.

Light: TensorFlow is imported when a model is loaded.
"""

import typing

from export.model.request import ModelRequest

if typing.TYPE_CHECKING:
    from export.model.loaded import LoadedModel


def load_model(request: ModelRequest) -> "LoadedModel":
    """Returns the model that a request names, its weights checked to be finite numbers.

    Raises:
        ArtifactError: there is no such model, or it is damaged, unsafe to load without `unsafe`,
            or holds NaN or infinity.
        ToolkitError: the request does not fit the model, or the user's own code fails.
        MissingPackageError: a package that it needs is not installed.
    """
    from export.model.load import load

    return load(request)
