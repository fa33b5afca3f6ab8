"""The network that was found → its file, exported, held against the limits, benchmarked."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.common.command.progress import Progress
from train.common.errors import ToolkitError
from train.common.files.artifact import sealed, write_json
from train.common.files.open import MAX_JSON_BYTES, parse_json, read_bounded
from train.common.record import MODEL_FILE
from train.config import FitRequest, TrainConfig
from train.limits import Kind, Limits, amount
from train.search.limits.weigh.costs import MEASURED, CostProcess

INT8, TUNED = "tflite-int8", "tflite-int8-qat"
PACKAGES = ("c", "tflm")  # made of a format's file, in folders of their own
NO_BASELINE = 0.01  # of which the benchmark's tolerance is taken
OBSERVED = "limit_"  # how the manifest calls what a limit is and what is used of it


@dataclass(frozen=True, kw_only=True)
class File:
    """The file that ships.

    Attributes:
        manifest: of it.
        costs: what it takes, measured of this file.
        within: by limit, what it is and how much of it is used, as text.
        fine_tuned: what quantization in the loop gained; None where that was not tried.
    """

    manifest: Path
    costs: Mapping[Kind, float]
    within: Mapping[Kind, str]
    fine_tuned: str | None

    @property
    def text(self) -> str:
        """What it takes and loses, in a line."""
        return "; ".join(f"{kind} {text}" for kind, text in self.within.items())


def make_file(config: TrainConfig, request: FitRequest, accuracy: float, report: Progress) -> File:
    """Exports the model in the artifacts folder, and holds the file against the limits.

    Integer formats are fine-tuned with quantization in the loop; `export` keeps what that makes
    only if it gains more than chance.

    Args:
        config: the run.
        request: the limits.
        accuracy: of the model on held-out images, 0…1.
        report: told of every step.

    Raises:
        ToolkitError: it cannot be exported, it takes more than it was weighed with, or loses more
            accuracy than it may.
    """
    folder = config.artifacts
    where = _where(config, request)
    source, fine_tuned = request.format, None
    if request.format in (INT8, *PACKAGES):
        report.step(f"export: {INT8}, and with quantization in the loop")
        _run("export", "--format", f"{INT8},{TUNED}", *where)
        tuned = _read(folder / f"{TUNED}.json").get("fine_tuning") or {}
        source = TUNED if tuned.get("kept") and request.format != "tflm" else INT8
        other = INT8 if source == TUNED else TUNED
        for unchosen in (folder / f"{other}.tflite", folder / f"{other}.json"):
            unchosen.unlink()  # the answer is one file
        fine_tuned = (
            f"quantization in the loop: {tuned.get('before', 0):.2%} to {tuned.get('after', 0):.2%}"
            f" on held-out images, {'kept' if tuned.get('kept') else 'no more than chance'}"
        )
    name = source if request.format == INT8 else request.format
    if request.format in PACKAGES:
        more = ["--from", source] if request.format == "c" else []
        _run("export", "--format", request.format, *more, *where)
    elif request.format != INT8:
        _run("export", "--format", request.format, *where)
    report.step(f"cost: of {name}")
    inside = folder / name if request.format in PACKAGES else folder
    manifest = inside / f"{name}.json"
    costs = _measured(folder / _file_of(source), request)
    dropped = _dropped(manifest)
    file = File(
        manifest=manifest,
        costs=costs,
        within=_within(request.limits, costs, dropped, accuracy),
        fine_tuned=fine_tuned,
    )
    _record(file)
    most = request.limits.drop
    if not request.limits.allow(costs) or (most is not None and dropped > most):
        raise ToolkitError(
            f"{manifest}: the exported file is not within the limits: {file.text}; allow as much"
        )
    return file


def benchmark(config: TrainConfig, request: FitRequest, file: File) -> int:
    """Runs the benchmark of the file that ships, which prints its table; returns its exit code."""
    limits = request.limits
    options = ["--artifacts", str(config.artifacts), "--fail-on", "fail"]
    if request.format not in PACKAGES:  # which have no row, or one beside that of their origin
        options += ["--format", file.manifest.stem]
    options += ["--baseline", str(limits.accuracy or NO_BASELINE)]
    options += [] if config.data is None else ["--data", str(config.data)]
    options += [] if limits.drop is None else ["--max-drop", str(limits.drop)]
    return subprocess.run([sys.executable, "-m", "benchmark", *options], check=False).returncode


def _where(config: TrainConfig, request: FitRequest) -> list[str]:
    """Returns the options of `export` that say what to export, and with which data."""
    folder = ["--artifacts", str(config.artifacts)]
    if request.space is None:
        return [*folder, *(("--data", str(config.data)) if config.data else ())]
    model = ["--model", str(config.artifacts / MODEL_FILE), "--calibration", str(config.data)]
    return [*folder, *model, *(("--scale", str(request.scale)) if request.scale else ())]


def _file_of(name: str) -> str:
    """Returns the file of a format."""
    return f"{name}.onnx" if name.startswith("onnx-") else f"{name}.tflite"


def _measured(file: Path, request: FitRequest) -> dict[Kind, float]:
    """Returns what an exported file costs, or the package that is made of it."""
    with CostProcess() as process:
        return process.cost(
            {
                "model": str(file),
                "format": request.format,
                "board": request.board,
                "needs": [kind for kind in MEASURED if kind in request.limits.needed],
            }
        )


def _dropped(manifest: Path) -> float:
    """Returns the accuracy, 0…1, that a file loses on held-out examples, as it was verified."""
    checks = {check["name"]: check["value"] for check in _read(manifest)["checks"]}
    return float(checks["accuracy_drop"])


def _within(
    limits: Limits, costs: Mapping[Kind, float], dropped: float, accuracy: float
) -> dict[Kind, str]:
    """Returns what of each limit is used, as text."""
    within = limits.told(costs)
    if limits.accuracy is not None:
        found = amount("accuracy", accuracy - dropped)
        within["accuracy"] = f"{found} held out, at least {amount('accuracy', limits.accuracy)}"
    if limits.drop is not None:
        within["drop"] = f"{amount('drop', dropped)} of {amount('drop', limits.drop)}"
    return within


def _record(file: File) -> None:
    """Adds to the manifest what the limits are, and how close the file is to each."""
    content = _read(file.manifest)
    seen = [each for each in content["observations"] if not str(each["name"]).startswith(OBSERVED)]
    for kind, text in file.within.items():
        seen.append({"name": f"{OBSERVED}{kind}", "value": text})
    temporary = file.manifest.with_suffix(".tmp")
    write_json(temporary, sealed({**content, "observations": seen}))
    temporary.replace(file.manifest)


def _read(path: Path) -> dict[str, Any]:
    content = parse_json(read_bounded(path, MAX_JSON_BYTES))
    return content if isinstance(content, dict) else {}


def _run(module: str, *arguments: str) -> None:
    """Runs a command of this toolkit.

    Raises:
        ToolkitError: it fails; its last line is said.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise ToolkitError(said.removeprefix("error: "))
