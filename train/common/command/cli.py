"""What the three commands share at the edge: help, argument checks, one-line errors, exit codes.

Nothing but the standard library and `errors` is imported, so that `--help` answers at once.
"""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from train.common.command.interrupts import (
    EXIT_INTERRUPTED,
    handled_interrupts,
    ignore_interrupts,
    interrupts_that_no_destructor_drops,
)
from train.common.command.terminal import complain, protect_output
from train.common.errors import MissingPackageError, ToolkitError, reason_and_remedy
from train.common.files.staging import remove_open_folders

DEFAULT_ARTIFACTS = Path("artifacts")
DEFAULT_BUNDLE_IMAGES = 1_000
READER_GONE = (errno.EPIPE, errno.EIO)  # of a pipe, of a terminal

AddArgument = Callable[..., argparse.Action]  # `add_argument` of a parser or of one of its groups


class Parser(argparse.ArgumentParser):
    """An argument parser whose help is grouped by task and whose errors are one `error: …` line.

    Its help begins with what the command does and how it is mostly called; the options follow in
    the groups that `group` makes.
    """

    def __init__(
        self, *, prog: str, description: str, examples: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Makes a parser that only knows `--help`.

        Args:
            prog: the command, as a user types it.
            description: what it does, in a sentence.
            examples: the options of typical calls, each with what the call does.
        """
        super().__init__(prog=prog, description=description, add_help=False)
        self._examples = [(f"{prog} {options}".rstrip(), what) for options, what in examples]
        self._groups: dict[str, AddArgument] = {}
        self.add_argument("-h", "--help", action="help", help=argparse.SUPPRESS)

    def group(self, title: str) -> AddArgument:
        """Returns what adds an option to the group of that title, made if it is a new one."""
        if title not in self._groups:
            self._groups[title] = self.add_argument_group(title).add_argument
        return self._groups[title]

    def format_help(self) -> str:
        """Returns the text of `--help`."""
        width = max((len(call) for call, _ in self._examples), default=0)
        formatter = self._get_formatter()
        formatter.add_text(self.description)
        for group in self._action_groups:
            formatter.start_section(group.title)
            formatter.add_arguments(group._group_actions)
            formatter.end_section()
        description, _, options = formatter.format_help().partition("\n\n")
        examples = "\n".join(f"  {call:{width}}  # {what}" for call, what in self._examples)
        usage = f"usage: {self.prog} [options]"
        return "\n\n".join(part for part in (description, examples, usage, options) if part)

    def error(self, message: str) -> NoReturn:
        """Raises the usage error instead of printing the usage."""
        raise ToolkitError(f"{message}; run `python -m {self.prog.split()[-1]} --help`")

    def add_shared_arguments(self, *, custom_data: bool = False) -> None:
        """Adds `--artifacts` and `--data`, which every command takes, as the group `files`.

        Args:
            custom_data: whether `--data` may be the test data of a custom model.
        """
        add = self.group("files")
        fashion_mnist = (
            "the four Fashion-MNIST IDX files, gzipped or not (default: looked for, downloaded if "
            "need be)"
        )
        add(
            "--artifacts",
            type=Path,
            default=DEFAULT_ARTIFACTS,
            metavar="DIR",
            help="folder that is read from and written to (default: %(default)s)",
        )
        add(
            "--data",
            type=Path,
            metavar="SOURCE" if custom_data else "DIR",
            help="test data of a custom model: DIR|FILE.npz|FILE.npy|module:callable; else "
            f"{fashion_mnist}"
            if custom_data
            else f"folder with {fashion_mnist}",
        )


def add_bundle_images(add: AddArgument) -> None:
    """Adds `--bundle-images`, None for all of them, to a command that makes bundles."""
    add(
        "--bundle-images",
        type=_integer_or_all,
        default=DEFAULT_BUNDLE_IMAGES,
        metavar="N|all",
        help="test images in a bundle, at most, the first N; fewer make wider intervals "
        "(default: %(default)s)",
    )


def _integer_or_all(text: str) -> int | None:
    """An argparse type: a positive integer, or None for `all`."""
    return None if text == "all" else integer_between(1, sys.maxsize)(text)


def integer_between(low: int, high: int) -> Callable[[str], int]:
    """Returns an argparse type that takes an integer in the closed range `low`…`high`."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"got {text!r}, expected an integer in {low}…{high}")
        return int(text)

    return parse


def number_between(low: float, high: float) -> Callable[[str], float]:
    """Returns an argparse type that takes a number in the closed range `low`…`high`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"got {text!r}, expected a number in {low:g}…{high:g}")
        return value

    return parse


def listed(parse: Callable[[str], int]) -> Callable[[str], tuple[int, ...]]:
    """Returns an argparse type that takes several of what `parse` takes, joined by commas."""

    def parse_all(text: str) -> tuple[int, ...]:
        return tuple(dict.fromkeys(parse(part.strip()) for part in text.split(",")))

    return parse_all


def names(*known: str) -> Callable[[str], tuple[str, ...]]:
    """Returns an argparse type that takes some of the names `known`, joined by commas."""

    def parse(text: str) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
        for name in found:
            if name not in known:
                raise argparse.ArgumentTypeError(f"got {name!r}, expected {', '.join(known)}")
        return found

    return parse


def run_command(
    command: Callable[[Sequence[str]], int],
    arguments: Sequence[str],
    *,
    leave_at_once: bool = False,
) -> int:
    """Runs a command and turns what it raises into the contract's exit codes.

    Returns 0 or 1 as the command says, 2 after `error: …` on stderr for bad usage or bad
    input (a full disk or an unwritable folder included), 130 after an interrupt. A reader of the
    output that leaves (`… | head`) changes nothing but what is printed.

    With `leave_at_once` an interrupt ends the process where it stands, its staging folder
    removed: an exception that passes through TensorFlow can crash it, or is lost there, and what
    it has left half done makes everything after it fail.
    """
    output = protect_output()
    with handled_interrupts(leave_after=remove_open_folders if leave_at_once else None):
        code = _exit_code(command, arguments)
    problem = None if output is None else output.problem
    if problem is not None and problem.errno not in READER_GONE:
        reason, remedy = reason_and_remedy(problem, "print to another place")
        complain(f"not all could be printed: {reason}; {remedy}")
        return code or 2
    return code


def _exit_code(command: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    try:
        with interrupts_that_no_destructor_drops():
            code = command(arguments)
        sys.stdout.flush()
        return code
    except ToolkitError as error:
        return _fail(error, error.exit_code)
    except ModuleNotFoundError as error:
        return _fail(MissingPackageError(error), MissingPackageError.exit_code)
    except KeyboardInterrupt as interrupt:
        said = f"; {interrupt}" if interrupt.args else ""
        print(
            f"interrupted: nothing half-written, earlier artifacts untouched{said}",
            file=sys.stderr,
        )
        return EXIT_INTERRUPTED
    except OSError as error:
        reason, remedy = reason_and_remedy(error, "free the disk or change --artifacts")
        place = error.filename2 or error.filename  # of two, the second is written
        where = f" ({place})" if place else ""
        return _fail(f"{reason}{where}; {remedy}", 2)


def run_program(
    command: Callable[[Sequence[str]], int], *, leave_at_once: bool = False
) -> NoReturn:
    """Runs a command with the arguments of this process, and ends the process.

    With `leave_at_once` nothing is taken down: that takes time, and on a full disk HDF5 crashes.
    """
    code = run_command(command, sys.argv[1:], leave_at_once=leave_at_once)
    ignore_interrupts()
    if leave_at_once:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _fail(message: object, code: int) -> int:
    complain(message)
    return code
