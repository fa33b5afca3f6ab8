"""`make uno`: Fashion-MNIST on an Arduino Uno, the ATmega328P of which is emulated."""

from collections.abc import Sequence

import numpy as np

from export.deploy.cores.build import build
from export.deploy.cores.core import core_named, missing
from export.deploy.cores.emulate import run
from tests.mcu.networks import Network, trained
from train.common.command.cli import Parser, integer_between, run_program
from train.common.errors import ToolkitError

NETWORK, CORE = "784-32-10", "ATmega328P"
IMAGES, MOST_IMAGES = 200, 10_000
HERTZ = 16e6
ACCURACY = 0.886  # what it should reach on the test images


def main(arguments: Sequence[str]) -> int:
    """Trains, exports, runs and compares; returns 1 if a byte differs or a limit is missed."""
    parser = Parser(prog="python -m tests.mcu.uno", description=__doc__)
    parser.add_shared_arguments()
    parser.group("what to run")(
        "--images",
        type=integer_between(1, MOST_IMAGES),
        default=IMAGES,
        metavar="N",
        help="how many test images run in the emulator (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    if install := missing(core_named(CORE)):
        raise ToolkitError(f"got no compiler or emulator for AVR, which this needs; {install}")
    return run_on_uno(trained(NETWORK, options.artifacts, options.data), options.images)


def run_on_uno(network: Network, images: int) -> int:
    """Prints what the network takes on the chip; returns 1 if a byte differs or it is not as good.

    Raises:
        DoesNotFitError: the program is larger than the chip.
    """
    core = core_named(CORE)
    _, made = network.interface
    built = build(core, network.work)
    ran = run(core, built.program, network.inputs[:images], made)
    differing = int(np.count_nonzero(ran.outputs != network.host[:images]))
    flash, ram = built.answering.flash, built.answering.ram + ran.stack
    print(
        f"{network.name}, trained and exported, with a serial port on the {CORE} of an Uno:\n"
        f"  flash     {flash:6,} of {core.flash_bytes:,} bytes\n"
        f"  RAM       {ram:6,} of {core.ram_bytes:,} bytes, {ran.stack} of them stack\n"
        f"  time      {ran.steps / HERTZ:6.3f} s an image at 16 MHz, {ran.steps:,.0f} cycles\n"
        f"  outputs   {differing} of {ran.outputs.size:,} bytes differ from this machine's, on "
        f"{images} test images\n"
        f"  accuracy  {network.accuracy:6.2%} on all {len(network.test.labels):,} test images, by "
        f"those outputs on this machine (goal {ACCURACY:.1%})"
    )
    fits = flash <= core.flash_bytes and ram <= core.ram_bytes
    return 0 if fits and not differing and network.accuracy >= ACCURACY else 1


if __name__ == "__main__":
    run_program(main)
