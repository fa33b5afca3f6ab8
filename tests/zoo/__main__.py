"""`make zoo`: what works of real architectures, in every format that needs no training.

Every row is `python -m export` as a user types it, of a model with random weights whose head makes
it decide, or of a small one trained for a moment. Each file is compared with what the bare
converter makes of the same model and data: ends with 1 where ours is behind. Then each layer of
Keras alone, as `python -m tests.zoo.layers` does it.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.zoo.bare.judge import Comparison
from tests.zoo.bare.run import COMPARED, compare
from tests.zoo.bare.table import comparison_table, faults, gains_table
from tests.zoo.kept import Done, keep, kept
from tests.zoo.layers.__main__ import main as layers
from tests.zoo.models.entries import ENTRIES
from tests.zoo.run import POST_TRAINING, make_row
from tests.zoo.table import Row, column, table, too_large
from train.common.command.cli import Parser, run_program


def main(arguments: Sequence[str]) -> int:
    """Exports the models asked for and prints the tables.

    Returns:
        1 if a large model took too much memory, a file is worse than the bare converter's, or the
        export of a layer crashed.
    """
    parser = Parser(prog="python -m tests.zoo", description=__doc__)
    parser.add_argument(
        "names", nargs="*", type=_known, metavar="MODEL", help=f"of {', '.join(ENTRIES)} (all)"
    )
    parser.add_argument(
        "--results", type=Path, metavar="DIR", help="keep rows there; rows that it has are not made"
    )
    options = parser.parse_args(arguments)
    names = options.names or list(ENTRIES)
    rows: list[Row] = []
    compared: dict[str, Mapping[str, Comparison]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(names, start=1):
            print(f"{name} ({number} of {len(names)})", file=sys.stderr, flush=True)
            done = kept(options.results, name) if options.results else None
            row, found = done or _made(name, Path(folder, name))
            if options.results:
                keep(options.results, row, found)
            rows.append(row)
            compared[name] = found
            for fault in faults({name: found}):
                print(f"  {fault}", file=sys.stderr, flush=True)
    columns = {name: column(name) for name in COMPARED}
    print(table(rows, [entry.name for entry in POST_TRAINING]))
    print(f"\n{comparison_table(compared, columns)}\n\n{gains_table(compared, columns)}")
    is_bad = bool(too_large(rows) or faults(compared))
    if not options.names:
        print(flush=True)
        is_bad |= layers([]) != 0
    return int(is_bad)


def _made(name: str, place: Path) -> Done:
    place.mkdir()
    done = make_row(ENTRIES[name], place), compare(name, place, COMPARED)
    shutil.rmtree(place)
    return done


def _known(name: str) -> str:
    if name not in ENTRIES:
        raise argparse.ArgumentTypeError(f"got {name!r}, expected one of {', '.join(ENTRIES)}")
    return name


if __name__ == "__main__":
    run_program(main)
