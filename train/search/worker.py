"""`python -m train.search.worker`: runs trials of a search for the chief that started it.

It reads its configuration from standard input and ends when that is closed: with its chief.
"""

import os
import pickle
import sys
import threading
from collections.abc import Sequence

from train.common.command.cli import run_program
from train.config import TrainConfig


def main(arguments: Sequence[str]) -> int:
    """Runs trials until the chief has no more; returns 0."""
    config: TrainConfig = pickle.load(sys.stdin.buffer)  # noqa: S301 - from its own chief
    threading.Thread(target=_end_with_chief, daemon=True).start()
    from train.common.command.native_output import importing_large_library
    from train.common.command.progress import progress

    with importing_large_library():
        from train.search.work import work
    with progress() as report:
        work(config, report)
    return 0


def _end_with_chief() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    run_program(main, leave_at_once=True)
