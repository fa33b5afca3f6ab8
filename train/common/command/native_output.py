"""Keeps what native libraries write straight to file descriptors 1 and 2 off the terminal.

TensorFlow, its converters and LiteRT log from C++, past `sys.stderr`; the only way to hold
that back is to point the descriptors elsewhere. What was held back is shown if the work fails.
"""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

_is_released = False
_kept: IO[bytes] | None = None


class NativeOutput:
    """What was written to the descriptors while they were captured."""

    def __init__(self) -> None:
        self.text = ""


@contextmanager
def importing_large_library() -> Iterator[None]:
    """Holds back what a library prints while it is imported, and the search for garbage meanwhile.

    That search takes a quarter of TensorFlow's import. Nor are the modules looked through later,
    which would make each of the collections between conversions take a third of a second.
    """
    gc.disable()
    try:
        with captured_native_output():  # TensorFlow greets from C++
            yield
    finally:
        gc.freeze()
        gc.enable()


def release_native_output() -> None:
    """Captures nothing from now on: what forked this process, which may crash, captures it."""
    global _is_released
    _is_released = True


def keep_native_output(file: IO[bytes]) -> None:
    """Captures into an unbuffered file from now on, which tells what was said before a crash.

    Each capture leaves the file as it was, so that it only holds what no one here has read.
    """
    global _kept
    _kept = file


@contextmanager
def captured_native_output() -> Iterator[NativeOutput]:
    """Captures descriptors 1 and 2; the text is in the yielded object when the block ends.

    Not for use around the program's own prints, which would be captured too.
    """
    output = NativeOutput()
    if _is_released:
        yield output
        return
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with ExitStack() as opened:
        sink = _kept or opened.enter_context(tempfile.TemporaryFile())
        start = sink.seek(0, os.SEEK_END)
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
        try:
            yield output
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
                os.close(original)
            sink.seek(start)
            output.text = sink.read().decode(errors="replace")
            if _kept is not None:
                os.ftruncate(sink.fileno(), start)
