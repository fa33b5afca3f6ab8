import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.export.conftest import Tiny, load_source
from train.common.errors import ArtifactError


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "other archive"])
def test_what_is_no_keras_model_is_refused(tiny: Tiny, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "model.keras"
    content = tiny.path.read_bytes()
    if damage == "other archive":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "hello")
    else:
        path.write_bytes({"empty": b"", "text": b"hello", "truncated": content[:-500]}[damage])
    with pytest.raises(ArtifactError, match=r"is not a Keras model that can be loaded|is empty"):
        load_source(path, tmp_path)


def test_code_in_a_model_is_not_executed(tmp_path: Path) -> None:
    image = keras.Input((28, 28), name="image")
    hostile = keras.Model(image, keras.layers.Lambda(lambda x: x)(image))
    hostile.save(tmp_path / "model.keras")
    with pytest.raises(ArtifactError, match=r"[lL]ambda"):
        load_source(tmp_path / "model.keras", tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_named(tiny: Tiny, tmp_path: Path, value: float) -> None:
    broken = keras.models.clone_model(tiny.model)
    weights = tiny.model.get_weights()
    weights[2][3, 4] = value
    broken.set_weights(weights)
    broken.save(tmp_path / "model.keras")
    with pytest.raises(ArtifactError, match="weight probabilities/kernel holds NaN or infinity"):
        load_source(tmp_path / "model.keras", tmp_path)


def test_outputs_are_the_models(tiny: Tiny) -> None:
    inputs = {name: values[:5] for name, values in tiny.expected.inputs.items()}
    direct = np.asarray(tiny.model(inputs["image"], training=False))
    found = tiny.source.predict(inputs)
    assert list(found) == ["probabilities"]
    assert np.allclose(found["probabilities"], direct, atol=1e-6)
    assert tiny.source.weight_count() == 784 * 16 + 16 + 16 * 10 + 10
