import os
import sys

import pytest

from train.common.command.progress import EVERY_STEP_VARIABLE, Log, progress


def test_a_log_has_one_step_an_interval_the_latest(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log()
    for number in range(300):
        log.step(f"first {number}")
    assert capsys.readouterr().out == "first 0\n"
    log.tick()
    assert capsys.readouterr().out == "first 299\n"
    log.step("too soon")
    log.tick()
    log.tick()  # an interval in which nothing was to be said
    assert capsys.readouterr().out == "too soon\n"
    log.step("at once")
    assert capsys.readouterr().out == "at once\n"


def test_a_log_has_every_milestone_and_no_step_that_it_made_out_of_date(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = Log()
    for number in range(3):
        log.step(f"step {number}")
        log.milestone(f"milestone {number}")
    log.tick()
    assert capsys.readouterr().out.splitlines() == [
        *("step 0", "milestone 0", "milestone 1", "milestone 2")
    ]


@pytest.mark.parametrize(("every_step", "lines"), [("0", ["a"]), ("1", ["a", "b", "c"])])
def test_a_program_may_ask_for_every_step(
    every_step: str,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(os.environ, EVERY_STEP_VARIABLE, every_step)
    assert not sys.stdout.isatty()
    with progress() as report:
        for text in "abc":
            report.step(text)
    assert capsys.readouterr().out.splitlines() == lines
