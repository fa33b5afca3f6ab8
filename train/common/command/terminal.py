"""Text that is fit for a terminal, and output that may break without ending the work."""

import io
import os
import sys
from typing import TextIO

# Marks that turn the direction of the text after them, so that it reads as what it is not.
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """Returns a text without characters that a terminal would not print but obey.

    A space stands for each; one that turns the direction of the text is named: <U+202E>.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable()
        else f"<U+{ord(character):04X}>"
        if character in BIDI
        else " "
        for character in text
    )


def printable_lines(text: str) -> str:
    """Returns a text of several lines, each made printable."""
    return "\n".join(map(printable, text.split("\n")))


def complain(message: object) -> None:
    """Prints an error on standard error, in one line."""
    print("error:", printable(" ".join(str(message).split())), file=sys.stderr)


class Output(io.FileIO):
    """A file descriptor to write to, which drops what cannot be written, and all after it.

    The reader of a pipe may have seen enough (`… | head`), a terminal may be closed, the disk of
    a log may be full; what is being made has nothing to do with that.
    """

    problem: OSError | None = None

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Writes as a file does, and returns how many bytes are dealt with."""
        try:
            return super().write(data)
        except OSError as error:
            self.problem = error
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self.fileno())
            os.close(nothing)
            return len(data)


def protect_output() -> Output | None:
    """Makes standard output and error such that no print can end the work; returns the former.

    Characters that their encodings lack become `?`. A descriptor that was closed leads nowhere, so
    that no file of ours is opened in its place. Streams that a caller of Python put there instead
    only get the encoding; the answer is None then.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    outputs = []
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream: TextIO | None = getattr(sys, name)
        raw = getattr(getattr(stream, "buffer", None), "raw", getattr(stream, "buffer", None))
        if stream is None or (type(raw) is io.FileIO and raw.fileno() == number):
            if stream is not None:
                stream.flush()
            outputs.append(Output(number, "w", closefd=False))
            setattr(sys, name, _like(stream, outputs[-1]))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    standard = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return standard if isinstance(standard, Output) else None


def _like(stream: TextIO | None, output: Output) -> io.TextIOWrapper:
    """Returns a text stream of an output, as another one was."""
    by_line = stream is None or any(
        getattr(stream, name, False) for name in ("line_buffering", "write_through")
    )
    encoding = "utf-8" if stream is None else stream.encoding
    buffer = io.BufferedWriter(output)  # type: ignore[type-var]
    return io.TextIOWrapper(buffer, encoding=encoding, errors="replace", line_buffering=by_line)
