"""Fine-tunes a copy of the model so that it bears pruning or clustering.

By tensorflow-model-optimization, which knows Keras 2 only: the model is rebuilt layer by layer
for tf-keras. Keras 3 has to be imported first, because importing tensorflow-model-optimization
sets TF_USE_LEGACY_KERAS for the whole process.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras  # noqa: F401 - first, see above
import tensorflow as tf
import tf_keras

from export.convert.finetune.rebuild import rebuild
from export.convert.finetune.sparse import clustered, pruned
from export.convert.source import SourceModel
from export.formats.settings import DEFAULT_EPOCHS, Settings
from export.formats.table import Recipe
from export.model.loaded import LoadedModel

SEED = 1


def fine_tune(source: SourceModel, recipes: Sequence[Recipe], settings: Settings) -> Path:
    """Fine-tunes a copy of the model by recipes in order; returns its SavedModel's folder.

    Raises:
        ToolkitError: a layer cannot be rebuilt or fine-tuned, and is named; or there is no
            training data.
    """
    tf_keras.backend.reset_uids()  # a file's names must not depend on what was exported before it
    model = rebuild(source.model, source.representative.inputs)
    for recipe in recipes:
        tf_keras.utils.set_random_seed(SEED)
        epochs = settings.epochs or DEFAULT_EPOCHS[recipe]
        if recipe == "pruned":
            model = _pruned_once(model, source, epochs, settings.sparsities[0])
        else:
            clusters = settings.clusters or 0
            model = clustered(model, source, epochs, clusters, keep_zeros="pruned" in recipes)
    folder = source.folder / f"saved_model-{'-'.join(recipes)}"
    _loaded(model, source).save(folder, settings.batch)
    return folder


def _pruned_once(model: Any, source: SourceModel, epochs: int, sparsity: float) -> Any:
    """Returns a pruned copy of the model, with the weights of an earlier one if there is one."""
    known = source.pruned_weights.get((sparsity, epochs))
    if known is not None:
        model.set_weights(known)
        return model
    model = pruned(model, source, epochs, sparsity)
    source.pruned_weights[sparsity, epochs] = model.get_weights()
    return model


def _loaded(model: Any, source: SourceModel) -> LoadedModel:
    """Returns the copy with the names of the source's inputs and outputs."""

    def call(tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        outputs = model([tensors[spec.name] for spec in source.inputs], training=False)
        names = [spec.name for spec in source.outputs]
        return dict(zip(names, tf.nest.flatten(outputs), strict=True))

    return LoadedModel(
        path=source.model.path,
        inputs=source.inputs,
        outputs=source.outputs,
        call=call,
        variables=tuple((variable.name, variable) for variable in model.weights),
        tf_keras_model=model,
    )
