"""Few examples: all of them calibrate, and each is held out once to choose and to verify."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from export.data.split import FEW_EXAMPLES
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.verify.distance import distance
from tests.commands import run_in_process

pytestmark = pytest.mark.slow  # it converts with TensorFlow

FORMATS = ("tflite-int8", "onnx-int8", "tflite-float32")
ANY_CPU = ("--target-cpu", "any")  # with sums that overflow on none
COUNT, ODD = 40, 1.5  # the largest value of one example; that of all others is 1


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    path = tmp_path_factory.mktemp("model") / "model.keras"
    keras.Sequential(
        [layers.Input((6,), name="row"), layers.Dense(16, "relu"), layers.Dense(3, name="values")]
    ).save(path)
    return path


def exported(
    model: Path,
    folder: Path,
    count: int,
    *options: str,
    odd: float = ODD,
    formats: Sequence[str] = FORMATS[:1],
) -> dict[str, Any]:
    """Returns the manifest of each format, of random examples with an odd one among them."""
    rows = np.random.RandomState(2).random_sample((count, 6)).astype(np.float32)
    rows[2] = odd
    np.savez(folder / "data.npz", row=rows)
    done = run_in_process(
        "export",
        *("--model", str(model), "--calibration", str(folder / "data.npz"), *options),
        *("--artifacts", str(folder / "exports"), "--format", ",".join(formats)),
    )
    assert done.code == 0, done.err
    return {name: json.loads((folder / "exports" / f"{name}.json").read_text()) for name in formats}


def test_all_of_few_examples_calibrate_and_each_is_held_out_once(
    model: Path, tmp_path: Path
) -> None:
    found = exported(model, tmp_path, COUNT, formats=FORMATS)
    assert found["tflite-float32"]["calibration"] is None
    for name in FORMATS[:2]:
        record = found[name]["calibration"]
        assert (record["count"], record["folds"]) == (COUNT, 4)
        assert len(set(record["examples"])) == COUNT
        # by a file that the odd example did not calibrate
        assert record["clipped_share"] > 0
    (spec,) = found["tflite-int8"]["inputs"]
    assert (127 - spec["zero_point"]) * spec["scale"] == pytest.approx(ODD, rel=0.01)


def test_checks_and_scores_of_methods_are_of_files_that_did_not_see_the_example(
    model: Path, tmp_path: Path
) -> None:
    found = exported(model, tmp_path, COUNT, "--calibration-method", "min-max")["tflite-int8"]
    seen = {check["name"]: check["value"] for check in found["checks"]}
    rows = np.load(tmp_path / "data.npz")["row"]
    wanted = np.asarray(keras.models.load_model(model)(rows))
    path = tmp_path / "exports" / "tflite-int8.tflite"
    with open_runner("litert", path, threads=1) as runner:
        own = distance(predict(runner, {"row": rows})["values"], wanted, None)
    assert own.centred_snr_db > seen["variation_db"] + 3  # it clips nothing


def test_where_most_held_out_examples_would_be_clipped_ranges_have_room(
    model: Path, tmp_path: Path
) -> None:
    rows = np.random.default_rng(1).standard_t(3, size=(30, 6)).astype(np.float32)
    np.savez(tmp_path / "data.npz", row=rows)
    given = [
        *("--model", str(model), "--calibration", str(tmp_path / "data.npz")),
        *("--format", ",".join(FORMATS[:2]), "--artifacts", str(tmp_path / "exports")),
        *ANY_CPU,
    ]
    refused = run_in_process("export", *given, "--calibration-method", "min-max")
    assert refused.code == 1
    assert refused.err.count("lie outside the ranges") == 2
    assert run_in_process("export", *given).code == 0
    for name in FORMATS[:2]:
        made = json.loads((tmp_path / "exports" / f"{name}.json").read_text())
        assert made["calibration"]["method"] == "widened-25"


def test_one_example_that_the_others_do_not_span_is_told_not_refused(
    model: Path, tmp_path: Path
) -> None:
    options = (*ANY_CPU, "--calibration-method", "min-max")
    found = exported(model, tmp_path, COUNT, *options, odd=3.0, formats=FORMATS[:2])
    for name in FORMATS[:2]:
        seen = {each["name"]: each["value"] for each in found[name]["observations"]}
        assert seen["odd_examples"] == f"1 of {COUNT}"
    (spec,) = found["tflite-int8"]["inputs"]
    assert (127 - spec["zero_point"]) * spec["scale"] == pytest.approx(3, rel=0.01)


def test_of_fewer_than_twenty_every_one_counts(model: Path, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_t(3, size=(19, 6)).astype(np.float32)
    np.savez(tmp_path / "data.npz", row=rows)
    refused = run_in_process(
        *("export", "--model", str(model), "--calibration", str(tmp_path / "data.npz")),
        *("--format", FORMATS[0], "--artifacts", str(tmp_path / "exports")),
        *("--calibration-method", "min-max"),
    )
    assert refused.code == 1
    assert "lie outside the ranges" in refused.err


@pytest.mark.parametrize(
    ("count", "options"),
    [(FEW_EXAMPLES + 1, ()), (COUNT, ("--calibration-samples", "30")), (6, ())],
)
def test_otherwise_a_fifth_is_held_out(
    count: int, options: tuple[str, ...], model: Path, tmp_path: Path
) -> None:
    found = exported(model, tmp_path, count, *options)
    record = found["tflite-int8"]["calibration"]
    assert record["folds"] == 0
    assert record["count"] == (30 if options else count - max(1, count // 5))
