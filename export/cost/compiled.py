"""What the C program of a file costs on this machine."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from export.cost.cost import Candidate, Cost, Request
from export.cost.firmware import on_core
from export.cost.interpreted import calls
from export.cost.latency import latency_us
from export.deploy.c.emit import emit
from export.deploy.c.header import Interface
from export.deploy.c.host import FAST, STRICT, compiler, run_compiler
from export.deploy.c.package import HEADER_FILE, SOURCE_FILE
from export.deploy.c.program import Program
from export.deploy.cores.build import run_command
from export.runtimes.c import LIBRARY_FILE, CRunner, write_tensors
from export.runtimes.litert import LiteRTRunner
from export.runtimes.runner import Values
from train.common.errors import ArtifactError
from train.common.files.staging import temporary_folder
from train.common.tensors import TensorSpec

SIZE_OF = "size"  # binutils'
IN_FLASH = (".text", ".rodata", ".data")


def cost_of_c(request: Request, candidate: Candidate, folder: Path) -> Cost:
    """Returns the cost of a file as C, on a board or on this machine.

    Args:
        request: what is asked for.
        candidate: the `.tflite` file.
        folder: a temporary folder.

    Raises:
        ArtifactError: an operator has no kernel, or the compiler fails.
        ToolkitError: a compiler or an emulator is missing; the package is named.
        DoesNotFitError: it cannot even be linked for the board.
    """
    try:
        program = Program(candidate.path)
        with LiteRTRunner(candidate.path, threads=1) as runner:
            inputs, outputs, given = runner.inputs, runner.outputs, calls(candidate, runner)
        interface = Interface(
            file=candidate.path.name, inputs=inputs, outputs=outputs, preprocessing={}, labels=()
        )
        header, source = emit(program, interface)
    except ArtifactError as error:
        raise ArtifactError(f"c: {error}") from error
    (folder / SOURCE_FILE).write_text(source, encoding="ascii")
    (folder / HEADER_FILE).write_text(header, encoding="ascii")
    target = request.target
    plain = Cost(
        format=request.format,
        file_bytes=candidate.path.stat().st_size,
        multiplications=candidate.multiplications,
        detail={
            "constants": sum(array.values.nbytes for array in program.constants),
            "arena": program.plan.arena_bytes,
            "input": _bytes(program, program.network.inputs),
            "output": _bytes(program, program.network.outputs),
        },
    )
    if target is not None:
        return on_core(request.needs, target, plain, program.network, given, folder)
    return _on_this_machine(request, plain, (inputs, outputs), given, folder)


def _on_this_machine(
    request: Request,
    plain: Cost,
    ends: tuple[Sequence[TensorSpec], Sequence[TensorSpec]],
    given: Sequence[Values],
    folder: Path,
) -> Cost:
    made, latency = folder / "model.o", None
    flags = [*FAST, *STRICT, "-fPIC"]
    run_compiler("c", [compiler(), *flags, "-c", str(folder / SOURCE_FILE), "-o", str(made)])
    flash = _in_flash(made)
    detail = dict(plain.detail) | {"code": flash - int(plain.detail["constants"])}
    if "latency" in request.needs:
        # by a path that was loaded before, the system would load that library
        with temporary_folder("library-", folder) as place:
            library = place / LIBRARY_FILE
            run_compiler("c", [compiler(), "-shared", str(made), "-o", str(library)])
            write_tensors(place, *ends)
            with CRunner(library, threads=1) as runner:
                latency = latency_us(runner.invoke, given)
        detail["latency_by"] = "the compiler of this machine"
    return replace(
        plain,
        flash_bytes=flash,
        ram_bytes=int(plain.detail["arena"]),
        latency_us=latency,
        detail=detail,
    )


def _in_flash(made: Path) -> int:
    """Returns the bytes of an object file's code and constants."""
    lines = [line.split() for line in run_command([SIZE_OF, "-A", "-d", made]).splitlines()]
    return sum(int(line[1]) for line in lines if line and line[0].startswith(IN_FLASH))


def _bytes(program: Program, ends: Sequence[int]) -> int:
    return sum(program.network.tensors[each].nbytes for each in ends)
