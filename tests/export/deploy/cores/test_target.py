"""Which board or core is meant."""

import pytest

from export.deploy.cores.target import board_named
from export.deploy.microcontroller.boards import BOARDS
from train.common.errors import ToolkitError


def test_a_board_is_found_by_its_key_and_by_its_name() -> None:
    for board in BOARDS:
        assert board_named(board.key) == board_named(board.name.upper())
        assert board_named(board.key).ram_bytes == board.ram_kib * 1024


def test_an_uno_leaves_room_for_its_boot_loader() -> None:
    uno = board_named("uno")
    assert (uno.flash_bytes, uno.ram_bytes, uno.mhz) == (32_256, 2_048, 16)
    assert (uno.built_for.flash_bytes, uno.built_for.ram_bytes) == (32_256, 2_048)


@pytest.mark.parametrize("name", ["cortex-m4", "Cortex-M0+", "atmega328p"])
def test_a_core_alone_has_no_limits(name: str) -> None:
    found = board_named(name)
    assert (found.flash_bytes, found.ram_bytes, found.mhz) == (None, None, None)
    assert found.key == name.lower()


def test_a_core_is_built_for_the_one_that_has_its_instructions() -> None:
    assert board_named("pico").built_for.name == "Cortex-M0"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unno", "unknown board 'unno'; did you mean uno? boards are uno, nucleo-l031k6, "),
        ("z", "unknown board 'z'; boards are uno, "),
    ],
)
def test_an_unknown_board_is_one_line_with_all_there_are(name: str, said: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        board_named(name)
    assert str(caught.value).startswith(said)
    assert "cortex-m4" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_core_without_a_compiler_here_is_said() -> None:
    with pytest.raises(ToolkitError, match="esp32, whose Xtensa LX6 this toolkit has no compiler"):
        _ = board_named("esp32").built_for
