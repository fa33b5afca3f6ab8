"""`make arm`: the benchmark on an emulated ARM machine, its outputs beside those made here."""

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmark.measure.variants import RESULTS_FILE
from benchmark.report.write import PAGE_FILE
from benchmark.results.file import OUTPUTS_FILE
from export.deploy.bundle.build import ARTIFACTS_FOLDER, BundleConfig, write_bundle
from tests.arm.comparison import MIN_IMAGES, Json, compare_rows, read_results, table
from tests.arm.machine import CORES, CPU, Ran, check_qemu, run_emulated
from tests.arm.packages import PYTHON_VERSION
from tests.arm.root import boot_files, cache_folder
from train.common.command.cli import Parser, add_bundle_images, run_program
from train.common.environment import REQUIREMENTS_FILE
from train.common.errors import ToolkitError

FOLDER = "arm"  # in the artifacts folder: what came back, and the console's log
# Latency is not what this is for: few calls, and little time for them.
BENCHMARK = ("-m", "benchmark", "--save-outputs", "--quick", "--max-seconds", "0.5")
RESULTS = tuple(f"{ARTIFACTS_FOLDER}/{name}" for name in (RESULTS_FILE, OUTPUTS_FILE, PAGE_FILE))


def main(arguments: Sequence[str]) -> int:
    """Runs both, prints the comparison; returns 1 if a limit is broken."""
    parser = Parser(prog="python -m tests.arm", description=__doc__)
    parser.add_shared_arguments()
    add_bundle_images(parser.add_argument)
    options = parser.parse_args(arguments)
    return run_on_arm(options.artifacts, options.data, options.bundle_images)


def run_on_arm(artifacts: Path, data: Path | None, images: int | None) -> int:
    """Compares every export's outputs here and on the emulated machine; returns the exit code.

    Args:
        artifacts: the folder with the exports.
        data: folder of the data set; None to look for it.
        images: how many test images; None for all.

    Raises:
        ToolkitError: no qemu, packages or exports; the machine crashed or hung.
    """
    check_qemu()
    if images is not None and images < MIN_IMAGES:
        raise ToolkitError(
            f"got --bundle-images {images}, expected at least {MIN_IMAGES}, or flips are too rare"
        )
    started = time.monotonic()

    def progress(text: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {text}", file=sys.stderr, flush=True)

    work = artifacts / FOLDER
    shutil.rmtree(work, ignore_errors=True)
    bundle = work / "bundle"
    config = BundleConfig(
        target=bundle, artifacts=artifacts, data=data, formats=None, images=images
    )
    progress(write_bundle(config).split(";")[0])
    boot = boot_files(bundle / REQUIREMENTS_FILE, cache_folder(), progress)
    progress(f"booting an emulated machine ({CPU}, {CORES} cores), running the benchmark in it")
    python = f"python{PYTHON_VERSION}"
    check(run_emulated(boot, bundle, (python, *BENCHMARK), RESULTS, work=work), "there", work)
    progress("running the same benchmark here")
    done = subprocess.run(
        [sys.executable, *BENCHMARK], cwd=bundle, capture_output=True, text=True, check=False
    )
    check(Ran(code=done.returncode, output=done.stdout + done.stderr), "here", work)
    progress("done")
    rows = list(compare_rows(bundle / ARTIFACTS_FOLDER, work / ARTIFACTS_FOLDER))
    print(table(rows))
    print(legend(read_results(work / ARTIFACTS_FOLDER)))
    return 0 if all(row.passed for row in rows) else 1


def check(ran: Ran, where: str, work: Path) -> None:
    """Raises ToolkitError unless a benchmark came to an end, whatever its verdicts."""
    if ran.code not in (0, 1):
        said = (ran.output.strip().splitlines() or ["no message"])[-1]
        raise ToolkitError(
            f"the benchmark {where} ended with exit code {ran.code}: {said}; see {work}"
        )


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
    run_program(main)
