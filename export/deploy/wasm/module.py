"""The C program with what a WebAssembly module needs besides: buffers, and constants unpacked once.

A browser has the memory for weights as the inner loops want them, and waits for every byte that it
is sent. So weights of few distinct values and many zeros are stored packed, and tables as steps,
where gzip makes less of that, and unpacked when the module is loaded.
"""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from export.deploy.c.emit import constant, emit
from export.deploy.c.header import C_TYPES, End, Interface, ends
from export.deploy.c.network import Network
from export.deploy.c.program import Program
from export.deploy.c.steps.step import Array
from export.deploy.c.steps.weights.packing import Packed, candidates
from export.deploy.c.steps.weights.sixteen import OVER_BYTES

GLUE = Path(__file__).with_name("templates") / "module.c"
# What unpacks: where its part of the template is. Bytes that each kind has to save, gzipped: of
# one constant, and of all together, for the code that unpacks them.
UNPACK, SUM, WIDEN = "unpack", "sum", "widen"
LEAST_SAVED = {UNPACK: (64, 200), SUM: (16, 80)}


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A constant as a module has it.

    Attributes:
        declared: what declares it in C.
        calls: what makes it the constant, in C, by kind.
    """

    declared: str
    calls: Mapping[str, str]


def module_source(program: Program, interface: Interface) -> tuple[str, str]:
    """Returns the header and the source of a program as a module, both ASCII.

    Args:
        program: of weights that are not packed for its inner loops.
        interface: what the header says.
    """
    weights = smallest(program.constants, UNPACK)
    tables = smallest(program.constants, SUM)
    kept = {
        array.name: _kept(array, weights.get(array.name), tables.get(array.name))
        for array in program.constants
    }
    header, source = emit(program, interface, lambda array: kept[array.name].declared, OVER_BYTES)
    buffers = ends(interface)
    names = [f"buffer_{name}" for name, *_ in buffers]
    calls = [call for each in kept.values() for call in each.calls.items()]
    *parts, glue = GLUE.read_text(encoding="ascii").split("/* -- */\n")
    for key, value in {
        "@BUFFERS@": "\n".join(map(_buffer, buffers)),
        "@ENDS@": ", ".join(names),
        "@UNPACK@": "\n".join(f"    {call}" for _, call in calls),
    }.items():
        glue = glue.replace(key, value)
    kinds = {kind for kind, _ in calls}
    used = [part for part, kind in zip(parts, (UNPACK, SUM, WIDEN), strict=True) if kind in kinds]
    return header, "".join([source, *used, glue])


def _kept(array: Array, packed: Packed | None, steps: Packed | None) -> Kept:
    name, count = array.name, array.values.size
    declared, calls = [], {}
    stored = array
    if array.wide:
        stored = replace(stored, name=f"{name}_stored")
        declared = [f"static MODEL_ALIGNED int16_t {name}[{count}];"]
    if packed is not None:
        how = f"(const uint8_t *){name}_packed, {packed.bits}u, {int(packed.kind == 'sparse')}"
        calls[UNPACK] = f"model_unpack({stored.name}, {count}u, {how});"
        declared.append(f"static MODEL_ALIGNED int8_t {stored.name}[{count}];")
        stored = replace(stored, name=f"{name}_packed", values=packed.values)
    if steps is not None:
        stored = replace(stored, values=steps.values)
        calls[SUM] = f"model_sum({name}, {count}u);"
    text = constant(stored)
    declared.append(text if steps is None else text.replace(" const", "", 1))
    if array.wide:
        calls[WIDEN] = f"model_widen({name}, {name}_stored, {count}u);"
    return Kept(declared="\n".join(declared), calls=calls)


def smallest(arrays: Sequence[Array], kind: str) -> dict[str, Packed]:
    """Returns constants packed as gzip makes least of them, by name; none that stay as they are.

    Args:
        arrays: the constants.
        kind: what unpacks them: `unpack` weights, `sum` tables, which are stored as steps from one
            value to the next.
    """
    found, saved = {}, 0
    least, least_by_all = LEAST_SAVED[kind]
    for array in arrays:
        if array.values.dtype != np.int8 or array.aligned != (kind == UNPACK):
            continue
        packed = candidates(array.values.reshape(1, -1)) if kind == UNPACK else [_steps(array)]
        sizes = [gzip_bytes(each.values.tobytes()) for each in packed]
        less = gzip_bytes(array.values.tobytes()) - min(sizes)
        if less > least:
            found[array.name] = packed[sizes.index(min(sizes))]
            saved += less
    return found if saved > least_by_all else {}


def _steps(array: Array) -> Packed:
    steps = np.diff(array.values.view(np.uint8), prepend=np.uint8(0)).view(np.int8)
    return Packed(kind=SUM, bits=8, values=steps)


def own_bytes(network: Network) -> int:
    """Returns how many bytes gzip makes of what a file stores for its layers: weights and biases.

    Of weights the scales of channels are counted, too; no table that is computed from the file is.
    """
    stored = []
    for tensor, found in zip(network.tensors, network.stored, strict=True):
        if tensor.data is not None and len(tensor.scales):
            stored.append(np.asarray(network.model.buffers[found.buffer].data, np.uint8))
            stored += [tensor.scales] if tensor.dtype in ("int8", "int4") else []
    return gzip_bytes(b"".join(each.tobytes() for each in stored))


def gzip_bytes(content: bytes) -> int:
    """Returns how many bytes gzip makes of a content."""
    return len(gzip.compress(content, mtime=0))


def _buffer(end: End) -> str:
    name, spec, _ = end
    count = int(np.prod([size or 1 for size in spec.shape]))
    return f"static MODEL_ALIGNED {C_TYPES[spec.dtype]} buffer_{name}[{count} + {OVER_BYTES}];"
