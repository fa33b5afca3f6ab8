"""`make mcu`: the exported C on emulated microcontrollers, byte by byte as on this machine."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from export.deploy.cores.build import DOES_NOT_FIT, DoesNotFitError, build
from export.deploy.cores.core import CORES, QUICK, Core, core_named, missing
from export.deploy.cores.emulate import run
from tests.mcu.fits import fits
from tests.mcu.networks import PACKED, ROWS, TRAINED, Network, exported, of_rows, packed, trained
from tests.mcu.table import HEADER, LEGEND, Row, beside_plain, beside_tflm
from train.common.command.cli import Parser, integer_between, run_program
from train.common.errors import ToolkitError

IMAGES, FEW = 100, 5
MOST_IMAGES = 10_000


def main(arguments: Sequence[str]) -> int:
    """Builds, runs and compares; returns 1 if a byte differs or a goal is missed."""
    parser = Parser(prog="python -m tests.mcu", description=__doc__)
    parser.add_shared_arguments()
    add = parser.group("what to run")
    add("--exported", type=Path, metavar="DIR", help="an artifacts folder with an export to C "
        "(default: networks that are trained once)")  # fmt: skip
    add("--board", action="append", metavar="CORE", help="run on this core only; may be repeated")
    add("--images", type=integer_between(1, MOST_IMAGES), metavar="N",
        help=f"how many test images (default: {IMAGES}, with --quick {FEW})")  # fmt: skip
    add("--quick", action="store_true", help=f"{' and '.join(QUICK)} only, few images")
    options = parser.parse_args(arguments)
    names = options.board or (QUICK if options.quick else [core.name for core in CORES])
    cores = [core_named(name) for name in names]
    images = options.images or (FEW if options.quick else IMAGES)
    networks = (
        [exported(options.exported, options.data)]
        if options.exported
        else [
            *(trained(name, options.artifacts, options.data) for name in TRAINED),
            *(packed(name, options.artifacts, options.data) for name in PACKED),
            *(of_rows(name, options.artifacts, options.data) for name in ROWS),
        ]
    )
    return run_all(networks, cores, images)


def run_all(networks: Sequence[Network], cores: Sequence[Core], images: int) -> int:
    """Prints a row per network and core; returns 1 if a byte differs or a goal is missed.

    Raises:
        ToolkitError: none of the cores has what it needs here.
    """
    here = []
    for core in cores:
        if install := missing(core):
            print(f"{core.name}: left out; {install}", file=sys.stderr)
        else:
            here.append(core)
    if not here:
        raise ToolkitError("no emulated board can run here; install what is said above")
    print(HEADER)
    rows = []
    for network in networks:
        for core in here:
            row = measure(network, core, images)
            rows.append(row)
            print(row.text, flush=True)
    print(LEGEND)
    for network in networks:
        on_boards = fits(network.name, rows)
        print(on_boards.table if len(networks) == 1 else on_boards.line)
    beside = [found for row in rows if (found := beside_tflm(row))] + beside_plain(rows)
    for text, _ in beside:
        print(text)
    return 0 if all(row.passed for row in rows) and all(met for _, met in beside) else 1


def measure(network: Network, core: Core, images: int) -> Row:
    """Returns what a network took on a core, and how its outputs compare with this machine's."""
    _, made = network.interface
    row = Row(network=network.name, core=core.name, multiplications=network.multiplications)
    try:
        built = build(core, network.work)
    except DoesNotFitError as reason:
        return replace(row, reason=f"{DOES_NOT_FIT}{reason}")
    given = network.inputs[:images]
    ran = run(core, built.program, given, made)
    if built.bare.ram + ran.stack > core.ram_bytes:
        raise ToolkitError(f"{core.name}: the stack went into the variables")
    return replace(
        row,
        size=built.bare,
        stack=ran.stack,
        steps=ran.steps,
        images=len(given),
        differing=int(np.count_nonzero(ran.outputs != network.host[: len(given)])),
    )


if __name__ == "__main__":
    run_program(main)
