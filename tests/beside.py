"""`make bench`, side by side: our C, TFLM, BakeNN, LiteRT and ONNX Runtime on the same networks.

Flash and RAM are bytes. Of C they are measured on an emulated Cortex-M4 (a program with nothing but
the model; variables and stack), of TFLM what is known before a program is built around it: the
file and what its makers state for their core; the arena, found by bisection. Latencies are of this
machine, from runs of `python -m benchmark`; ratios are to LiteRT on the same int8 network.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.advise.latency_ratio import latency_ratio
from benchmark.config import BenchmarkConfig
from benchmark.judge.limits import Limits
from benchmark.judge.rows import Result
from benchmark.measure.settings import MeasureSettings
from benchmark.pipeline import run_benchmark
from export.deploy.cores.core import core_named, missing
from tests.mcu.__main__ import measure
from tests.mcu.networks import TRAINED, exported, run_module
from tests.mcu.table import YARDSTICKS
from train.common.command.cli import Parser, run_program
from train.common.errors import ToolkitError

CORE, IMAGES = "Cortex-M4", 2
FORMATS = ("tflite-int8", "onnx-int8", "c", "tflm")
LITERT = "tflite-int8"
# How long C may take beside LiteRT: networks of few units, or in a small file, less than others.
FEW_UNITS, SMALL_BYTES = 64, 20_000
MOST, MOST_OF_SMALL = 1.0, 0.6
BAKENN = """\
import sys
try:
    import bakenn, tflite
except ImportError as error:
    sys.exit(f"{error}: give --bakenn the Python of an environment with bakenn[tflite]")
try:
    report = bakenn.compile_tflite(sys.argv[1], sys.argv[2], name="model").memory_report
except bakenn.BakeNNError as error:
    sys.exit(f"refuses the file: {error}")
print(report.emitted_constant_payload_bytes, report.arena_bytes)
"""
BAKENN_TIMEOUT_S = 300


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the table; None where nothing is known, `note` says why or what it is."""

    name: str
    flash: int | None = None
    ram: int | None = None
    p50_us: float | None = None
    ratio: float | None = None
    note: str = ""

    @property
    def text(self) -> str:
        """The line as it is printed."""
        cells = [
            f"{self.name:14}",
            *(f"{'' if size is None else format(size, ','):>9}" for size in (self.flash, self.ram)),
            f"{'' if self.p50_us is None else format(self.p50_us, '.2f'):>8}",
            f"{'' if self.ratio is None else format(self.ratio, '.2f'):>6}",
        ]
        return f"{' '.join(cells)}  {self.note}".rstrip()


HEADER = f"{'':14} {'flash':>9} {'RAM':>9} {'p50 µs':>8} {'ratio':>6}"


def main(arguments: Sequence[str]) -> int:
    """Prints a table per network; returns 0, whatever is met."""
    parser = Parser(prog="python -m tests.beside", description=__doc__)
    parser.add_shared_arguments()
    parser.group("what to compare with")(
        "--bakenn", default=sys.executable, metavar="PYTHON",
        help="an interpreter that has bakenn[tflite] (default: this one)")  # fmt: skip
    options = parser.parse_args(arguments)
    for folder in folders(options.artifacts):
        with tempfile.TemporaryDirectory() as place:
            copy = Path(shutil.copytree(folder, Path(place, folder.name), ignore=_left_out))
            where = ["--artifacts", str(copy)]
            where += ["--data", str(options.data)] if options.data else []
            run_module("export", "--format", ",".join(FORMATS), *where)
            lines = compare(copy, options.data, options.bakenn)
        print(f"\n{folder.name}\n{HEADER}")
        print("\n".join(line.text for line in lines), flush=True)
    return 0


