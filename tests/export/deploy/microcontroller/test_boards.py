"""Which boards a model fits on."""

from dataclasses import replace

import pytest

from export.deploy.microcontroller.boards import BOARDS, Board, fit, table


@pytest.mark.parametrize(
    ("flash_bytes", "ram_bytes", "reasons"),
    [
        (2 * 1024, 1024, ()),
        (2 * 1024 + 1, 1024, ("flash 3 of 2",)),
        (5_000, 1_025, ("flash 5 of 2", "RAM 2 of 1")),
    ],
)
def test_a_board_fits_to_the_byte(flash_bytes: int, ram_bytes: int, reasons: tuple[str]) -> None:
    board = Board(key="x", name="x", flash_kib=2, ram_kib=1, core="Cortex-M4", mhz=1)
    found = fit(board, flash_bytes=flash_bytes, ram_bytes=ram_bytes)
    assert (found.reasons, found.fits) == (reasons, not reasons)
    small = replace(board, word_bits=8)
    assert not fit(small, flash_bytes=1, ram_bytes=1).fits
    assert fit(small, flash_bytes=1, ram_bytes=1, word_bits=8).fits


def test_what_a_boot_loader_takes_is_not_a_programs() -> None:
    board = Board(
        key="x", name="x", flash_kib=2, ram_kib=1, core="Cortex-M4", mhz=1, boot_bytes=512
    )
    assert fit(board, flash_bytes=1536, ram_bytes=1).fits
    assert fit(board, flash_bytes=1537, ram_bytes=1).reasons == ("flash 2 of 1.5",)


def test_each_board_has_a_key_of_its_own() -> None:
    assert len({board.key for board in BOARDS}) == len(BOARDS)


@pytest.mark.parametrize(("flash_bytes", "ram_bytes"), [(1, 1), (3_000_000, 2_000_000)])
def test_the_table_of_boards_is_80_columns_wide_at_most(flash_bytes: int, ram_bytes: int) -> None:
    text = table([fit(b, flash_bytes=flash_bytes, ram_bytes=ram_bytes) for b in BOARDS])
    assert len(text.splitlines()) == len(BOARDS) + 1
    assert max(map(len, text.splitlines())) <= 80
