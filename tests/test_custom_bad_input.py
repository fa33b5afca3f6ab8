"""Bad custom models and data: one line, exit code 2, no code of theirs run, nothing written."""

import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from tests.commands import assert_one_line_error, hashes, run_in_process, run_module

EXPORT = "export --format tflite-float32"
MINE = f"{EXPORT} --model @/model.keras"
EXAMPLES = 50
MODULE = """
import os

import numpy as np

os.write(2, b"TensorFlow greets like this when it is imported")


def number():
    return 7


def words():
    yield np.full((3, 2, 2), "word")
"""


class Hostile:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self.mark,)


def refused(place: Path, command: str, artifacts: Path, *expected: str) -> None:
    """Asserts what a command with bad input says, and that it changes and runs nothing.

    `@` in it is the place of models and data.
    """
    before = hashes(artifacts)
    words = [word.replace("@", str(place)) for word in command.split()]
    done = run_in_process(*words, "--artifacts", artifacts)
    assert_one_line_error(done, *expected)
    assert hashes(artifacts) == before
    assert not (place / "ran").exists()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (f"{EXPORT} --model @/gone.keras", "gone.keras is not there; expected a .keras, .h5"),
        (f"{EXPORT} --model @/empty.keras", "empty.keras is empty; save the model again"),
        (f"{EXPORT} --model @/empty.h5", "empty.h5 is empty; save the model again"),
        (f"{EXPORT} --model @/folder", "is a folder without saved_model.pb; expected a .keras"),
        (f"{EXPORT} --model @/notes.txt", "notes.txt, expected a .keras, .h5"),
        (f"{EXPORT} --model no_such_module:model", "there is no module no_such_module in the"),
        (f"{EXPORT} --calibration x.npz", "got --calibration without --model; give"),
        (f"{EXPORT} --shape tile=1,2,2", "got --shape without --model; give"),
        (f"{EXPORT} --custom-objects mine", "got --custom-objects without --model; give"),
        (f"{EXPORT} --preprocess scale=2", "got --preprocess without --model; give"),
        (f"{EXPORT} --scale 1/255", "got --scale without --model; give"),
        (f"{EXPORT} --image-size 8", "got --image-size without --model; give"),
        (f"{MINE} --data x.npz", "got --data with --model, expected --calibration"),
        (f"{MINE} --shape tile=1,0,2", "got 'tile=1,0,2', expected sizes of 1 or more"),
        (f"{MINE} --shape tile=3,2,2", "got 'tile=3,2,2', expected an input's name and its shape"),
        (
            f"{MINE} --shape a=1,2 --shape a=1,3",
            "got --shape a, --shape a; give one for each input",
        ),
        (f"{MINE} --calibration=", "got an empty --calibration, expected a path or module"),
        (f"{EXPORT} --model=", "got an empty --model, expected a path or module:callable"),
        (f"{MINE} --preprocess scale=0", "got a scale or std of 0 in 'scale=0', expected another"),
        (f"{MINE} --preprocess scale=abc", "got 'abc', expected a number, or one such as 1/255"),
        (f"{MINE} --preprocess foo=1", "got 'foo=1' in 'foo=1', expected scale, mean, std"),
        (f"{MINE} --scale 0", "argument --scale: got '0', expected another number than 0"),
        (f"{MINE} --scale 1/0", "argument --scale: got '1/0', expected a number"),
        (f"{MINE} --scale 2 --preprocess mean=1", "got --scale and --preprocess; say it all"),
        (f"{MINE} --embed-preprocessing", "nothing to embed; say what with --preprocess"),
        (f"{MINE} --image-size 0x9", "got '0x9', expected HEIGHTxWIDTH such as 96x96"),
        ("export --bundle @/edge --shape x=1,2", "got --bundle with options of a"),
        ("export --bundle @/edge --calibration x.npz", "got --bundle with options of a"),
    ],
)
def test_what_is_refused_before_tensorflow_is_loaded(
    command: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tensorflow", "keras", "export.convert.job.loaded", "export.model.load"):
        monkeypatch.setitem(sys.modules, module, None)  # whoever imports it fails
    for name in ("empty.keras", "empty.h5", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    refused(tmp_path, command, tmp_path / "artifacts", expected)
    assert sorted(tmp_path.rglob("*")) == before


def save_models(place: Path) -> None:
    """Writes a model of four features, damaged copies of it, and one with a Lambda layer."""
    tile = keras.Input((2, 2), name="tile")
    x = keras.layers.Flatten()(tile)
    hidden = keras.layers.Dense(8, activation="relu")(x)
    kind = keras.layers.Dense(3, activation="softmax", name="kind")
    model = keras.Model(tile, kind(hidden))
    for suffix, kept in (("keras", -500), ("h5", 3_000)):
        model.save(place / f"model.{suffix}")
        content = (place / f"model.{suffix}").read_bytes()
        (place / f"truncated.{suffix}").write_bytes(content[:kept])
    (place / "text.keras").write_text("hello")

    mark = str(place / "ran")
    x = keras.layers.Lambda(lambda x: (__import__("pathlib").Path(mark).touch(), x)[1])(x)
    (place / "ran").unlink()
    keras.Model(tile, keras.layers.Dense(3)(x)).save(place / "lambda.keras")

    below_zero = keras.layers.Activation("log_softmax")(keras.layers.Flatten()(tile))
    logarithms = keras.layers.Identity(name="kind")(keras.ops.log(below_zero))
    keras.Model(tile, logarithms).save(place / "nan.keras")

    image = keras.Input((None, None, 3), name="image")
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    keras.Model(image, keras.layers.Dense(3)(pooled)).save(place / "open.keras")


def save_data(place: Path) -> None:
    """Writes examples that each have something wrong with them."""
    x = np.random.RandomState(0).normal(size=(EXAMPLES, 2, 2)).astype(np.float32)
    y = np.arange(EXAMPLES) % 3
    hostile = np.array([Hostile(place / "ran")] * EXAMPLES)
    np.save(place / "pickle.npy", hostile, allow_pickle=True)
    np.load(place / "pickle.npy", allow_pickle=True)
    (place / "ran").unlink()
    arrays: dict[str, dict[str, np.ndarray]] = {
        "good": {"tile": x, "kind": y},
        "pickle": {"tile": hostile},
        "shape": {"x": x[:, :, :1]},
        "rank": {"x": x[:, 0, 0]},
        "strings": {"x": x.astype(str)},
        "complex": {"x": x.astype(np.complex64)},
        "nan": {"x": np.where(x == x[7, 0, 0], np.nan, x)},
        "missing": {"y": y},
        "extra": {"x": x, "z": x},
        "lengths": {"x": x, "y": y[:-1]},
        "nothing": {},
        "zero": {"x": x[:0]},
        "negative": {"x": x, "y": y - 1},
        "large": {"x": x, "y": y + 1},
        "floats": {"x": x, "y": y / 2},
    }
    for name, found in arrays.items():
        np.savez(place / f"{name}.npz", allow_pickle=True, **found)
    (place / "truncated.npz").write_bytes((place / "good.npz").read_bytes()[:400])
    for name, classes in (("pictures", "abc"), ("broken", "abc"), ("two", "ab"), ("none", "abc")):
        for kind in classes:
            (place / name / kind).mkdir(parents=True)
            if name != "none":
                Image.new("L", (2, 2)).save(place / name / kind / "0.png")
    (place / "broken" / "b" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("custom")
    (folder / "mine.py").write_text(MODULE)
    save_models(folder)
    save_data(folder)
    return folder


@pytest.fixture(scope="module")
def artifacts(place: Path) -> Path:
    folder = place / "artifacts"
    done = run_module(
        *("export", "--format", "tflite-float32", "--model", place / "model.keras"),
        *("--artifacts", folder),
    )
    assert (done.code, done.err) == (0, ""), done
    return folder


@pytest.fixture
def importable(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(place)
    monkeypatch.delitem(sys.modules, "mine", raising=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--model @/text.keras", ["text.keras is not a Keras model", "save it with model.save"]),
        ("--model @/truncated.keras", ["truncated.keras is not a Keras model", "a damaged one"]),
        ("--model @/truncated.h5", ["truncated.h5 is not a Keras model", "a damaged one"]),
        ("--model @/lambda.keras", ["lambda.keras holds a lambda", "--unsafe allows that"]),
        ("--model mine:gone", ["the module mine has no function gone; name one that returns"]),
        ("--model mine:number", ["mine:number returns int, expected a Keras model"]),
        (
            "--model @/model.keras --shape image=1,2,2",
            ["got --shape for 'image', expected an input of the model: tile"],
        ),
        (
            "--model @/model.keras --custom-objects no_such_module",
            ["--custom-objects no_such_module fails", "expected a module that can be imported"],
        ),
        (
            "--model @/model.keras --preprocess image:scale=2",
            ["--preprocess: got input 'image', expected one of tile"],
        ),
        (
            "--model @/model.keras --preprocess mean=1:2:3",
            ["--preprocess: got 3 channels for the input tile (?, 2, 2)", "one number for all"],
        ),
        (
            "--model @/open.keras --calibration @/pictures",
            ["input 'image' is (?, ?, ?, 3); fix it with --shape image=1,224,224,3"],
        ),
        (
            "--model @/nan.keras --calibration @/good.npz",
            ["holds NaN or infinity for 10 of 10 held-out", "look at its inputs and their"],
        ),
        (
            "--model @/nan.keras",
            ["holds NaN or infinity for", "random examples", "real ones with --calibration"],
        ),
    ],
)
@pytest.mark.usefixtures("importable")
def test_bad_models(place: Path, options: str, expected: list[str], tmp_path: Path) -> None:
    refused(place, f"{EXPORT} {options}", tmp_path / "artifacts", *expected)


PICKLED = "pickled objects are not loaded, because loading them runs code; save plain numbers"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("@/pickle.npy", PICKLED),
        ("@/pickle.npz", PICKLED),
        ("@/shape.npz", "got shape (50, 2, 1), expected tile (?, 2, 2) float32; reshape the data"),
        ("mine:number", "it returned int, expected an iterable of batches"),
    ],
)
@pytest.mark.usefixtures("importable")
def test_bad_calibration_data(place: Path, artifacts: Path, source: str, expected: str) -> None:
    """Of each way to the data; more that is wrong with it is below, where it costs less."""
    refused(place, f"{MINE} --force --calibration {source}", artifacts, "--calibration ", expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("@/gone.npz", "is not there; expected an .npy or .npz file, a folder of pictures"),
        ("@/pickle.npy", PICKLED),
        ("@/pickle.npz", PICKLED),
        ("@/shape.npz", "got shape (50, 2, 1), expected tile (?, 2, 2) float32; reshape the data"),
        ("@/rank.npz", "got shape (50,), expected tile (?, 2, 2) float32; reshape the data"),
        ("@/strings.npz", "'x': got <U32, expected bool, integer or float values; convert it"),
        ("@/complex.npz", "'x': got complex64, expected bool, integer or float values; convert it"),
        ("@/nan.npz", "got nan in example 7, expected finite values within float32; remove or"),
        ("@/missing.npz", "expected one for the input 'tile' too; add it by this name"),
        ("@/extra.npz", "got the key 'z', expected 'x', 'tile', 'y', 'kind'"),
        ("@/lengths.npz", "got 50 of 'x', 49 of 'y', expected as many examples in every array"),
        ("@/nothing.npz", "got no array for any input, expected one for the input 'tile'"),
        ("@/truncated.npz", "is not a complete .npz file (File is not a zip file); write it with"),
        ("@/zero.npz", "got shape (0, 2, 2), expected examples in the first dimension"),
        ("@/negative.npz", "got -1 in example 0, expected 0…2; give the model's own classes"),
        ("@/large.npz", "got 3 in example 2, expected 0…2; give the model's own classes"),
        ("@/floats.npz", "got float64 of shape (50,), expected the shape of kind (?, 3) float32"),
        ("@/none", "got a folder without pictures, expected some"),
        ("@/two", "got 2 class folders ('a', 'b'), expected 3"),
        ("@/broken", "b/1.png: is damaged or not a picture"),
        ("@/pictures --image-size 9", "got pictures of size 9×9, expected tile (?, 2, 2)"),
        ("no_such_module:batches", "No module named 'no_such_module'; fix it, or the name"),
        ("mine:gone", "got no 'gone' in mine"),
        ("mine:number", "it returned int, expected an iterable of batches"),
        ("mine:words", "batch 0: 'tile': got <U4, expected bool, integer or float values"),
    ],
)
@pytest.mark.usefixtures("importable")
def test_bad_test_data(place: Path, artifacts: Path, source: str, expected: str) -> None:
    refused(place, f"benchmark --quick --data {source}", artifacts, "--data ", expected)
