"""Runs Vela on a file, and reads what it says: the compiled file, its estimates, what it leaves.

Vela is a compiler and no simulator: times and memory are its own estimates for a configuration of
the NPU and of the memories around it, which it names. https://gitlab.arm.com/artificial-intelligence/ethos-u/ethos-u-vela
"""

import csv
import importlib.util
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from export.deploy.ethos_u import worker
from export.verify.graph.ends import outputs_of
from export.verify.graph.read import read_graph
from train.common.environment import ROOT
from train.common.errors import ArtifactError, ToolkitError

PACKAGE = "ethos-u-vela"
NPU_OPERATOR = "ethos-u"  # the custom operator that holds the NPU's commands
COMPILE_S = 1_800.0
KIB = 1024
UNSAID = "Vela gives no reason"
NPU_COUNT = re.compile(r"NPU operators = (\d+)")
REASON = re.compile(
    r"operator: (?P<operator>\w+), ofm: '(?P<tensor>[^']*)'\s*\n\s*(?:- |Reason: )?(?P<reason>.*)"
)


@dataclass(frozen=True, kw_only=True)
class Left:
    """An operator that stays on the CPU; `count` of them for one reason, as Vela says it."""

    operator: str
    count: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What Vela estimates of a compiled file; nothing of it was run.

    Attributes:
        by: the compiler and its version.
        system_config, memory_mode: the system that it is for, as Vela's configuration names them.
        clock_hz: of the NPU.
        inference_us: time of one inference, microseconds.
        sram_bytes: of activations, at their peak.
        flash_bytes, dram_bytes: of weights and commands, and where they are.
        npu_operators: how many operations the NPU runs; times and memory are of these alone.
    """

    by: str
    system_config: str
    memory_mode: str
    clock_hz: float
    inference_us: float
    sram_bytes: int
    flash_bytes: int
    dram_bytes: int
    npu_operators: int


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A compiled file, what Vela estimates of it, and what stays on the CPU."""

    path: Path
    estimate: Estimate
    on_cpu: tuple[Left, ...]


def check_compiler() -> None:
    """Raises a ToolkitError if Vela is not installed."""
    if importlib.util.find_spec("ethosu") is None:
        raise ToolkitError(
            f"ethos-u: got no compiler for Arm's NPUs, expected Vela; install it (pip install "
            f"{PACKAGE})"
        )


def compiler_version() -> str:
    """Returns the version of Vela that is installed."""
    return metadata.version(PACKAGE)


def compile_file(model: Path, npu: str, folder: Path) -> Compiled:
    """Returns what Vela makes of a file.

    Args:
        model: the `.tflite` file.
        npu: the configuration of the NPU, such as `ethos-u55-128`.
        folder: an empty one, for what Vela writes.

    Raises:
        ArtifactError: Vela crashes, refuses the file, or leaves all of it to the CPU.
        ToolkitError: Vela is not installed.
    """
    check_compiler()
    search_path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    options = ("--accelerator-config", npu, "--output-dir", ".", "--show-cpu-operations")
    try:
        done = subprocess.run(
            [sys.executable, "-m", worker.__name__, str(model.resolve()), *options],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(search_path)},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=COMPILE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _refused(model, f"it takes more than {COMPILE_S:.0f} s") from error
    made, summaries = folder / f"{model.stem}_vela.tflite", list(folder.glob("*_summary_*.csv"))
    if done.returncode or not made.is_file() or len(summaries) != 1:
        raise _refused(model, _why(done.returncode, done.stdout + done.stderr))
    found = _estimate(summaries[0], done.stdout)
    on_cpu = tuple(_left(made, done.stdout + done.stderr))
    operators = read_graph(made).operators
    if "CUSTOM" not in operators:
        reasons = "; ".join(f"{left.operator}: {left.reason}" for left in on_cpu[:3])
        raise ArtifactError(
            f"ethos-u: Vela leaves all {len(operators)} operators of {model.name} to the CPU "
            f"({reasons}); give an integer file, such as tflite-int8"
        )
    return Compiled(path=made, estimate=found, on_cpu=on_cpu)


def _estimate(summary: Path, said: str) -> Estimate:
    with summary.open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))

    def kib(name: str) -> int:
        return round(float(row[f"{name}_memory_used"]) * KIB)

    return Estimate(
        by=f"{PACKAGE} {compiler_version()}",
        system_config=row["system_config"],
        memory_mode=row["memory_mode"],
        clock_hz=float(row["core_clock"]),
        inference_us=float(row["inference_time"]) * 1e6,
        sram_bytes=kib("sram"),
        flash_bytes=kib("on_chip_flash") + kib("off_chip_flash"),
        dram_bytes=kib("dram"),
        npu_operators=sum(map(int, NPU_COUNT.findall(said))),
    )


def _left(made: Path, said: str) -> list[Left]:
    """Returns what the compiled file has besides the NPU's operators, and why by what Vela said.

    Of operators of one kind whose outputs have no names, all reasons that it gives.
    """
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for found in REASON.finditer(said):
        known = reasons.setdefault((found["operator"], found["tensor"]), {})
        known[found["reason"].strip()] = None
    kept = Counter(
        (name, "; ".join(reasons.get((name, tensor), [UNSAID])))
        for name, tensor in outputs_of(made)
        if name != "CUSTOM"
    )
    return [
        Left(operator=name, count=count, reason=reason) for (name, reason), count in kept.items()
    ]


def _why(code: int, said: str) -> str:
    if code < 0:
        return f"it crashes ({signal.Signals(-code).name})"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else f"it ends with exit code {code}"


def _refused(model: Path, why: str) -> ArtifactError:
    return ArtifactError(
        f"ethos-u: Vela {compiler_version()} makes nothing of {model.name}: {why}; give another "
        "format with --from"
    )
