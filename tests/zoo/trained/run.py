"""Trains a network once, exports it as a user would, and scores every export on the test images."""

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.manifest import Manifest, read_manifest
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from tests.zoo.run import FAILURE, Ran, run
from train.common.errors import ToolkitError

# Of `networks.NETWORKS`, which takes Keras to import.
NAMES = ("mobilenet_v2", "mobilenet_v3", "efficientnet_b0", "resnet")
FORMATS = ("tflite-int8", "onnx-int8", "tflite-int8-mixed", "onnx-int8-mixed")
HERE = Path(__file__).parent
RECIPE = tuple(HERE / name for name in ("recipe.py", "networks.py"))
MODEL, CALIBRATION, TEST, FACTS = "model.keras", "calibration.npz", "test.npz", "facts.json"
PREPROCESS = "scale=1/127.5,mean=1"  # bytes as numbers in -1…1
MAX_DROP = "0.002"  # by the interval, as much as a mixed file may lose on the test images


@dataclass(frozen=True, kw_only=True)
class Export:
    """An export of a trained network.

    Attributes:
        accuracy: on the test images, 0…1; None of one that was not made.
        seconds: of the command that made it, TensorFlow's start included.
        in_float: how many operators a mixed file leaves in float; None of others.
        multiplications, bytes: shares in int8, 0…1; None where they are not known.
        tried: how many mixtures were tried.
        method: how it was calibrated.
        reason: why it was not made.
    """

    accuracy: float | None
    seconds: float
    in_float: int | None = None
    multiplications: float | None = None
    bytes: float | None = None
    tried: int | None = None
    method: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained network: its parameters, its accuracy on the test images and its exports."""

    name: str
    parameters: int
    accuracy: float
    exports: dict[str, Export]


def measured(name: str, folder: Path, data: Path | None) -> Trained:
    """Returns what a network and its exports reach, trained where that has not been done.

    Args:
        name: of `networks.NETWORKS`.
        folder: where the network, its data and its exports are kept.
        data: folder of Fashion-MNIST; None to look for it.

    Raises:
        ToolkitError: the network cannot be trained.
    """
    facts = _facts(folder) or _train(name, folder, data)
    return Trained(
        name=name,
        parameters=facts["parameters"],
        accuracy=facts["accuracy"],
        exports={form: _export(form, folder) for form in FORMATS},
    )


def recipe_sha256() -> str:
    """Returns the hash of how networks are trained: another one trains them anew."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in RECIPE)).hexdigest()


def _facts(folder: Path) -> dict[str, Any] | None:
    try:
        facts = json.loads((folder / FACTS).read_text())
    except (OSError, ValueError):
        return None
    return facts if facts.get("recipe") == recipe_sha256() else None


def _train(name: str, folder: Path, data: Path | None) -> dict[str, Any]:
    print(f"training {name}, once", file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    place = [] if data is None else [str(data)]
    command = [sys.executable, "-m", "tests.zoo.trained.recipe", name, str(folder), *place]
    done = run(command, folder / "training.log")
    facts = _facts(folder)
    if done.code != 0 or facts is None:
        raise ToolkitError(f"{name} could not be trained: {_last(done)}; see {folder}")
    return facts


def _export(form: str, folder: Path) -> Export:
    exports = folder / "exports"
    mixed = ("--max-drop", MAX_DROP) if form.endswith("-mixed") else ()
    command = [
        *(sys.executable, "-m", "export", "--model", str(folder / MODEL), "--force"),
        *("--calibration", str(folder / CALIBRATION), "--preprocess", PREPROCESS),
        *("--artifacts", str(exports), "--format", form, *mixed),
    ]
    done = run(command, folder / f"{form}.log")
    if done.code != 0:
        said = FAILURE.search(done.output)
        return Export(
            accuracy=None, seconds=done.seconds, reason=said["text"] if said else _last(done)
        )
    manifest = read_manifest(exports / f"{form}.json")
    mixture, layers = manifest.mixture, manifest.layers
    return Export(
        accuracy=accuracy(manifest, folder / TEST),
        seconds=done.seconds,
        in_float=len(mixture.operators) if mixture else None,
        multiplications=layers.int8_multiplications if layers else None,
        bytes=mixture.int8_bytes if mixture else None,
        tried=len(mixture.tried) if mixture else None,
        method=manifest.calibration.method if manifest.calibration else "",
    )


def accuracy(manifest: Manifest, test: Path) -> float:
    """Returns the share of test images that an export puts into the right class, 0…1."""
    with np.load(test) as content:
        images, labels = content["x"], content["y"]
    ((name, how),) = manifest.preprocessing.items()
    with open_runner(manifest.runtime, manifest.artifact_path, threads=1) as runner:
        (outputs,) = predict(runner, {name: how.apply(images)}).values()
    return float(np.mean(outputs.argmax(axis=1) == labels))


def _last(done: Ran) -> str:
    return (done.output.strip().splitlines() or ["no message"])[-1]
