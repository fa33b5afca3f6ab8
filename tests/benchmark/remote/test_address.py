"""What may be given as a host, and what ssh is told."""

import pytest

from benchmark.remote.address import parse_address
from benchmark.remote.run import passed_on
from train.common.errors import ToolkitError


@pytest.mark.parametrize(
    ("text", "destination", "port", "name"),
    [
        ("pi", "pi", None, "pi"),
        ("me@pi.local", "me@pi.local", None, "pi.local"),
        ("me@10.0.0.7:2222", "me@10.0.0.7", 2222, "10.0.0.7-2222"),
        ("me@[fe80::1]:22", "me@[fe80::1]", 22, "fe80--1-22"),
    ],
)
def test_addresses(text: str, destination: str, port: int | None, name: str) -> None:
    found = parse_address(text)
    assert (found.destination, found.port, found.name) == (destination, port, name)


@pytest.mark.parametrize(
    "text",
    ["", "-oProxyCommand=x", "a b", "me@", "me@-x", "pi:", "pi:0", "pi:70000", "a/../b", ".."],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ToolkitError, match="expected user@host or user@host:port"):
        parse_address(text)


def test_ssh_asks_nothing_and_the_host_is_no_option() -> None:
    command = parse_address("me@[::1]:2222").ssh()
    assert command[-4:] == ["-p", "2222", "--", "me@::1"]
    assert "BatchMode=yes" in command


def test_what_mends_a_missing_package() -> None:
    address = parse_address("me@pi:2222")
    assert address.installing("python3") == (
        "run `ssh -p 2222 me@pi 'python3 -m venv edge-export && edge-export/bin/pip install "
        "--no-deps --require-hashes -r /dev/stdin' < requirements-device.txt`, then add "
        "--remote-python edge-export/bin/python"
    )
    assert address.installing("v/bin/python") == (
        "run `ssh -p 2222 me@pi 'v/bin/python -m pip install --no-deps --require-hashes "
        "-r /dev/stdin' < requirements-device.txt`"
    )


def test_options_of_the_run_are_passed_on_and_those_of_here_are_not() -> None:
    arguments = ["--host", "me@pi", "--quick", "--baseline=0.8", "--artifacts", "x", "--resume"]
    arguments += ["--bundle-images", "all", "--format", "tflite,onnx", "--format", "tflite-int8"]
    arguments += ["--data=y", "--remote-python", "p", "--bundle", "b", "--threads", "1,2"]
    assert passed_on(arguments) == (
        *("--quick", "--baseline=0.8", "--format", "tflite,onnx", "--format", "tflite-int8"),
        *("--threads", "1,2"),
    )
