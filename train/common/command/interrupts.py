"""Ctrl-C, SIGTERM and a closed terminal end a command once, in order, with exit code 130."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import NoReturn

EXIT_INTERRUPTED = 130
PR_SET_PDEATHSIG = 1
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
AGAIN_S = 0.01  # after an interrupt that would be dropped, or was
# So long after an interrupt others change nothing: what was begun is being cleaned up.
DEAF_S = 30.0

_interrupted_s = -DEAF_S


@contextmanager
def handled_interrupts(*, leave_after: Callable[[], None] | None) -> Iterator[None]:
    """Makes the signals raise KeyboardInterrupt, or end the process after `leave_after`.

    A hang-up that whoever started the command has asked to ignore, by nohup, stays ignored.
    """
    global _interrupted_s
    _interrupted_s = -DEAF_S
    # the terminal's, which stand for something else while native output is captured
    output, errors = os.dup(1), os.dup(2)
    handler = _interrupt if leave_after is None else partial(_leave, leave_after, output, errors)
    previous = {
        number: signal.signal(number, handler)
        for number in SIGNALS
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
        os.close(output)
        os.close(errors)


def ignore_interrupts() -> None:
    """Makes the signals change nothing more: the work is done, Python is ending."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def end_with_parent(parent: int) -> None:
    """Has the kernel kill this process when the one that forked it ends, as Linux can."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it ended before
            os._exit(1)


def _leave(
    clean_up: Callable[[], None], output: int, errors: int, signum: int, frame: object
) -> NoReturn:
    clean_up()
    with suppress(OSError):  # of a terminal that is gone
        if os.isatty(output):
            os.write(output, b"\x1b[?25h\n")  # the progress bar has hidden the cursor
        os.write(errors, b"interrupted: nothing half-written, earlier artifacts untouched\n")
    os._exit(EXIT_INTERRUPTED)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """Raises KeyboardInterrupt, a moment later if Python would drop it here."""
    global _interrupted_s
    again = signum == getattr(signal, "SIGALRM", None)
    if not again and time.monotonic() - _interrupted_s < DEAF_S:
        return
    _interrupted_s = time.monotonic()
    while frame is not None and hasattr(signal, "setitimer"):
        if frame.f_code.co_name == "__del__" or frame.f_code is _interrupt_again.__code__:
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _interrupt_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Sees to it that an interrupt which Python dropped comes once more.

    Other errors that it drops, such as of files that HDF5 cannot finish on a full disk, are noise.
    """
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)


@contextmanager
def interrupts_that_no_destructor_drops() -> Iterator[None]:
    """Repeats an interrupt that came while a `__del__` or the callback of a weak reference ran.

    Python prints what these raise and goes on, and TensorFlow has many of them: the command
    would not end. See `sys.unraisablehook`.
    """
    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return
    before = sys.unraisablehook
    signal.signal(signal.SIGALRM, _interrupt)
    sys.unraisablehook = _interrupt_again
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = before


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Lets the signals wait until the block is done.

    By handlers, not by the signal mask: TensorFlow's threads leave these signals open, and
    Python would still run the handler in the main thread.
    """
    pending: list[int] = []
    previous = {
        number: signal.signal(number, lambda number, frame: pending.append(number))
        for number in SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if pending:
            signal.raise_signal(pending[0])
