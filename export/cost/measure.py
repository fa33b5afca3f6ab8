"""A network's cost: converted with random weights, and measured."""

from pathlib import Path

import keras

from export.cost.candidate import convert
from export.cost.compiled import cost_of_c
from export.cost.cost import Cost, Request
from export.cost.firmware import core_of
from export.cost.interpreted import cost_of_file
from export.deploy.microcontroller.boards import TFLM_WORD_BITS
from train.common.errors import ToolkitError
from train.common.files.staging import temporary_folder


def cost_of(request: Request, folder: Path) -> Cost:
    """Returns what a network costs.

    Args:
        request: what is asked for.
        folder: a temporary one, which may be that of the request before.

    Raises:
        ToolkitError: the board is none for the format, something is not installed, or the model
            cannot be loaded or converted.
        DoesNotFitError: no linker can place the program.
    """
    _check(request)
    measure = cost_of_c if request.format == "c" else cost_of_file
    try:
        with temporary_folder("converted-", folder) as converted:
            return measure(request, convert(request, converted), folder)
    finally:
        keras.backend.clear_session()  # what one model leaves behind is not the next one's


def _check(request: Request) -> None:
    """Checks, before anything is converted, that a board is one for the format.

    Raises:
        ToolkitError: it is not, or its compiler or emulator is missing.
    """
    target = request.target
    if target is None:
        return
    if request.format == "c":
        core_of(target, request.needs)
    elif request.format == "tflm" and target.word_bits < TFLM_WORD_BITS:
        raise ToolkitError(
            f"got board {target.key} of {target.word_bits} bits, TFLM needs {TFLM_WORD_BITS}; "
            "use c, which needs none"
        )
