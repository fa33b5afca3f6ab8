"""What `model.json` may make a command load; it allows no code, whatever it says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.model.recorded import recorded_request
from export.model.request import NO_TRUST, ModelRequest, Trust, file_sha256_of
from tests.commands import assert_one_line_error, run_in_process
from tests.examples import OUTPUT, REFERENCE
from train.common.errors import ArtifactError, ToolkitError
from train.common.files.artifact import write_json
from train.common.record import ModelRecord

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow

CODE = "from pathlib import Path\n\nPath(__file__).with_name('ran').touch()\n\n\ndef model(): ..."


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, the current one, with a module that leaves a file behind where it is imported."""
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "model.keras").write_bytes(b"weights")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(path: str, **request: Any) -> ModelRecord:
    sha256 = file_sha256_of(ModelRequest(path=path))
    return ModelRecord(
        folder=Path("artifacts"),
        file=Path(path).name,
        sha256=sha256,
        test_accuracy=None,
        labels=(),
        preprocessing={},
        inputs=REFERENCE.inputs,
        outputs=(OUTPUT,),
        request={"path": path, "shapes": {"x": [1, None]}, **request},
    )


@pytest.mark.parametrize(
    ("path", "request_fields", "options"),
    [
        ("mine:model", {}, "--model mine:model"),
        ("model.keras", {"custom_objects": "mine"}, "--custom-objects mine"),
        ("model.keras", {"unsafe": True}, "--unsafe"),
        (
            "mine:model",
            {"custom_objects": "mine", "unsafe": True},
            "--model mine:model --custom-objects mine --unsafe",
        ),
    ],
)
@pytest.mark.usefixtures("place")
def test_what_runs_code_needs_the_option_that_is_named(
    path: str, request_fields: dict[str, Any], options: str
) -> None:
    with pytest.raises(ToolkitError, match=f"if you trust that code, add {options}$"):
        recorded_request(record(path, **request_fields), NO_TRUST)


@pytest.mark.usefixtures("place")
def test_what_is_loaded_has_the_shapes_of_the_record_and_the_trust_of_the_command_line() -> None:
    plain = recorded_request(record("model.keras", unsafe=False), NO_TRUST)
    assert plain == ModelRequest(path="model.keras", shapes={"x": (1, None)})
    trust = Trust(model="mine:model", custom_objects="others", unsafe=True)
    allowed = recorded_request(record("mine:model"), trust)
    assert (allowed.path, allowed.custom_objects, allowed.unsafe) == ("mine:model", "others", True)


def test_another_model_than_the_recorded_one_is_refused(place: Path) -> None:
    (place / "other.keras").write_bytes(b"other")
    known = record("model.keras")
    with pytest.raises(ArtifactError, match=r"other\.keras is not the Keras model that the exp"):
        recorded_request(known, Trust(model="other.keras"))
    (place / "model.keras").rename(place / "moved.keras")
    with pytest.raises(ArtifactError, match="is not there; say where it is with --model"):
        recorded_request(known, NO_TRUST)
    assert recorded_request(known, Trust(model="moved.keras")).path == "moved.keras"


@pytest.mark.parametrize(
    "fields", [{"unsafe": "no"}, {"shapes": {"x": [1, 0]}}, {"custom_objects": ["mine"]}]
)
@pytest.mark.usefixtures("place")
def test_a_garbled_request_is_named(fields: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError, match=r"model\.json: request.*: got "):
        recorded_request(record("model.keras", **fields), NO_TRUST)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (("benchmark", "--quick", "--data", "x.npy"), "--model mine:model --unsafe"),
        (("export", "--bundle", "edge", "--data", "x.npy"), "--model mine:model --unsafe"),
    ],
)
def test_no_command_runs_what_a_folder_asks_for(
    command: tuple[str, ...], options: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.commands.REPOSITORY", place)
    np.save(place / "x.npy", np.zeros((5, 2, 2), np.float32))
    (place / "artifacts").mkdir()
    known = record("mine:model", unsafe=True)
    write_json(place / "artifacts" / "model.json", known.as_json())
    write_json(place / "artifacts" / "tflite-int8.json", {})
    done = run_in_process(*command, "--artifacts", place / "artifacts")
    assert_one_line_error(done, f"add {options}")
    assert not (place / "ran").exists()
