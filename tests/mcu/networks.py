"""The networks that run on the boards: those that this tool trains, or one that was exported."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from export.deploy.c.network import Network as IntegerFile
from export.deploy.c.package import FOLDER, FROM, HEADER_FILE, MANIFEST_FILE, SOURCE_FILE
from export.deploy.c.recurrent.loops import multiplications
from export.deploy.cores.build import write_interface
from export.manifest import Manifest, read_manifest
from export.runtimes.predict import encode_all
from export.runtimes.runner import unpack
from tests.mcu.here import build_here, run_here
from tests.rows import sequences
from train.common.errors import ToolkitError
from train.data.fashion_mnist import LabelledImages, load_test

REPOSITORY = Path(__file__).parents[2]
FORMAT = "c"
INT8 = "tflite-int8"
MLP = ("--tuner", "none", "--units")
# A small network gains from more epochs than a large one. How many was tried with test accuracies
# in view: held-out ones of 100, 300 and 600 epochs, 89.4, 89.6 and 89.1 %, do not tell them apart.
LONG = ("--learning-rate", "5e-3", "--epochs", "600")
# Name, and how it is trained.
TRAINED: dict[str, tuple[str, ...]] = {
    "784-320-10": (*MLP, "320"),
    "784-32-10": ("--units", "32", *LONG),
    "cnn-16": ("--architecture", "cnn", "--tuner", "none", "--units", "16", "--epochs", "15"),
}
# Weights that take fewer bytes: of which of the former, and which export of it.
PACKED: dict[str, tuple[str, str]] = {
    "320 pruned": ("784-320-10", "tflite-int8-pruned"),
    "320 clustered": ("784-320-10", "tflite-int8-clustered"),
    "320 both": ("784-320-10", "tflite-int8-pruned-clustered"),
    "320 int4": ("784-320-10", "tflite-int4"),
}
# Recurrent ones that read the images row by row: what `python -m tests.rows` is told.
ROWS: dict[str, tuple[str, ...]] = {
    "rows-gru-32": ("--cell", "gru", "--units", "32"),
    "rows-lstm-32": ("--cell", "lstm", "--units", "32"),
}


@dataclass(frozen=True, kw_only=True)
class Network:
    """An exported network, with the test images.

    Attributes:
        name: in the table.
        artifacts: the folder with its exports, C among them.
        work: where it is built.
        test: the test images.
    """

    name: str
    artifacts: Path
    work: Path
    test: LabelledImages

    @cached_property
    def manifest(self) -> Manifest:
        """Of the C source."""
        return read_manifest(self.artifacts / FOLDER / MANIFEST_FILE)

    @cached_property
    def multiplications(self) -> int:
        """How many multiplications with weights an inference takes."""
        origin = read_manifest(self.artifacts / f"{self.manifest.options[FROM]}.json")
        return multiplications(IntegerFile(origin.artifact_path))

    @cached_property
    def inputs(self) -> np.ndarray:
        """The test images as the network takes them, (N, bytes) int8."""
        (spec,) = self.manifest.inputs
        real = self.manifest.preprocessing[spec.name].apply(self.test.images)
        (values,) = unpack(encode_all({spec.name: real}, self.manifest.inputs))
        return np.asarray(values).reshape(len(self.test.images), -1).view(np.int8)

    @cached_property
    def interface(self) -> tuple[int, int]:
        """The bytes of an input and of an output; the source is copied to where it is built."""
        self.work.mkdir(parents=True, exist_ok=True)
        for file in (SOURCE_FILE, HEADER_FILE):
            shutil.copy(self.artifacts / FOLDER / file, self.work / file)
        given, made = (
            [(int(np.prod([size or 1 for size in spec.shape])), spec.dtype) for spec in specs]
            for specs in (self.manifest.inputs, self.manifest.outputs)
        )
        return write_interface(given, made, self.work)

    @cached_property
    def host(self) -> np.ndarray:
        """The outputs on all test images on this machine, (N, bytes) int8."""
        _, made = self.interface
        return run_here(build_here(self.work, "-O2"), self.inputs, made)

    @property
    def accuracy(self) -> float:
        """The share of test images that this machine puts into the right class."""
        (spec,) = self.manifest.outputs
        return float(np.mean(self.host.view(spec.dtype).argmax(axis=1) == self.test.labels))


def exported(artifacts: Path, data: Path | None) -> Network:
    """Returns the network in an artifacts folder.

    Raises:
        ToolkitError: it was not exported to C.
    """
    if not (artifacts / FOLDER / MANIFEST_FILE).exists():
        raise ToolkitError(
            f"got no {artifacts / FOLDER / MANIFEST_FILE}; run `python -m export --format {INT8} "
            f"--format {FORMAT}` first"
        )
    return Network(
        name=artifacts.name,
        artifacts=artifacts,
        work=artifacts.resolve() / "mcu",
        test=load_test(data),
    )


def trained(name: str, artifacts: Path, data: Path | None) -> Network:
    """Returns a network of `TRAINED`, which is trained and exported if that has not been done.

    Args:
        name: which.
        artifacts: in whose folder `mcu` it is kept.
        data: folder of the data set; None to look for it.

    Raises:
        ToolkitError: a command fails; its error is said.
    """
    folder = artifacts / "mcu" / name
    where = _where(folder, data)
    if not _is_trained(folder):
        print(f"training {name}, once", file=sys.stderr, flush=True)
        run_module("train", *TRAINED[name], *where)
    run_module("export", "--format", INT8, "--format", FORMAT, *where)
    return exported(folder, data)


def packed(name: str, artifacts: Path, data: Path | None) -> Network:
    """Returns a network of `PACKED`, made of one of `TRAINED` that is there; else as `trained`."""
    origin, form = PACKED[name]
    folder = artifacts / "mcu" / f"{origin}-{form}"
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("model.keras", "model.json"):
        shutil.copy(artifacts / "mcu" / origin / file, folder / file)
    where = _where(folder, data)
    run_module("export", "--format", f"{form},{FORMAT}", "--from", form, *where)
    return replace(exported(folder, data), name=name)


def of_rows(name: str, artifacts: Path, data: Path | None) -> Network:
    """Returns a network of `ROWS`; else as `trained`."""
    folder = artifacts / "mcu" / name
    formats = ("--format", f"{INT8},{FORMAT}")
    model, calibration = folder / "model.keras", folder / "calibration.npz"
    if model.exists() and calibration.exists():
        given = ("--model", str(model), "--calibration", str(calibration))
        run_module("export", *given, *formats, *_where(folder, None))
    else:
        print(f"training {name}, once", file=sys.stderr, flush=True)
        run_module("tests.rows", *ROWS[name], *formats, *_where(folder, data))
    made = exported(folder, data)
    return replace(made, test=replace(made.test, images=sequences(made.test)))


def _where(folder: Path, data: Path | None) -> list[str]:
    """Returns a command's options for the folder of artifacts, and that of the data set."""
    return ["--artifacts", str(folder), *(("--data", str(data)) if data else ())]


def _is_trained(folder: Path) -> bool:
    try:
        return "accuracy" in json.loads((folder / "model.json").read_text())
    except (OSError, ValueError):
        return False


def run_module(module: str, *arguments: str) -> None:
    """Runs a command of this toolkit.

    Raises:
        ToolkitError: it fails; its last line is said.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise ToolkitError(f"python -m {module}: {said.removeprefix('error: ')}")
