"""`python -m tests.zoo.making NAME FOLDER`: writes a model of the zoo and its data."""

import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from export.model.load import load_model
from export.model.request import ModelRequest, parse_shape
from export.model.user_code import call_function
from tests.zoo.data import examples
from tests.zoo.decisive import give_head, train
from tests.zoo.entries import ENTRIES, Entry
from tests.zoo.families import WORDS

DATA, FACTS = "data.npz", "facts.json"
FILES = {"keras": "model.keras", "h5": "model.h5", "saved-model": "model"}


def main(arguments: Sequence[str]) -> int:
    """Writes the model, `data.npz` for it, and `facts.json`: its path and size."""
    name, place = arguments
    entry, folder = ENTRIES[name], Path(place)
    keras.utils.set_random_seed(0)
    model = call_function(entry.function)
    path = str(folder / FILES[entry.kind])
    _save(entry, model, path)
    loaded = load_model(request(entry, path))
    data = examples(loaded.inputs, entry.examples, high=entry.high, words=WORDS)
    if entry.module == "families":
        train(model, data, loaded.outputs)
    else:
        give_head(model, data)
    _save(entry, model, path)
    with zipfile.ZipFile(folder / DATA, "w") as archive:
        for key, values in data.items():
            with archive.open(f"{key}.npy", "w") as file:
                np.save(file, values)
    facts = {"path": path, "parameters": loaded.parameters}
    (folder / FACTS).write_text(json.dumps(facts))
    return 0


def request(entry: Entry, path: str) -> ModelRequest:
    """Returns how an entry's model is loaded, as the command line would."""
    options = dict(zip(entry.options[::2], entry.options[1::2], strict=True))
    shape = options.get("--shape")
    return ModelRequest(
        path=path,
        shapes=dict([parse_shape(shape)]) if shape else {},
        custom_objects=options.get("--custom-objects"),
    )


def _save(entry: Entry, model: keras.Model, path: str) -> None:
    if entry.kind == "saved-model":
        model.export(path, verbose=False)
    else:
        model.save(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
