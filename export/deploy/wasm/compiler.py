"""C → a WebAssembly module without libc: PyPI's `ziglang`, `zig`, or `clang` with its linker."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from export.deploy.c.host import STRICT, run_compiler
from train.common.errors import ToolkitError

COMPILED = "module.wasm"
STACK_BYTES = 1 << 16  # kernels take a few kB of it
ZIG = ("cc", "-target", "wasm32-freestanding", "-mcpu=generic+simd128")
# The stack below everything else, as zig has it by itself: an overflow is an error, no other value.
CLANG = ("--target=wasm32", "-msimd128", "-mbulk-memory", "-msign-ext", "-Wl,--stack-first")
FLAGS = (
    *STRICT,
    # The kernels say which loops are worth their bytes.
    *("-O2", "-fno-unroll-loops", "-fno-vectorize"),
    *("-Wno-pass-failed", "-Wno-unused-function"),
    *("-ffreestanding", "-nostdlib", "-I."),
    *("-Wl,--no-entry", "-Wl,--strip-all", f"-Wl,-z,stack-size={STACK_BYTES}"),
)
# What the program takes of libc are instructions here.
STRING_H = """\
#define memcpy __builtin_memcpy
#define memset __builtin_memset
"""


def compiler() -> list[str]:
    """Returns the command of the compiler, and what makes it one for WebAssembly.

    Raises:
        ToolkitError: there is none.
    """
    if find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", *ZIG]
    zig, clang = shutil.which("zig"), shutil.which("clang")
    if zig is not None:
        return [zig, *ZIG]
    if clang is not None and shutil.which("wasm-ld") is not None:
        return [clang, *CLANG]
    raise ToolkitError(
        "wasm: got no compiler for WebAssembly (PyPI's ziglang, zig, or clang with wasm-ld); "
        "install one (pip install ziglang, or apt-get install clang lld)"
    )


def build(source: Path) -> Path:
    """Returns the module that a C file with its header beside it becomes, beside them.

    Args:
        source: the file; all that the compiler writes is in its folder.

    Raises:
        ArtifactError: the compiler fails or warns; its first error is said.
        ToolkitError: there is no compiler.
    """
    folder = source.parent
    folder.joinpath("string.h").write_text(STRING_H, encoding="ascii")
    command = [*compiler(), *FLAGS, "-o", COMPILED, source.name]
    caches = {name: str(folder / "zig") for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")}
    run_compiler("wasm", command, folder, caches)
    return folder / COMPILED
