"""The network that was found → its file, exported, held against the limits, benchmarked."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
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
from train.search.limits.costs import MEASURED, CostProcess

INT8, TUNED = "tflite-int8", "tflite-int8-qat"
PACKAGES = ("c", "tflm")  # made of a format's file, in folders of their own
NO_BASELINE = 0.01  # of which the benchmark's tolerance is taken
OBSERVED = "limit_"  # how the manifest calls what a limit is and what is used of it


@dataclass(frozen=True, kw_only=True)
class File:
    """The file that ships.

    Attributes:
        manifest: of it.
        costs: what it takes, as measured of this file.
        within: of each limit, its cost, its limit and how much is used, as text.
        fine_tuned: what quantization in the loop gained; None where that was not tried.
    """

    manifest: Path
    costs: Mapping[Kind, float]
    within: Sequence[str]
    fine_tuned: str | None


def make_file(config: TrainConfig, request: FitRequest, report: Progress) -> File:
    """Exports the model in the artifacts folder, and holds the file against the limits.

    Integer formats are fine-tuned with quantization in the loop; `export` keeps what that makes
    only if it gains more than chance.

    Raises:
        ToolkitError: it cannot be exported, or it takes more than it was weighed with.
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
    inside = folder / name / f"{name}.json" if request.format in PACKAGES else None
    manifest = inside or folder / f"{name}.json"
    costs = _measured(folder, manifest, request)
    file = File(
        manifest=manifest,
        costs=costs,
        within=[*request.limits.lines(costs), *_dropped(manifest, request.limits)],
        fine_tuned=fine_tuned,
    )
    _record(file, request.limits)
    if not request.limits.allow(costs):
        raise ToolkitError(
            f"{manifest.parent}: the exported file takes more than was weighed: "
            f"{'; '.join(file.within)}; lower the limits by as much"
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
    return subprocess.run(
        [sys.executable, "-m", "benchmark", *options], cwd=Path.cwd(), check=False
    ).returncode


def _where(config: TrainConfig, request: FitRequest) -> list[str]:
    """Returns the options of `export` that say what to export, and with which data."""
    folder = ["--artifacts", str(config.artifacts)]
    if request.space is None:
        return [*folder, *(("--data", str(config.data)) if config.data else ())]
    model = ["--model", str(config.artifacts / MODEL_FILE), "--calibration", str(config.data)]
    return [*folder, *model, *(("--scale", str(request.scale)) if request.scale else ())]


def _measured(folder: Path, manifest: Path, request: FitRequest) -> dict[Kind, float]:
    with CostProcess() as process:
        costs = process.cost(
            {
                "model": str(folder / MODEL_FILE),
                "format": request.format,
                "board": request.board,
                "needs": [kind for kind in MEASURED if kind in request.limits.needed],
            }
        )
    if request.format not in PACKAGES:
        costs["flash"] = _read(manifest)["size_bytes"]
    return costs


def _dropped(manifest: Path, limits: Limits) -> Iterator[str]:
    if limits.drop is None:
        return
    checks = {check["name"]: check["value"] for check in _read(manifest).get("checks", ())}
    dropped = float(checks.get("accuracy_drop", 0))
    yield f"drop {amount('drop', max(0.0, dropped))} of {amount('drop', limits.drop)}"
    if dropped > limits.drop:
        raise ToolkitError(
            f"{manifest}: the exported file loses {dropped:.2%} on held-out images, "
            f"{dropped - limits.drop:.2%} more than drop={limits.drop:g} allows; allow more"
        )


def _record(file: File, limits: Limits) -> None:
    """Adds to the manifest what the limits are, and how close the file is to each."""
    content = _read(file.manifest)
    used = limits.used(file.costs)
    seen = [
        each
        for each in content.get("observations", ())
        if not str(each.get("name", "")).startswith(OBSERVED)
    ]
    for kind in limits.needed:
        if kind in file.costs:
            text = amount(kind, file.costs[kind])
            if kind in used:
                text += f" of {amount(kind, limits.most[kind])} ({used[kind]:.1%})"
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
