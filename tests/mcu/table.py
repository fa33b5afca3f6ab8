"""Rows of what the boards took, and how far that is from TensorFlow Lite for Microcontrollers."""

from collections.abc import Sequence
from dataclasses import dataclass

from export.deploy.cores.build import Size

HEADER = (
    f"{'network':13} {'core':11} {'flash':>8} {'code':>7} {'RAM':>6} {'stack':>6} "
    f"{'per inference':>14} {'per mult.':>9}  outputs"
)
LEGEND = """\
flash: bytes of a program with nothing but the model; code: of these, what is not its constants.
RAM: bytes of variables, the input and the output among them; stack: the most that was used besides.
per inference, per mult.: instructions under qemu, on ATmega cycles in simavr; of one
multiplication with a weight, everything else included."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one network took on one core, or why it did not run there.

    Attributes:
        network, core: names.
        multiplications: with weights, per inference.
        size, stack, steps: as `build.Size` and `emulate.Ran` have them; None where it did not run.
        images: on how many images it ran.
        differing: how many bytes of the outputs differ from those of this machine.
        reason: why it did not run.
    """

    network: str
    core: str
    multiplications: int
    size: Size | None = None
    stack: int = 0
    steps: float = 0.0
    images: int = 0
    differing: int = 0
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing that ran went wrong."""
        return not self.differing

    @property
    def text(self) -> str:
        """The line of the table."""
        start = f"{self.network:13} {self.core:11}"
        if self.size is None:
            return f"{start} {self.reason}"
        size = self.size
        outputs = f"the same bytes, {self.images} images"
        if self.differing:
            outputs = f"{self.differing:,} bytes DIFFER, {self.images} images"
        return (
            f"{start} {size.flash:8,} {size.flash - size.constants:7,} {size.ram:6,} "
            f"{self.stack:6,} {self.steps:14,.0f} {self.steps / self.multiplications:9.2f}  "
            f"{outputs}"
        )


@dataclass(frozen=True, kw_only=True)
class Yardstick:
    """TFLM with CMSIS-NN on an emulated Cortex-M4, and which share of that ours may take.

    Built with `-O2` and unused sections removed, around it an otherwise empty program: bytes of
    flash and RAM, instructions per inference.
    """

    flash: int
    ram: int
    instructions: int
    most_flash: float
    most_ram: float
    most_instructions: float = 0.76


YARDSTICK_CORE = "Cortex-M4"
YARDSTICKS = {
    "784-320-10": Yardstick(
        flash=315_048, ram=9_400, instructions=501_800, most_flash=0.83, most_ram=0.15
    ),
    "784-32-10": Yardstick(
        flash=80_616, ram=5_112, instructions=56_480, most_flash=0.36, most_ram=0.20
    ),
}


def beside_tflm(row: Row) -> tuple[str, bool] | None:
    """Returns how a row compares with TFLM, and whether every goal is met; None without figures."""
    yardstick = YARDSTICKS.get(row.network)
    if yardstick is None or row.core != YARDSTICK_CORE or row.size is None:
        return None
    shares = (
        ("flash", row.size.flash / yardstick.flash, yardstick.most_flash),
        ("RAM and stack", (row.size.ram + row.stack) / yardstick.ram, yardstick.most_ram),
        ("instructions", row.steps / yardstick.instructions, yardstick.most_instructions),
    )
    told = ", ".join(f"{name} {share:.3f} (goal {most:.2f})" for name, share, most in shares)
    return (
        f"{row.network} on {row.core} as a share of TFLM with CMSIS-NN: {told}",
        all(share <= most for _, share, most in shares),
    )


# Which share of the flash that a network takes it may take with its weights packed.
MOST_PACKED = {"320 pruned": 0.55, "320 clustered": 0.55, "320 both": 0.40}
PLAIN = "784-320-10"


def beside_plain(rows: Sequence[Row]) -> list[tuple[str, bool]]:
    """Returns how rows with packed weights compare with the same network, and if that suffices."""
    plain = {row.core: row.size for row in rows if row.network == PLAIN and row.size is not None}
    found = []
    for row in rows:
        most, size = MOST_PACKED.get(row.network), plain.get(row.core)
        if most is not None and size is not None and row.size is not None:
            share = row.size.flash / size.flash
            text = f"{row.network} on {row.core}: {share:.3f} of the flash of {PLAIN}"
            found.append((f"{text} (goal {most:.2f})", share <= most))
    return found
