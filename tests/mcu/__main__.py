"""`make mcu`: the exported C on emulated microcontrollers, byte by byte as on this machine."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.mcu.boards import BOARDS, QUICK, Board, by_name, missing
from tests.mcu.build import DOES_NOT_FIT, DoesNotFitError, build
from tests.mcu.emulate import run
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
    names = options.board or (QUICK if options.quick else [board.name for board in BOARDS])
    boards = [by_name(name) for name in names]
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
    return run_all(networks, boards, images)


def run_all(networks: Sequence[Network], boards: Sequence[Board], images: int) -> int:
    """Prints a row per network and board; returns 1 if a byte differs or a goal is missed.

    Raises:
        ToolkitError: none of the boards has what it needs here.
    """
    here = []
    for board in boards:
        if install := missing(board):
            print(f"{board.name}: left out; {install}", file=sys.stderr)
        else:
            here.append(board)
    if not here:
        raise ToolkitError("no emulated board can run here; install what is said above")
    print(HEADER)
    rows = []
    for network in networks:
        for board in here:
            row = measure(network, board, images)
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


def measure(network: Network, board: Board, images: int) -> Row:
    """Returns what a network took on a board, and how its outputs compare with this machine's."""
    _, made = network.interface
    row = Row(network=network.name, core=board.name, multiplications=network.multiplications)
    try:
        built = build(board, network.work)
    except DoesNotFitError as reason:
        return replace(row, reason=f"{DOES_NOT_FIT}{reason}")
    given = network.inputs[:images]
    ran = run(board, built.program, given, made)
    if built.bare.ram + ran.stack > board.ram_bytes:
        raise ToolkitError(f"{board.name}: the stack went into the variables")
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
