"""`make limits`: from limits to a network, one row per device, on the test images.

Every row is `python -m train --fit` as a user types it, which ends with the benchmark; the teacher
is fitted once, before the first. The last row is timed beside what TensorFlow's converter makes of
the default MLP by itself, in one run.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ratios import REPOSITORY
from train.common.command.cli import Parser, run_program
from train.common.errors import ToolkitError

FOLDER = "limits"
TUNING = "tuning"
MLP_UNITS = 416
BARE = "keras-default.tflite"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row: its name, the options of `python -m train`, and what it should reach.

    Attributes:
        name: of the row, and of its folder.
        options: of `python -m train`.
        goal: the least test accuracy, 0…1.
        minutes: of search and fit.
        most_latency: of the bare export's median, the most it may take; None for no such goal.
    """

    name: str
    options: tuple[str, ...]
    goal: float
    minutes: int
    most_latency: float | None = None


ROWS = (
    Row(name="int8 8 kB", options=("--fit", "flash=8kB"), goal=0.886, minutes=12),
    Row(name="int8 16 kB", options=("--fit", "flash=16kB"), goal=0.91, minutes=18),
    Row(name="int8 25 kB", options=("--fit", "flash=25kB"), goal=0.918, minutes=16),
    Row(name="int8 100 kB", options=("--fit", "flash=100kB"), goal=0.93, minutes=20),
    Row(
        name="c Uno",
        options=("--fit", "flash=32256B,ram=2048B", "--board", "uno"),
        goal=0.886,
        minutes=5,
    ),
    Row(
        name="c M0+",
        options=("--fit", "flash=16kB,ram=8kB", "--board", "cortex-m0+"),
        goal=0.90,
        minutes=8,
    ),
    Row(
        name="fastest",
        options=("--fit", "accuracy=0.908", "--minimize", "latency", "--for", "c"),
        goal=0.901,
        minutes=12,
        most_latency=0.1,
    ),
)


def main(arguments: Sequence[str]) -> int:
    """Searches for every row, and prints it; returns 1 if one misses its goal."""
    parser = Parser(prog="python -m tests.limits", description=__doc__)
    add = parser.group("what to search for")
    add("rows", nargs="*", metavar="ROW", help=f"of {', '.join(row.name for row in ROWS)} (all)")
    add("--budget", metavar="MINUTES", help="of each row (default: its own, 5 to 20)")
    add("--teacher", metavar="MODEL", help="a teacher to use (default: one that is fitted)")
    parser.add_shared_arguments()
    options = parser.parse_args(arguments)
    chosen = [row for row in ROWS if row.name in (options.rows or [row.name])]
    if len(chosen) < len(options.rows):
        raise ToolkitError(
            f"got {', '.join(options.rows)}, expected some of {', '.join(row.name for row in ROWS)}"
        )
    teacher = ["--teacher", options.teacher] if options.teacher else []
    folder, missed = options.artifacts / FOLDER, 0
    print(f"{'':12} {'valid.':>6} {'test':>6} {'goal':>6} {'min':>4}  takes")
    for row in chosen:
        where = folder / row.name
        is_taught = _share_teacher(folder, where) or options.teacher
        started = time.monotonic()
        minutes = options.budget or str(row.minutes)
        run("train", *row.options, "--budget", minutes, *teacher, "--artifacts", str(where))
        found = result(where)
        took = (time.monotonic() - started - (0 if is_taught else found["teacher_s"])) / 60
        is_met = found["test"] >= row.goal
        said = "; ".join(found["within"])
        if row.most_latency is not None:
            ratio = _beside_keras(where)
            is_met &= ratio <= row.most_latency
            said += f"; {ratio:.3f} of the bare export's time (goal {row.most_latency:g})"
        missed += not is_met
        print(
            f"{row.name:12} {found['validation']:6.2%} {found['test']:6.2%} {row.goal:6.1%} "
            f"{took:4.0f}  {said}{'' if is_met else '  MISSED'}",
            flush=True,
        )
        _keep_teacher(where, folder)
    return 1 if missed else 0


def result(folder: Path) -> dict[str, Any]:
    """Returns what a search found: accuracies on held-out and test images, and its limits."""
    record = json.loads((folder / "model.json").read_text())
    rows = json.loads((folder / "benchmark.json").read_text())["results"]
    row = min(rows, key=lambda row: row["name"] != "c")
    name = row["name"].split("+")[0]
    manifest = folder / name / f"{name}.json"
    if not manifest.exists():
        manifest = folder / f"{name}.json"
    seen = json.loads(manifest.read_text())["observations"]
    return {
        "validation": record["accuracy"]["validation"],
        "test": row["accuracy"],
        "within": [
            f"{each['name'].removeprefix('limit_')} {each['value']}"
            for each in seen
            if each["name"].startswith("limit_")
        ],
        "teacher_s": (record["limits"]["teacher"] or {}).get("seconds", 0),
    }


def run(*command: str) -> None:
    """Runs a command of the toolkit, which shows what it is at.

    Raises:
        ToolkitError: it ends with an error.
    """
    done = subprocess.run([sys.executable, "-m", *command], cwd=REPOSITORY, check=False)
    if done.returncode == 2:
        raise ToolkitError(f"{' '.join(command)} failed")


def _beside_keras(folder: Path) -> float:
    """Returns the answer's median time over that of the default MLP as TensorFlow exports it."""
    bare = folder / BARE
    script = (
        "import keras, pathlib, tensorflow as tf; from train.recipes.recipe import *; "
        "from train.fit.model import build_model; "
        f"model = build_model(Hyperparameters(units={MLP_UNITS}, learning_rate=1e-3, "
        "recipe=RECIPES['default'])); "
        f"pathlib.Path({str(bare)!r}).write_bytes("
        "tf.lite.TFLiteConverter.from_keras_model(model).convert())"
    )
    subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=True, capture_output=True)
    run("benchmark", "--artifacts", str(folder), "--add", str(bare), "--preprocess", "scale=1/255")
    rows = json.loads((folder / "benchmark.json").read_text())["results"]
    times = {row["name"]: row["latency_us"]["p50"] for row in rows if row["latency_us"]}
    answer = times["c"]
    return float(answer / next(time for name, time in times.items() if "keras" in name))


def _share_teacher(folder: Path, row: Path) -> bool:
    """Gives a row the teacher of those before it; returns whether there is one."""
    teachers = list(folder.glob("teacher-*"))
    for teacher in teachers:
        place = row / TUNING / teacher.name
        if not place.exists():
            shutil.copytree(teacher, place)
    return bool(teachers)


def _keep_teacher(row: Path, folder: Path) -> None:
    for teacher in (row / TUNING).glob("teacher-*"):
        if not (folder / teacher.name).exists():
            shutil.copytree(teacher, folder / teacher.name)


if __name__ == "__main__":
    run_program(main)
