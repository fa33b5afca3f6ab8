"""The C program with what a WebAssembly module needs besides: buffers, and weights unpacked once.

A browser has the memory for weights as the inner loops want them, and waits for every byte that it
is sent. So weights of few distinct values and many zeros are stored packed, where gzip makes less
of that, and unpacked when the module is loaded.
"""

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from export.deploy.c.emit import constant, emit
from export.deploy.c.header import C_TYPES, End, Interface, ends
from export.deploy.c.program import Program
from export.deploy.c.steps.packing import Packed, candidates
from export.deploy.c.steps.step import Array

GLUE = Path(__file__).with_name("templates") / "module.c"
LEAST_SAVED = 64  # bytes that packing has to save, gzipped


def module_source(program: Program, interface: Interface) -> tuple[str, str]:
    """Returns the header and the source of a program as a module, both ASCII.

    Args:
        program: of weights that are not packed for its inner loops.
        interface: what the header says.
    """
    packed = {array.name: found for array in program.constants if (found := smallest(array))}

    def declare(array: Array) -> str:
        found = packed.get(array.name)
        if found is None:
            return constant(array)
        stored = Array(name=f"{array.name}_packed", values=found.values)
        declared = f"static MODEL_ALIGNED int8_t {array.name}[{array.values.size}];"
        return f"{declared}\n{constant(stored)}"

    header, source = emit(program, interface, declare)
    buffers = ends(interface)
    names = [f"buffer_{name}" for name, *_ in buffers]
    calls = [
        f"    model_unpack({name}, sizeof {name}, (const uint8_t *){name}_packed, {each.bits}u, "
        f"{int(each.kind == 'sparse')});"
        for name, each in packed.items()
    ]
    text = GLUE.read_text(encoding="ascii")
    decode, glue = text.split("/* -- */\n")
    for key, value in {
        "@BUFFERS@": "\n".join(map(_buffer, buffers)),
        "@ENDS@": ", ".join(names),
        "@UNPACK@": "\n".join(calls),
    }.items():
        glue = glue.replace(key, value)
    return header, source + (decode if packed else "") + glue


def smallest(array: Array) -> Packed | None:
    """Returns weights packed as gzip makes least of them; None where that is as they are."""
    if array.values.dtype != np.int8 or not array.aligned:
        return None
    found = candidates(array.values.reshape(1, -1))
    best = min(found, key=lambda packed: gzip_bytes([packed.values]))
    saved = gzip_bytes([array.values]) - gzip_bytes([best.values])
    return best if saved > LEAST_SAVED else None


def gzip_bytes(arrays: Sequence[np.ndarray]) -> int:
    """Returns how many bytes gzip makes of arrays, one behind the other."""
    return len(gzip.compress(b"".join(array.tobytes() for array in arrays), mtime=0))


def _buffer(end: End) -> str:
    name, spec, _ = end
    count = int(np.prod([size or 1 for size in spec.shape]))
    return f"static MODEL_ALIGNED {C_TYPES[spec.dtype]} buffer_{name}[{count}];"
