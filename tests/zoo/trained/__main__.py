"""`python -m tests.zoo.trained`: small trained networks in int8 and mixed, by test accuracy.

Networks of the architectures that quantization costs most are trained on Fashion-MNIST, minutes
each and once, and exported as a user would. Ends with 1 where an export loses more than it may.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.zoo.trained.run import NAMES, measured
from tests.zoo.trained.table import beyond, trained_table
from train.common.command.cli import Parser, run_program


def main(arguments: Sequence[str]) -> int:
    """Trains what is missing, exports, prints the table; 1 if something is beyond its limit."""
    parser = Parser(prog="python -m tests.zoo.trained", description=__doc__)
    parser.add_argument(
        "names", nargs="*", type=_known, metavar="NETWORK", help=f"of {', '.join(NAMES)} (all)"
    )
    parser.add_argument("--data", type=Path, help="the folder of Fashion-MNIST, if it is not found")
    parser.add_argument(
        "--artifacts", type=Path, default=Path("artifacts/zoo"), help="where networks are kept"
    )
    options = parser.parse_args(arguments)
    rows = []
    for name in options.names or NAMES:
        print(name, file=sys.stderr, flush=True)
        rows.append(measured(name, options.artifacts / name, options.data))
    print(trained_table(rows))
    faults = [*beyond(rows)]
    for fault in faults:
        print(f"beyond its limit: {fault}", file=sys.stderr)
    return int(bool(faults))


def _known(name: str) -> str:
    if name not in NAMES:
        raise argparse.ArgumentTypeError(f"got {name!r}, expected one of {', '.join(NAMES)}")
    return name


if __name__ == "__main__":
    run_program(main)
