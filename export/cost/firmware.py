"""What a C program costs on a microcontroller: built for its core, run on an emulated one."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from export.cost.cost import Cost
from export.deploy.c.network import Network
from export.deploy.cores.build import (
    DoesNotFitError,
    compile_model,
    link,
    link_answering,
    size_of,
    write_interface,
)
from export.deploy.cores.core import COMPILERS, EMULATORS, Core, missing, roomy
from export.deploy.cores.emulate import Ran, run
from export.deploy.cores.target import Target
from export.runtimes.runner import Values, unpack
from train.common.errors import ToolkitError

TIMEOUT_S = 120
PORT_BYTES = 512  # what answering takes, which has room where a boot loader would be
MARGIN = 64  # bytes of RAM below which a stack may have gone further than was seen
IMAGES = 2  # that are run; what they take differs little
# Of avr-gcc's linker script, so that what is too large for a chip has a size.
NO_LIMITS = ("-Wl,--defsym=__TEXT_REGION_LENGTH__=4M,--defsym=__DATA_REGION_LENGTH__=0xff00",)
LIBRARY_STACK = 32  # of memcpy and memset, which are compiled without a word of their stack


def core_of(target: Target, needs: Collection[str]) -> Core:
    """Returns the core that a board's programs are built for and run on.

    Raises:
        ToolkitError: a compiler, or an emulator where latency is asked for, is missing.
    """
    core = roomy(target.built_for)
    programs = [COMPILERS, EMULATORS] if "latency" in needs else [COMPILERS]
    if install := missing(core, programs):
        what = "compiler or emulator" if "latency" in needs else "compiler"
        raise ToolkitError(f"c: got no {what} for {core.name}, {target.key}'s core; {install}")
    return core


def on_core(
    needs: Collection[str],
    target: Target,
    plain: Cost,
    network: Network,
    given: Sequence[Values],
    folder: Path,
) -> Cost:
    """Returns the cost of a C program on a board or a core.

    Flash is that of a program with nothing but the model; RAM its variables, the arena, the input
    and the output among them, and the stack. That is measured in an emulator; where there is none,
    or too little memory in it, what all functions together could take counts.

    Args:
        needs: what is asked for.
        target: the board or the core.
        plain: what is known without it.
        network: the file that the program is made of.
        given: what the program is run on.
        folder: has `model.c` and `model.h`; what is built is put there.

    Raises:
        DoesNotFitError: it cannot be linked for the core, however much memory it had.
        ToolkitError: a compiler, or an emulator where latency is asked for, is missing.
    """
    core = core_of(target, needs)
    given_ends, made_ends = (
        [(network.tensors[each].size, network.tensors[each].dtype) for each in places]
        for places in (network.inputs, network.outputs)
    )
    _, made = write_interface(given_ends, made_ends, folder)
    model = compile_model(core, folder, "-fstack-usage")
    limits = NO_LIMITS if core.family == "avr" else ()
    bare = size_of(core, link(core, folder, model, "bare.c", *limits), model)
    detail: dict[str, int | str] = {
        **plain.detail,
        "constants": bare.constants,
        "code": bare.flash - bare.constants,
        "variables": bare.ram,
        "built_for": core.name,
    }
    found = replace(plain, flash_bytes=bare.flash, detail=detail)
    if not {"ram", "latency"} & set(needs):
        return found
    ran = None
    if missing(core, [EMULATORS]) is None:
        ran = _emulated(core, model, given, made, folder, limits)
    if ran is None:
        detail["stack"] = most_stack(model)
        detail["stack_by"] = "gcc -fstack-usage, all functions together"
    else:
        detail["stack"] = ran.stack
        detail["stack_by"] = EMULATORS[core.family]
    return replace(
        found,
        ram_bytes=bare.ram + int(detail["stack"]),
        instructions=None if ran is None else round(ran.steps),
        latency_us=None if ran is None or target.mhz is None else ran.steps / target.mhz,
        detail=detail,
    )


def _emulated(
    core: Core,
    model: Path,
    given: Sequence[Values],
    made: int,
    folder: Path,
    limits: Sequence[str],
) -> Ran | None:
    """Returns what the program did in the emulator; None if it is too large for that."""
    try:
        program = link_answering(core, folder, model, *limits)
    except DoesNotFitError:
        return None
    size = size_of(core, program, model)
    free = core.ram_bytes - size.ram
    if size.flash > core.flash_bytes + PORT_BYTES or free < 0:
        return None
    inputs = np.stack([_bytes(values) for values in given[:IMAGES]])
    try:
        ran = run(core, program, inputs, made, TIMEOUT_S)
    except ToolkitError:
        if free > most_stack(model):
            raise
        return None  # its stack went into the variables
    return ran if ran.stack + MARGIN <= free else None


def _bytes(values: Values) -> np.ndarray:
    return np.concatenate(
        [np.ascontiguousarray(each).reshape(-1).view(np.int8) for each in unpack(values)]
    )


def most_stack(model: Path) -> int:
    """Returns more than a model's functions can take of the stack, as none calls itself."""
    lines = model.with_suffix(".su").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split("\t")[1]) for line in lines) + LIBRARY_STACK