def folders(artifacts: Path) -> list[Path]:
    """Returns the folders with networks: the reference job's, and those that `make mcu` trained.

    Raises:
        ToolkitError: there are none.
    """
    found = [artifacts, *(artifacts / "mcu" / name for name in TRAINED)]
    found = [folder for folder in found if (folder / "model.keras").exists()]
    if not found:
        raise ToolkitError(
            f"got no model in {artifacts}, expected one; run `make run` or `make mcu`"
        )
    return found


def compare(folder: Path, data: Path | None, bakenn: str) -> list[Line]:
    """Returns the lines of one network, whose exports are in a folder."""
    results = {found.variant.format: found for found in latencies(folder, data)}
    network = exported(folder, data)
    constants = {each.name: each.value for each in network.manifest.observations}
    flash, ram = int(constants["constants_bytes"]), int(constants["arena_bytes"])
    note = "constants and arena"
    if not missing(core_named(CORE)):
        row = measure(network, core_named(CORE), IMAGES)
        if row.size is not None:
            flash, ram, note = row.size.flash, row.size.ram + row.stack, f"measured on {CORE}"
    small = is_small(folder)
    goal = f"goal on hosts {MOST_OF_SMALL if small else MOST:.1f}"
    tflm = json.loads((folder / "tflm" / "tflm.json").read_text())
    lines = [
        replace(timed(results, "c", "c"), flash=flash, ram=ram, note=f"{note}; {goal}"),
        Line(
            name="tflm",
            flash=tflm["flash"]["least_bytes"],
            ram=tflm["ram"]["arena_bytes"],
            note=f"file of {tflm['flash']['model_bytes']:,} bytes, core as stated, no kernels",
        ),
        bakenn_line(bakenn, folder / f"{LITERT}.tflite", folder / "bakenn"),
        timed(results, LITERT, "LiteRT"),
        timed(results, "onnx-int8", "ONNX Runtime"),
    ]
    if yardstick := YARDSTICKS.get(folder.name):
        beside = Line(
            name="tflm, CMSIS-NN",
            flash=yardstick.flash,
            ram=yardstick.ram,
            note=f"measured on {CORE} once, see export/README.md",
        )
        lines.insert(2, beside)
    return lines


def latencies(folder: Path, data: Path | None) -> Sequence[Result]:
    """Returns the rows of a benchmark of the exports in a folder."""
    config = BenchmarkConfig(
        artifacts=folder,
        data=data,
        formats=None,
        limits=Limits(baseline=0, tolerance=1),
        measure=MeasureSettings(samples=10_000, rounds=20, launches=4, max_seconds=5),
    )
    return run_benchmark(config).results


def timed(results: Mapping[str, Result], form: str, name: str) -> Line:
    """Returns the line of a format that was timed."""
    found, litert = results.get(form), results.get(LITERT)
    if found is None or litert is None or found.latency is None:
        return Line(name=name, note="not timed")
    ratio = latency_ratio(found, litert)
    return Line(
        name=name,
        p50_us=found.latency.p50,
        ratio=None if ratio is None else ratio.value,
    )


def is_small(folder: Path) -> bool:
    """Returns whether a network has few hidden units, or a small file."""
    record = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    size = (folder / f"{LITERT}.tflite").stat().st_size
    return int(record["hyperparameters"]["units"]) < FEW_UNITS or size < SMALL_BYTES


def bakenn_line(python: str, file: Path, out: Path) -> Line:
    """Returns what BakeNN makes of a file, or the line in which it says why it does not."""
    try:
        done = subprocess.run(
            [python, "-c", BAKENN, str(file), str(out)],
            capture_output=True,
            text=True,
            timeout=BAKENN_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Line(name="BakeNN", note=f"{error}")
    said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
    if done.returncode == 0:
        flash, ram = map(int, said.split())
        return Line(name="BakeNN", flash=flash, ram=ram, note="constants and arena")
    return Line(name="BakeNN", note=said)


def _left_out(folder: str, names: list[str]) -> list[str]:
    del folder
    return [name for name in names if name in ("mcu", "logs", "tuning")]


if __name__ == "__main__":
    run_program(main)
