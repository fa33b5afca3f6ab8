"""What `--browser` says where there is no browser, or one that ends or hangs before its page."""

import os
import select
from pathlib import Path

import pytest

from benchmark.remote.browser.chromium import find_chromium
from benchmark.remote.browser.device import Local
from tests.commands import assert_one_line_error, run_in_process
from train.common.errors import ToolkitError


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_without_a_browser_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run_in_process("benchmark", "--browser", "--artifacts", tmp_path)
    assert_one_line_error(done, "no Chromium or Chrome", "apt-get install chromium", "--serve")


def test_a_path_without_a_browser_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match=r"got .*nothing-here, expected a browser to run"):
        find_chromium(tmp_path / "nothing-here")


def test_another_program_is_refused(tmp_path: Path) -> None:
    firefox = script(tmp_path / "firefox", "echo Mozilla Firefox 140.0")
    with pytest.raises(ToolkitError, match=r"'Mozilla Firefox 140\.0', expected a Chromium"):
        find_chromium(firefox)


def test_a_browser_is_named_by_its_version(tmp_path: Path) -> None:
    chrome = script(tmp_path / "chrome", "echo Google Chrome 150.1.2.3 beta")
    found = find_chromium(chrome)
    assert (found.name, found.version) == ("Chrome 150", "150.1.2.3")


def test_how_a_browser_ended_is_told_with_its_last_words(tmp_path: Path) -> None:
    ending = script(
        tmp_path / "chromium",
        '[ "$1" = --version ] && echo Chromium 1.2 && exit\necho no display >&2; '
        'echo "[7:7:1129/1.2:ERROR:dbus/bus.cc:1] Failed" >&2; exit 3',
    )
    with Local(find_chromium(ending), gpu=False).opened("http://127.0.0.1:1/") as opened:
        os.waitid(os.P_PID, opened.pid, os.WEXITED | os.WNOWAIT)
        assert opened.problem() == "the browser ended by exit code 3: no display"


def test_a_browser_is_ended_with_all_of_its_processes(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    hanging = script(
        tmp_path / "chromium",
        f'[ "$1" = --version ] && echo Chromium 1.2 && exit\n'
        f"exec 3> {pipe}; echo open >&3; sleep 600 & wait",
    )
    with Local(find_chromium(hanging), gpu=False).opened("http://127.0.0.1:1/") as opened:
        reader = pipe.open()
        assert reader.readline() == "open\n"
        assert opened.problem() is None
    with reader:  # at its end once no process has the other one
        assert select.select([reader], [], [], 10)[0]
        assert reader.read() == ""
