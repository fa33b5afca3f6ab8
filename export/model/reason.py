"""Why a library could not load, convert or run a model, in one line."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from train.common.command.native_output import NativeOutput, captured_native_output
from train.common.errors import ToolkitError

T = TypeVar("T")

MAX_REASON = 200
# How converters name the operator that they stumble over.
OPERATOR_PATTERNS = (
    re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op"),
    re.compile(r"not yet supported for op: '(\w+)'"),
    re.compile(r"[Oo]p (?:type )?'?(\w+)'? (?:is )?not (?:supported|implemented)"),
)
# TFLite's, with 16-bit activations, of token ids: its calibrator sees floats only.
NO_RANGE = re.compile(r"Max and min for dynamic tensors should be recorded.*tensor (\w+)")
# TFLite's, where it goes by the operators that read an input or write an output, and there is none.
IDLE = re.compile(
    r"Unsupported (input|output) type \w+ for (?:input|output) tensor .* of type FLOAT32"
)
# tf2onnx's, of a table that words or numbers are looked up in.
TABLE = re.compile(r"Cannot convert a Tensor of dtype resource")
# Keras's, of a layer or function that is not its own.
CUSTOM = re.compile(
    r"(?:Could not locate (?:class|function)|Unknown [a-z ]+:) '?([\w>.]+)'?", re.ASCII
)
# Keras nests its messages, the cause last, and appends the whole configuration to each.
INNER = "Exception encountered: "
NOISE = re.compile(r"\s*(?:\.? ?Full object config: .*|using config=\{.*)$")
ARGUMENTS = re.compile(r"\s*^\s*(?:Call arguments|Arguments) received by .*", re.M | re.S)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# What comes before a reason in its line: MLIR's locations, the head of a fatal line of a log,
# Python's or TensorFlow's kind of error, nodes. LiteRT's files of C++ stay: they tell the kernel.
PREFIX = re.compile(
    r"^(?:loc\(.*\): (?:error: )?|\S+:\d+(?::\d+)?: error: |(?:error|ERROR): |"
    r"F\d{4} [\d:.]+\s+\d+ \S+\] |[\w.]+(?:Error|Exception): |\(\d+\)\s+|[A-Z_]{6,}:\s+|"
    r"\{\{[^}]*\}\}\s*)"
)
# Lines that say that there is a reason, and where, but not which.
WRAPPER = re.compile(
    r"Exception encountered when calling|Graph execution error|in user code:|Detected at node|"
    r"A total of \d+ objects could not be loaded|\d+ root error|\[\[\{\{node|.*: note: |"
    r"Traceback \(most recent|failed while converting|\*\*\* Check failure stack trace"
)
SOURCE_LINE = re.compile(r"(\s*)File \".*\", line \d+")


_tell: Callable[[str], None] | None = None
_attempts: list[str] = []  # those that are under way, the innermost last


def tell_before_each_attempt(tell: Callable[[str], None]) -> None:
    """Has `tell` hear from now on what is attempted, in the words of `refused`; empty if nothing.

    For who outlives this process, should the attempt crash it.
    """
    global _tell
    _tell = tell


@contextmanager
def _told(what: str) -> Iterator[None]:
    if _tell is None:
        yield
        return
    _attempts.append(what)
    _tell(what)
    try:
        yield
    finally:
        _attempts.pop()
        _tell(_attempts[-1] if _attempts else "")


@contextmanager
def refused(what: str) -> Iterator[None]:
    """Turns whatever a converter, a runtime, Keras or a user's layer raises into one line.

    Any exception: ONNX Runtime's quantizer raises AttributeError, KeyError and IndexError for
    graphs that it does not expect, and LiteRT's kernels find only when they run that they lack a
    dtype. Errors of files are left to the caller, who says what to do about a full disk.

    Args:
        what: what failed, in words that the reason can follow.
    """
    log = NativeOutput()
    try:
        with _told(what), captured_native_output() as log:
            yield
    except (ToolkitError, OSError, MemoryError):
        raise
    except Exception as error:
        raise ToolkitError(f"{what}: {reason_of(error, log.text)}") from error


def attempt(do: Callable[[], T]) -> T | Exception:
    """Returns what a loader, a decoder or a user's code gives, or whatever exception it raises.

    Which one depends on what is in the user's file: Keras's loader and Pillow's decoders end in
    almost every kind.
    """
    try:
        return do()
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - the caller says what it means
        return error


def reason_of(error: BaseException, log: str = "") -> str:
    """Returns the reason in an error of Keras, TensorFlow, a converter or a runtime.

    With what to do where that is known; else the line of its message that says the cause,
    shortened.

    Args:
        error: the error.
        log: what native code wrote meanwhile, for an error that says nothing by itself.
    """
    text = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
    custom = CUSTOM.search(text)
    if custom:
        return (
            f"it uses {custom[1]}, which is not of Keras; name the module that defines it with "
            "--custom-objects"
        )
    operators = sorted({name for pattern in OPERATOR_PATTERNS for name in pattern.findall(text)})
    if operators:
        return f"it has no way to convert the operator {', '.join(operators)}"
    no_range = NO_RANGE.search(text)
    if no_range:
        return f"it takes no integers as they are, such as {no_range[1]}"
    if TABLE.search(text):
        return "it holds no table to look things up in; give the model the numbers found there"
    idle = IDLE.search(text)
    if idle:
        kind = "an input that nothing reads" if idle[1] == "input" else "an output that is constant"
        return f"it cannot quantize {kind}; leave that out of the model"
    line = _cause(text) or last_error(log) or type(error).__name__
    return line if len(line) <= MAX_REASON else line[: MAX_REASON - 1] + "…"


def _cause(text: str) -> str:
    """Returns the first line that is no wrapper, no place in the source and no code of it."""
    text = ARGUMENTS.sub("", COLOUR.sub("", text)).rpartition(INNER)[2]
    code_indent: int | None = None
    for line in text.splitlines():
        place = SOURCE_LINE.match(line)
        if place:
            code_indent = len(place[1])
            continue
        indent, cause = len(line) - len(line.lstrip()), line.strip()
        if code_indent is not None and cause and indent > code_indent:
            continue
        while PREFIX.match(cause):
            cause = PREFIX.sub("", cause)
        cause = NOISE.sub("", cause)
        if cause and not WRAPPER.match(cause):
            return cause
    return ""


def last_error(log: str) -> str:
    """Returns the cause in the last line of a log that speaks of an error; empty if none does."""
    lines = [line for line in log.splitlines() if re.search(r"error|fail", line, re.I)]
    return next((cause for line in reversed(lines) if (cause := _cause(line))), "")
