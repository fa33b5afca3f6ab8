"""`make accuracies`: what training reaches, one row per model, as float and as int8 on test images.

Every row is `python -m train`, `export` and `benchmark` as a user types them. Three seeds of the
reference width; one of the others.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.ratios import REPOSITORY
from train.common.command.cli import Parser, run_program
from train.common.errors import ToolkitError

FOLDER = "accuracies"
INT8 = "tflite-int8"
MLP = ("--tuner", "none")
CNN = ("--architecture", "cnn", "--tuner", "none")
LARGE = ("--units", "64", "--learning-rate", "5e-3", "--epochs", "30")
# Name, its options of `python -m train`, and the seeds that it is fitted with.
ROWS: tuple[tuple[str, tuple[str, ...], tuple[int, ...]], ...] = (
    ("mlp, 416 units", (*MLP, "--units", "416"), (1, 2, 3)),
    ("mlp, 128 units", (*MLP, "--units", "128"), (1,)),
    ("mlp, 64 units", (*MLP, "--units", "64"), (1,)),
    ("mlp, 32 units", (*MLP, "--units", "32"), (1,)),
    ("cnn, 16 filters", (*CNN, "--units", "16"), (1,)),
    ("cnn, 24 filters", (*CNN, "--units", "24", "--epochs", "14"), (1,)),
    ("cnn, 64 filters", (*CNN, *LARGE), (1,)),
)


def main(arguments: Sequence[str]) -> int:
    """Trains, exports and measures every row, and prints it; returns 0."""
    parser = Parser(prog="python -m tests.accuracies", description=__doc__)
    parser.add_shared_arguments()
    folder = parser.parse_args(arguments).artifacts / FOLDER
    print(f"{'':16} {'seed':>4} {'valid.':>6} {'test':>6} {'int8':>6} {'kB':>6} {'fit s':>6}")
    for name, options, seeds in ROWS:
        found = []
        for seed in seeds:
            row = measure(folder / f"{name}, seed {seed}", (*options, "--seed", str(seed)))
            found.append(row["test"])
            print(
                f"{name:16} {seed:4} {row['validation']:6.2%} {row['test']:6.2%} "
                f"{row['int8']:6.2%} {row['size_bytes'] / 1000:6.1f} {row['seconds']:6.0f}",
                flush=True,
            )
        if len(found) > 1:
            print(f"{name:16} mean        {statistics.mean(found):6.2%}", flush=True)
    return 0


def measure(artifacts: Path, options: Sequence[str]) -> dict[str, Any]:
    """Returns a model's accuracies, 0…1, its size as int8 in bytes and the seconds of its fit."""
    common = ("--artifacts", str(artifacts))
    for command in (
        ("train", *options, *common),
        ("export", "--format", INT8, *common),
        ("benchmark", "--quick", "--format", INT8, *common),
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 2:
            raise ToolkitError(f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1]}")
    record = json.loads((artifacts / "model.json").read_text())
    (row,) = json.loads((artifacts / "benchmark.json").read_text())["results"]
    return {
        **record["accuracy"],
        "int8": row["accuracy"],
        "size_bytes": row["size_bytes"],
        "seconds": record["seconds"]["fit"],
    }


if __name__ == "__main__":
    run_program(main)
