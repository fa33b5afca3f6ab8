"""Common boards, and whether a model fits on them.

Flash, RAM and clocks are the makers': datasheets of ATmega328P, STM32L031K6, STM32L053R8,
STM32L432KC, nRF52832, nRF52833, nRF52840, Apollo3 Blue, STM32F746NG, STM32H743ZI, RP2040 and
RP2350; of modules and boards where the flash is outside the chip (Pico 2 MiB, Pico 2 4 MiB,
ESP32-WROOM-32E 4 MiB, ESP32-S3-WROOM-1-N8 8 MiB). The clock is the highest without a burst mode,
the Uno's that of its crystal. The RAM is what one array can have at most: of the STM32H743's 1 MiB
the 512 KiB of AXI SRAM, of the ESP32's 520 KiB the 320 KiB of data RAM (ESP-IDF's guide to its
memory types), of the ESP32-S3's 512 KiB the 480 KiB on its data bus.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

# "The core runtime just fits in 16 KB on an Arm Cortex M3": TFLM's own overview,
# https://www.tensorflow.org/lite/microcontrollers. Kernels and the program come on top.
CORE_RUNTIME_BYTES = 16 * 1024
TFLM_WORD_BITS = 32
KIB = 1024


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board; `core`, `mhz` and `word_bits` are its processor's, and TFLM needs 32 bits.

    `key` is what it is called on a command line; of its flash a boot loader takes `boot_bytes`.
    """

    key: str
    name: str
    flash_kib: int
    ram_kib: int
    core: str
    mhz: int
    word_bits: int = 32
    boot_bytes: int = 0

    @property
    def flash_bytes(self) -> int:
        """What a program can have of the flash."""
        return self.flash_kib * KIB - self.boot_bytes

    @property
    def ram_bytes(self) -> int:
        """What a program can have of the RAM."""
        return self.ram_kib * KIB


def _board(key: str, name: str, flash_kib: int, ram_kib: int, core: str, mhz: int) -> Board:
    return Board(key=key, name=name, flash_kib=flash_kib, ram_kib=ram_kib, core=core, mhz=mhz)


UNO = _board("uno", "Arduino Uno R3", 32, 2, "ATmega328P", 16)
BOARDS = (
    replace(UNO, word_bits=8, boot_bytes=512),
    _board("nucleo-l031k6", "Nucleo-L031K6", 32, 8, "Cortex-M0+", 32),
    _board("nucleo-l053r8", "Nucleo-L053R8", 64, 8, "Cortex-M0+", 32),
    _board("nucleo-l432kc", "Nucleo-L432KC", 256, 64, "Cortex-M4", 80),
    _board("nrf52832", "nRF52832 DK", 512, 64, "Cortex-M4", 64),
    _board("microbit-v2", "micro:bit v2", 512, 128, "Cortex-M4", 64),
    _board("nano-33-ble", "Arduino Nano 33 BLE", 1024, 256, "Cortex-M4", 64),
    _board("stm32f746-disco", "STM32F746 Discovery", 1024, 320, "Cortex-M7", 216),
    _board("sparkfun-edge", "SparkFun Edge", 1024, 384, "Cortex-M4", 48),
    _board("pico", "Raspberry Pi Pico", 2048, 264, "Cortex-M0+", 133),
    _board("nucleo-h743zi", "Nucleo-H743ZI", 2048, 512, "Cortex-M7", 480),
    _board("pico-2", "Raspberry Pi Pico 2", 4096, 520, "Cortex-M33", 150),
    _board("esp32", "ESP32-DevKitC", 4096, 320, "Xtensa LX6", 240),
    _board("esp32-s3", "ESP32-S3-DevKitC-1", 8192, 480, "Xtensa LX7", 240),
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
    needs = (("flash", flash_bytes, board.flash_bytes), ("RAM", ram_bytes, board.ram_bytes))
    reasons = [
        f"{kind} {math.ceil(needed / KIB):,} of {there / KIB:,g}"
        for kind, needed, there in needs
        if needed > there
    ]
    if board.word_bits < word_bits:
        reasons = [f"{board.word_bits}-bit, TFLM needs {word_bits}"]
    return Fit(
        board=board,
        flash_left_bytes=board.flash_bytes - flash_bytes,
        ram_left_bytes=board.ram_bytes - ram_bytes,
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
