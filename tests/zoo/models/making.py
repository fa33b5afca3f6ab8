"""`python -m tests.zoo.models.making NAME FOLDER`: writes a model of the zoo and its data."""

import json
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from export.model.load import load_model
from export.model.request import ModelRequest, parse_shape
from export.model.user_code import call_function
from tests.zoo.models.data import examples
from tests.zoo.models.decisive import give_head, train
from tests.zoo.models.entries import ENTRIES, Entry
from tests.zoo.models.families import WORDS

DATA, FRESH, FACTS = "data.npz", "fresh.npz", "facts.json"
MOST_FRESH = 200
FILES = {"keras": "model.keras", "h5": "model.h5", "saved-model": "model"}


def main(arguments: Sequence[str]) -> int:
    """Writes the model, its data, fresh ones to compare on, and `facts.json`: path and size."""
    name, place = arguments
    entry, folder = ENTRIES[name], Path(place)
    keras.utils.set_random_seed(0)
    model = call_function(entry.function)
    path = str(folder / FILES[entry.kind])
    _save(entry, model, path)
    loaded = load_model(request(entry, path))
    fresh = min(MOST_FRESH, entry.examples)
    made = examples(loaded.inputs, entry.examples + fresh, high=entry.high, words=WORDS)
    data = {name: values[:-fresh] for name, values in made.items()}
    if entry.module != "applications":
        train(model, data, loaded.outputs)
    else:
        give_head(model, data)
    _save(entry, model, path)
    _write(folder / DATA, data)
    _write(folder / FRESH, {name: values[-fresh:] for name, values in made.items()})
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


def _write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays whose names may be those of `np.savez`'s own parameters, such as `file`."""
    with zipfile.ZipFile(path, "w") as archive:
        for key, values in arrays.items():
            with archive.open(f"{key}.npy", "w") as file:
                np.save(file, values)


def _save(entry: Entry, model: keras.Model, path: str) -> None:
    if entry.kind == "saved-model":
        model.export(path, verbose=False)
    else:
        model.save(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
