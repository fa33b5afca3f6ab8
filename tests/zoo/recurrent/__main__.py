"""`python -m tests.zoo.recurrent`: recurrent layers in every format, at 1, 12, 50 and 200 steps.

Ends with 1 where a file is less exact, larger or slower than it has to be. A layer that a format
refuses is told.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from export.formats.table import FORMATS
from tests.zoo.recurrent.cases import NAMES, STEPS
from tests.zoo.recurrent.kept import keep, kept
from tests.zoo.recurrent.limits import Case, all_faults
from tests.zoo.recurrent.measure import measure
from tests.zoo.recurrent.table import recurrent_table, worst_table
from tests.zoo.run import POST_TRAINING
from train.common.command.cli import Parser, run_program


def main(arguments: Sequence[str]) -> int:
    """Exports the layers asked for, and prints the tables; 1 if a file is beyond a limit."""
    parser = Parser(prog="python -m tests.zoo.recurrent", description=__doc__)
    parser.add_argument("names", nargs="*", type=_known, metavar="LAYER", help=", ".join(NAMES))
    parser.add_argument("--steps", type=int, action="append", help="how many (1, 12, 50, 200)")
    parser.add_argument("--format", action="append", choices=[e.name for e in POST_TRAINING])
    parser.add_argument(
        "--results", type=Path, metavar="DIR", help="keep files there; those it has are not made"
    )
    options = parser.parse_args(arguments)
    names = options.format or [entry.name for entry in POST_TRAINING]
    found: dict[tuple[str, int], Case] = {}
    for kind in options.names or NAMES:
        for steps in options.steps or STEPS:
            print(f"{kind} {steps}", file=sys.stderr, flush=True)
            done = kept(options.results, kind, steps) if options.results else Case(cells={})
            missing = [FORMATS[name] for name in names if name not in done.cells]
            if missing:
                with tempfile.TemporaryDirectory() as folder:
                    more = measure(kind, steps, Path(folder), missing)
                cells = {**done.cells, **more.cells}
                done = Case(cells=cells, seconds=done.seconds + more.seconds)
                if options.results:
                    keep(options.results, kind, steps, done)
            done = Case(cells={name: done.cells[name] for name in names}, seconds=done.seconds)
            found[kind, steps] = done
            for fault in all_faults(kind, done):
                print(f"  {fault}", file=sys.stderr, flush=True)
    print(recurrent_table(found, names))
    print(f"\n{worst_table(found, names)}")
    return int(any(all_faults(kind, case) for (kind, _), case in found.items()))


def _known(name: str) -> str:
    if name not in NAMES:
        raise argparse.ArgumentTypeError(f"got {name!r}, expected one of {', '.join(NAMES)}")
    return name


if __name__ == "__main__":
    run_program(main)
