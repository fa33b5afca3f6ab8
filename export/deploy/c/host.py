"""The C program on this machine: compiled by the system's compiler, called like any runtime."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from export.runtimes.c import LIBRARY_FILE, write_tensors
from train.common.errors import ArtifactError, ToolkitError
from train.common.tensors import TensorSpec

COMPILERS = ("cc", "gcc", "clang")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
FAST = ("-O3", "-march=native")
TIMEOUT_S = 600


def compiler() -> str:
    """Returns the path of the C compiler: `$CC`, or the first of `COMPILERS`.

    Raises:
        ToolkitError: there is none.
    """
    for name in (os.environ.get("CC", ""), *COMPILERS):
        found = shutil.which(name) if name else None
        if found:
            return found
    raise ToolkitError(
        f"c: got no C compiler ({', '.join(COMPILERS)} or $CC), which the program is proven with; "
        "install gcc (apt-get install gcc)"
    )


def build(
    source: Path,
    folder: Path,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    flags: Sequence[str] = (),
) -> Path:
    """Returns a program as a library for this machine, as `CRunner` takes it.

    Args:
        source: the folder with `model.c` and `model.h`.
        folder: where to.
        inputs: of the program.
        outputs: of the program.
        flags: of the compiler, beyond `FAST`.

    Raises:
        ArtifactError: the compiler fails or warns; its first error is said.
        ToolkitError: there is no C compiler.
    """
    folder.mkdir(exist_ok=True)
    library = folder / LIBRARY_FILE
    command = [compiler(), *FAST, *flags, "-shared", "-fPIC", "-o", str(library)]
    run_compiler("c", [*command, str(source / "model.c")])
    write_tensors(folder, inputs, outputs)
    return library


def run_compiler(
    name: str,
    command: Sequence[str],
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Runs a compiler.

    Args:
        name: of the kind of C source, for messages.
        command: the compiler and its arguments.
        folder: where it is run; None for here.
        environment: variables beyond this process's.

    Raises:
        ArtifactError: it fails or warns, of which the first error is said, or takes too long.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(f"{name}: {command[0]} took more than {TIMEOUT_S} s") from error
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in said if "error:" in line] or said[-1:] or ["(it said nothing)"]
        raise ArtifactError(f"{name}: {command[0]} failed: {errors[0].strip()}")
