import errno
import os
import sys
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest

from train.common.command.terminal import Output, _like, complain, printable, printable_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("µ 中 é", "µ 中 é"),
        ("a\x1b[31mb\x07", "a [31mb "),
        ("a\rb\x9bc\x00", "a b c "),
        ("exe\u202egpj", "exe<U+202E>gpj"),
        ("\u2066a\u2069", "<U+2066>a<U+2069>"),
        ("line\nline\u2028", "line line "),
        ("\udcff", " "),
    ],
)
def test_what_a_terminal_would_obey_is_not_printed(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_lines_stay_lines_and_an_error_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert printable_lines("a\x1b\nb") == "a \nb"
    complain(ValueError("a\n b\x1b[2J"))
    assert capsys.readouterr().err == "error: a b [2J\n"


def stream(path: str | Path | int) -> tuple[TextIOWrapper, Output]:
    file = path if isinstance(path, int) else os.open(path, os.O_WRONLY | os.O_CREAT)
    output = Output(file, "w")
    like = TextIOWrapper(BytesIO(), encoding="ascii", line_buffering=True)
    return _like(like, output), output


def test_a_reader_that_leaves_does_not_end_the_work() -> None:
    reader, writer = os.pipe()
    text, output = stream(writer)
    print("one", file=text)
    assert os.read(reader, 9) == b"one\n"
    os.close(reader)
    for _ in range(3):
        print("two", file=text)
    text.close()
    assert output.problem is not None
    assert output.problem.errno == errno.EPIPE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_of_a_log_does_not_end_the_work() -> None:
    text, output = stream("/dev/full")
    for _ in range(3):
        print("one", file=text)
    text.close()
    assert output.problem is not None
    assert output.problem.errno == errno.ENOSPC


def test_characters_that_an_encoding_lacks_are_replaced(tmp_path: Path) -> None:
    text, _ = stream(tmp_path / "log")
    print("µ\udcff", file=text)
    text.close()
    assert (tmp_path / "log").read_bytes() == b"??\n"


def test_complaints_go_to_any_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    error = StringIO()
    monkeypatch.setattr(sys, "stderr", error)
    complain("a")
    assert error.getvalue() == "error: a\n"
