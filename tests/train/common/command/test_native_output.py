import os

import pytest

from train.common.command.native_output import captured_native_output


def test_writes_past_python_are_captured(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_native_output() as output:
        os.write(1, b"to stdout\n")
        os.write(2, b"to stderr\n")
    print("after", flush=True)
    assert output.text == "to stdout\nto stderr\n"
    assert capfd.readouterr().out == "after\n"


def test_descriptors_come_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), captured_native_output():
        raise KeyError
    os.write(2, b"visible\n")
    assert capfd.readouterr().err == "visible\n"
