"""Rows, the comparison with TFLM, and what is said where something is missing."""

from dataclasses import replace
from pathlib import Path

import pytest

from export.deploy.cores.build import Size
from export.deploy.cores.core import CORES, PACKAGES, core_named, missing
from export.deploy.microcontroller.boards import BOARDS
from tests.commands import run_in_process
from tests.mcu.__main__ import run_all
from tests.mcu.fits import fits
from tests.mcu.table import YARDSTICKS, Row, beside_plain, beside_tflm
from train.common.errors import ToolkitError

SIZE = Size(flash=28_156, constants=25_886, ram=832, in_ram=0)
ROW = Row(
    network="784-32-10",
    core="Cortex-M4",
    multiplications=25_408,
    size=SIZE,
    stack=152,
    steps=40_743.4,
    images=100,
)


def test_a_row_says_what_was_measured() -> None:
    assert ROW.passed
    told = "784-32-10 Cortex-M4 28,156 2,270 832 152 40,743 1.60 the same bytes, 100 images"
    assert " ".join(ROW.text.split()) == told
    assert not replace(ROW, differing=3).passed
    assert "3 bytes DIFFER" in replace(ROW, differing=3).text
    absent = replace(ROW, size=None, reason="does not fit: it needs 9 bytes more flash")
    assert absent.text.endswith("Cortex-M4   does not fit: it needs 9 bytes more flash")


def test_goals_are_shares_of_what_tflm_takes() -> None:
    told = beside_tflm(ROW)
    assert told is not None
    assert told[1]
    assert "flash 0.349 (goal 0.36), RAM and stack 0.192 (goal 0.20), instructions 0.721" in told[0]
    yardstick = YARDSTICKS[ROW.network]
    for broken in (
        replace(ROW, size=replace(SIZE, flash=int(0.37 * yardstick.flash))),
        replace(ROW, stack=200),
        replace(ROW, steps=0.77 * yardstick.instructions),
    ):
        found = beside_tflm(broken)
        assert found is not None
        assert not found[1]
    assert beside_tflm(replace(ROW, core="Cortex-M3")) is None
    assert beside_tflm(replace(ROW, network="cnn-16")) is None


def test_packed_weights_take_a_share_of_the_same_network() -> None:
    plain = replace(ROW, network="784-320-10", size=replace(SIZE, flash=200_000))
    for flash, met in ((110_000, True), (111_000, False)):
        pruned = replace(ROW, network="320 pruned", size=replace(SIZE, flash=flash))
        ((text, found),) = beside_plain([plain, pruned, replace(pruned, core="Cortex-M3")])
        assert found is met
        assert f"320 pruned on Cortex-M4: {flash / 200_000:.3f} of the flash" in text
    assert beside_plain([pruned]) == []


def test_boards_are_judged_by_their_cores_measured_figures() -> None:
    small = replace(ROW, core="ATmega328P", size=replace(SIZE, flash=30_504), stack=192)
    on_boards = fits(ROW.network, [ROW, small, replace(ROW, core="Cortex-M0", network="other")])
    by_board = {each.board.name: each for each in on_boards.found}
    assert set(by_board) == {board.name for board in BOARDS if board.core in (ROW.core, small.core)}
    found = by_board["Nucleo-L432KC"]
    assert (found.flash_left_bytes, found.ram_left_bytes) == (256 * 1024 - 28_156, 65_536 - 984)
    assert by_board["Arduino Uno R3"].fits
    assert on_boards.line == f"784-32-10 fits on {len(by_board)} of {len(by_board)} measured boards"
    assert "  Arduino Uno R3          32    2  yes, 1 flash and 1 RAM left\n" in on_boards.table
    assert ", STM32F746 Discovery (Cortex-M7), " in on_boards.table
    same = fits(ROW.network, [replace(ROW, core="Cortex-M0")]).found
    assert {each.board.core for each in same} == {"Cortex-M0+"}
    assert "Raspberry Pi Pico" in {each.board.name for each in same}


def test_a_board_that_is_too_small_is_said_with_the_reason() -> None:
    over = replace(ROW, core="Cortex-M33", size=replace(SIZE, ram=532_400))
    absent = replace(ROW, core="ATmega328P", size=None, reason="does not fit: it needs more RAM")
    assert fits(ROW.network, [over, absent]).line == (
        "784-32-10 fits on 0 of 2 measured boards; "
        "not on Arduino Uno R3 (it needs more RAM), Raspberry Pi Pico 2 (RAM 521 of 520)"
    )


def test_what_is_missing_is_named_with_its_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing(core_named("cortex-m0")) == (
        "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
    )
    monkeypatch.undo()
    monkeypatch.setattr("export.deploy.cores.core.SIMAVR_HEADERS", (tmp_path / "sim_avr.h",))
    assert "libsimavr-dev libelf-dev" in (missing(core_named("ATmega328P")) or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolkitError, match="no emulated board can run here"):
        run_all([], CORES, 1)
    said = capsys.readouterr().err
    assert all(package in said for packages in PACKAGES.values() for package in packages)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--board", "Z80"), "got core Z80, expected one of Cortex-M0, "),
        (("--images", "0"), "--images"),
        (("--exported", "nowhere"), "nowhere/c/c.json; run `python -m export --format tflite-int8"),
    ],
)
def test_bad_arguments_are_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = run_in_process("tests.mcu", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1
