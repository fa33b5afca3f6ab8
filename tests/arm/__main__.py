"""`make arm`: the benchmark on an emulated ARM machine, its outputs beside those made here."""

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmark.outputs import OUTPUTS_FILE
from benchmark.reports.words import Json
from benchmark.subjects import RESULTS_FILE
from tests.arm.bundle import DATA, REQUIREMENTS, make_bundle
from tests.arm.comparison import compare_rows, read_results, table
from tests.arm.machine import CORES, CPU, check_qemu, run_emulated
from tests.arm.packages import PYTHON_VERSION
from tests.arm.root import boot_files, cache_folder
from train.cli import Parser, run_command
from train.errors import ToolkitError

FOLDER = "arm"  # in the artifacts folder: what came back, and the console's log
# Latency is not what this is for: few calls, and little time for them.
BENCHMARK = ("-m", "benchmark", "--data", DATA, "--quick", "--max-seconds", "0.5")
OPTIONS = (*BENCHMARK, "--save-outputs")
RESULTS = (f"artifacts/{RESULTS_FILE}", f"artifacts/{OUTPUTS_FILE}")


def main(arguments: Sequence[str]) -> int:
    """Runs both, prints the comparison; returns 1 if a limit is broken."""
    parser = Parser(prog="python -m tests.arm", description=__doc__)
    parser.add_shared_arguments()
    options = parser.parse_args(arguments)
    return run_on_arm(options.artifacts, options.data)


def run_on_arm(artifacts: Path, data: Path | None) -> int:
    """Compares every export's outputs here and on the emulated machine; returns the exit code.

    Raises:
        ToolkitError: no qemu, packages or exports; the machine crashed or hung.
    """
    check_qemu()
    started = time.monotonic()

    def progress(text: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {text}", file=sys.stderr, flush=True)

    work = artifacts / FOLDER
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    bundle = work / "bundle"
    make_bundle(artifacts, data, bundle)
    boot = boot_files(bundle / REQUIREMENTS, cache_folder(), progress)
    progress(f"booting the emulated machine ({CPU}, {CORES} cores) and running the benchmark in it")
    ran = run_emulated(boot, bundle, (f"python{PYTHON_VERSION}", *OPTIONS), RESULTS, work=work)
    if ran.code not in (0, 1):  # 1 is a verdict; too few images for some is no matter here
        said = (ran.output.strip().splitlines() or ["no message"])[-1]
        raise ToolkitError(f"the benchmark on the emulated machine failed: {said}; see {work}")
    progress("running the same benchmark here")
    done = subprocess.run(
        [sys.executable, *OPTIONS], cwd=bundle, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):
        raise ToolkitError(f"the benchmark failed here: {done.stderr.strip().splitlines()[-1]}")
    progress("done")
    there = work / "artifacts"
    rows = list(compare_rows(bundle / "artifacts", there))
    print(table(rows))
    print(legend(read_results(there)))
    return 0 if all(row.passed for row in rows) else 1


def legend(there: Json) -> str:
    """Returns what the table's figures are, and of what machine."""
    machine = there["environment"]
    versions = ", ".join(f"{name} {version}" for name, version in there["versions"].items())
    return (
        "flips: images put into another class there than here. difference: the largest\n"
        "between two outputs; LSB: the step of an integer output.\n"
        f"there: {machine['cpu']}, {machine['cores']} cores, {machine['architecture']}, emulated;\n"
        f"{machine['system']},\nPython {machine['python']}, {versions}"
    )


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
