"""`python -m tests.zoo.recurrent`: recurrent layers in every format, at 1, 12, 50 and 200 steps.

Ends with 1 where a file is less exact, larger or slower than it has to be. A layer that a format
refuses is told.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from export.formats import FORMATS
from tests.zoo.recurrent.cases import NAMES, STEPS
from tests.zoo.recurrent.limits import Measured, faults, recurrent_table
from tests.zoo.recurrent.measure import measure
from tests.zoo.run import POST_TRAINING
from train.common.command.cli import Parser, run_program


def main(arguments: Sequence[str]) -> int:
    """Exports the layers asked for, and prints the table; 1 if a file is beyond a limit."""
    parser = Parser(prog="python -m tests.zoo.recurrent", description=__doc__)
    parser.add_argument("names", nargs="*", type=_known, metavar="LAYER", help=", ".join(NAMES))
    parser.add_argument("--steps", type=int, action="append", help="how many (1, 12, 50, 200)")
    parser.add_argument("--format", action="append", choices=[e.name for e in POST_TRAINING])
    options = parser.parse_args(arguments)
    formats = [FORMATS[name] for name in options.format or [e.name for e in POST_TRAINING]]
    found: dict[tuple[str, int], dict[str, Measured]] = {}
    beyond = False
    for kind in options.names or NAMES:
        for steps in options.steps or STEPS:
            with tempfile.TemporaryDirectory() as folder:
                cells = found[kind, steps] = measure(kind, steps, Path(folder), formats)
            for name, cell in cells.items():
                for fault in faults(kind, name, cell):
                    beyond = True
                    print(f"{kind} {steps} {name}: {fault}", file=sys.stderr, flush=True)
    print(recurrent_table(found, [entry.name for entry in formats]))
    return int(beyond)


def _known(name: str) -> str:
    if name not in NAMES:
        raise argparse.ArgumentTypeError(f"got {name!r}, expected one of {', '.join(NAMES)}")
    return name


if __name__ == "__main__":
    run_program(main)
