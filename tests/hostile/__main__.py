"""Odd files, each put where a command looks for one: one line or a row `error`, never a traceback.

`python -m tests.hostile` prints how many were handled; `tests/test_hostile.py` runs the same table.
"""

import sys

from tests.hostile.cases import cases


def main() -> int:
    """Prints what was not handled, and how many were; returns the exit code."""
    every = list(cases())
    wrong = {case.name: said for case in every if (said := case.run()) is not None}
    for name, said in wrong.items():
        print(f"{name}: {said}")
    print(f"{len(every) - len(wrong)} of {len(every)} odd files were handled")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
