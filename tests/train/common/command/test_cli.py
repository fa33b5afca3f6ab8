import errno
import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.commands import REPOSITORY
from train.command.options import parse
from train.common.command.cli import Parser, integer_between, number_between, run_command
from train.common.errors import CheckError, DataError, ToolkitError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataError("got a,\n expected b"), 2),
        (CheckError("got a,\n expected b"), 1),
    ],
)
def test_errors_become_one_line_and_their_exit_code(
    error: ToolkitError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(arguments: Sequence[str]) -> int:
        raise error

    assert run_command(command, []) == code
    assert capsys.readouterr().err == "error: got a, expected b\n"


@pytest.mark.parametrize(
    ("module", "requirements"),
    [("onnxruntime", "device"), ("numpy.linalg", "device"), ("tensorflow", "host")],
)
def test_a_missing_package_names_the_command_that_installs_it(
    module: str, requirements: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(arguments: Sequence[str]) -> int:
        raise ModuleNotFoundError(name=module)

    assert run_command(command, []) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"error: the package '{module.split('.')[0]}' is not installed; run ")
    assert f"-r requirements-{requirements}.txt" in shown


def test_a_full_disk_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def command(arguments: Sequence[str]) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "artifacts/model.keras")

    assert run_command(command, []) == 2
    assert capsys.readouterr().err.startswith(
        "error: No space left on device (artifacts/model.keras); "
    )


def test_of_a_copy_the_place_that_was_full_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    def command(arguments: Sequence[str]) -> int:
        raise OSError(errno.ENOSPC, "full", "benchmark/config.py", None, "edge/config.py")

    assert run_command(command, []) == 2
    assert capsys.readouterr().err.startswith("error: full (edge/config.py); ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupts_end_with_130(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    def command(arguments: Sequence[str]) -> int:
        os.kill(os.getpid(), number)
        return 0

    assert run_command(command, []) == 130
    assert capsys.readouterr().err.startswith("interrupted")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_interrupt_changes_nothing(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    cleaned = []

    def command(arguments: Sequence[str]) -> int:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), number)
            cleaned.append(True)
        return 0

    assert run_command(command, []) == 130
    assert cleaned == [True]
    assert capsys.readouterr().err.count("interrupted") == 1


def test_a_hang_up_that_is_to_be_ignored_is_ignored() -> None:
    def command(arguments: Sequence[str]) -> int:
        os.kill(os.getpid(), signal.SIGHUP)
        return 0

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        assert run_command(command, []) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_handlers_of_the_caller_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert run_command(lambda arguments: 0, []) == 0
    assert signal.getsignal(signal.SIGTERM) == before


class Plain:
    pass


class Interrupting:
    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


def interrupting_callback() -> None:
    referred = Plain()
    reference = weakref.ref(referred, lambda _: os.kill(os.getpid(), signal.SIGINT))
    del referred
    assert reference() is None


@pytest.mark.parametrize("destroy", [Interrupting, interrupting_callback])
def test_an_interrupt_inside_a_destructor_is_not_dropped(
    destroy: Callable[[], object], capsys: pytest.CaptureFixture[str]
) -> None:
    def command(arguments: Sequence[str]) -> int:
        for _ in range(3):  # the next one may drop it too
            destroy()
        time.sleep(10)
        return 0

    assert run_command(command, []) == 130
    assert capsys.readouterr().err.startswith("interrupted: ")


def test_an_interrupt_is_told_while_native_output_is_captured(tmp_path: Path) -> None:
    """A converter of TensorFlow's may take minutes, and its exceptions are lost in there."""
    program = f"""if True:
        import os, signal
        from train.common.command.cli import run_program
        from train.common.command.native_output import captured_native_output
        from train.common.files.staging import temporary_folder

        def command(arguments):
            with temporary_folder("made-", {str(tmp_path)!r}), captured_native_output():
                try:
                    os.kill(os.getpid(), signal.SIGINT)
                except BaseException:
                    pass
            return 0

        run_program(command, leave_at_once=True)
    """
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert done.stderr == "interrupted: nothing half-written, earlier artifacts untouched\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["0", "11", "-1", "1.5", "", "x", "１"])
def test_integers_out_of_range_are_refused(text: str) -> None:
    with pytest.raises(Exception, match=f"got '{text}', expected an integer in 1…10"):
        integer_between(1, 10)(text)


@pytest.mark.parametrize("text", ["-0.1", "1.1", "nan", "inf", "x", ""])
def test_numbers_out_of_range_are_refused(text: str) -> None:
    with pytest.raises(Exception, match="expected a number in 0…1"):
        number_between(0, 1)(text)


def test_limits_are_allowed() -> None:
    assert [integer_between(1, 10)(text) for text in ("1", "10")] == [1, 10]
    assert [number_between(0, 1)(text) for text in ("0", "1", "1e-2")] == [0, 1, 0.01]


def test_train_options_become_a_config() -> None:
    config = parse(["--units", "64", "--learning-rate", "1e-3", "--epochs", "7", "--seed", "5"])
    assert (config.units, config.learning_rate, config.epochs, config.seed) == (64, 1e-3, 7, 5)
    assert parse([]).units is None


def test_help_begins_with_what_the_command_does_and_examples_and_groups_the_options() -> None:
    parser = Parser(
        prog="python -m x", description="Does it.", examples=[("", "all"), ("--n 2", "some")]
    )
    parser.group("how much")("--n", help="number")
    parser.add_shared_arguments()
    parser.group("how much")("--m", help="another")
    lines = parser.format_help().splitlines()
    assert lines[:4] == [
        "Does it.",
        "",
        "  python -m x        # all",
        "  python -m x --n 2  # some",
    ]
    assert lines[4:8] == ["", "usage: python -m x [options]", "", "how much:"]
    assert [line.split() for line in lines[8:10]] == [
        ["--n", "N", "number"],
        ["--m", "M", "another"],
    ]
    titles = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["how much:", "files:"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--units", "0"],
        ["--units", "1000000"],
        ["--learning-rate", "0"],
        ["--epochs", "0"],
        ["--seed", "-1"],
        ["--seed", "4294967296"],
        ["extra"],
    ],
)
def test_bad_train_options_are_refused(arguments: list[str]) -> None:
    with pytest.raises(ToolkitError, match=r"run `python -m train --help`"):
        parse(arguments)
