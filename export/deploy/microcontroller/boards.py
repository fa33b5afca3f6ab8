"""Common boards, and whether a model fits on them.

Flash and RAM are the makers': datasheets of ATmega328P, STM32L432KC, nRF52832, nRF52833,
nRF52840, Apollo3 Blue, STM32F746NG, STM32H743ZI, RP2040 and RP2350; of modules and boards where
the flash is outside the chip (Pico 2 MiB, Pico 2 4 MiB, ESP32-WROOM-32E 4 MiB,
ESP32-S3-WROOM-1-N8 8 MiB). The RAM is what one array can have at most: of the STM32H743's 1 MiB
the 512 KiB of AXI SRAM, of the ESP32's 520 KiB the 320 KiB of data RAM (ESP-IDF's guide to its
memory types), of the ESP32-S3's 512 KiB the 480 KiB on its data bus.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# "The core runtime just fits in 16 KB on an Arm Cortex M3": TFLM's own overview,
# https://www.tensorflow.org/lite/microcontrollers. Kernels and the program come on top.
CORE_RUNTIME_BYTES = 16 * 1024
TFLM_WORD_BITS = 32
KIB = 1024


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board; `core` and `word_bits` are its processor's, and TFLM needs 32 bits."""

    name: str
    flash_kib: int
    ram_kib: int
    core: str
    word_bits: int = 32


BOARDS = (
    Board(name="Arduino Uno R3", flash_kib=32, ram_kib=2, core="ATmega328P", word_bits=8),
    Board(name="Nucleo-L432KC", flash_kib=256, ram_kib=64, core="Cortex-M4"),
    Board(name="nRF52832 DK", flash_kib=512, ram_kib=64, core="Cortex-M4"),
    Board(name="micro:bit v2", flash_kib=512, ram_kib=128, core="Cortex-M4"),
    Board(name="Arduino Nano 33 BLE", flash_kib=1024, ram_kib=256, core="Cortex-M4"),
    Board(name="STM32F746 Discovery", flash_kib=1024, ram_kib=320, core="Cortex-M7"),
    Board(name="SparkFun Edge", flash_kib=1024, ram_kib=384, core="Cortex-M4"),
    Board(name="Raspberry Pi Pico", flash_kib=2048, ram_kib=264, core="Cortex-M0+"),
    Board(name="Nucleo-H743ZI", flash_kib=2048, ram_kib=512, core="Cortex-M7"),
    Board(name="Raspberry Pi Pico 2", flash_kib=4096, ram_kib=520, core="Cortex-M33"),
    Board(name="ESP32-DevKitC", flash_kib=4096, ram_kib=320, core="Xtensa LX6"),
    Board(name="ESP32-S3-DevKitC-1", flash_kib=8192, ram_kib=480, core="Xtensa LX7"),
)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Whether a model fits on a board; `reasons` say why not, sizes in KiB.

    `flash_left_bytes` and `ram_left_bytes` remain: beside TFLM for kernels, program and stack.
    """

    board: Board
    flash_left_bytes: int
    ram_left_bytes: int
    reasons: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons


def fit(board: Board, *, flash_bytes: int, ram_bytes: int, word_bits: int = TFLM_WORD_BITS) -> Fit:
    """Returns whether a program fits on a board that needs at least so much flash and RAM.

    Args:
        board: where to.
        flash_bytes: of flash that the program needs.
        ram_bytes: of RAM that it needs.
        word_bits: the least that a processor's words may have.
    """
    needs = (("flash", flash_bytes, board.flash_kib), ("RAM", ram_bytes, board.ram_kib))
    reasons = [
        f"{kind} {math.ceil(needed / KIB):,} of {there_kib:,}"
        for kind, needed, there_kib in needs
        if needed > there_kib * KIB
    ]
    if board.word_bits < word_bits:
        reasons = [f"{board.word_bits}-bit, TFLM needs {word_bits}"]
    return Fit(
        board=board,
        flash_left_bytes=board.flash_kib * KIB - flash_bytes,
        ram_left_bytes=board.ram_kib * KIB - ram_bytes,
        reasons=tuple(reasons),
    )


def table(fits: Sequence[Fit]) -> str:
    """Returns the boards as text, at most 80 columns wide."""
    row = "  {:<20} {:>5} {:>4}  {}"
    lines = [row.format("board, KiB", "flash", "RAM", "fits")]
    for found in fits:
        verdict = (
            f"yes, {found.flash_left_bytes // KIB:,} flash and "
            f"{found.ram_left_bytes // KIB:,} RAM left"
            if found.fits
            else "no: " + ", ".join(found.reasons)
        )
        board = found.board
        lines.append(row.format(board.name, board.flash_kib, board.ram_kib, verdict))
    return "\n".join(lines)
