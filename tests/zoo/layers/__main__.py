"""`python -m tests.zoo.layers`: every layer of Keras alone, at two shapes, in every format.

Each is made, or refused in one line. Ends with 1 if an export crashed, hung or said more than that.
"""

import argparse
import os
from collections.abc import Sequence

from tests.zoo.layers.cases import CASES
from tests.zoo.layers.run import CRASH, run_cases
from tests.zoo.layers.table import layers_table
from tests.zoo.run import POST_TRAINING
from train.common.command.cli import Parser, run_program


def main(arguments: Sequence[str]) -> int:
    """Exports the layers asked for and prints the table; 1 if one crashed."""
    parser = Parser(prog="python -m tests.zoo.layers", description=__doc__)
    parser.add_argument("names", nargs="*", type=_known, metavar="LAYER", help="of Keras (all)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args(arguments)
    cases = [f"{name}:{n}" for name in options.names or CASES for n in range(2)]
    found = run_cases(cases, options.workers)
    print(layers_table(found, [entry.name for entry in POST_TRAINING]))
    return int(any(cell.word == CRASH for cells in found.values() for cell in cells.values()))


def _known(name: str) -> str:
    if name not in CASES:
        raise argparse.ArgumentTypeError(f"got {name!r}, expected one of {', '.join(CASES)}")
    return name


if __name__ == "__main__":
    run_program(main)
