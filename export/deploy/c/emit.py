"""A program as C: `model.h`, and `model.c` with the kernels that it uses."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from export.deploy.c.header import End, Interface, comment, ends, header, parameters
from export.deploy.c.program import Program
from export.deploy.c.steps.pairs import kernel_text
from export.deploy.c.steps.step import Array
from export.deploy.c.steps.weights import layers, packing, sixteen

KERNELS = Path(__file__).with_name("kernels")
# Kernels that others need, in the order in which they need each other.
ORDER = (
    layers.ONCE,
    layers.TWICE,
    "narrow",
    "narrow16",
    "channels",
    "outputs",
    *sixteen.KERNELS[:1],
    "dot_wasm",
    "dot_hosts",
    "dot_cores",
    "dot",
    "dense",
    "window",
    "patch",
    "tile_vnni",
    "tile_avx2",
    "tile_neon",
    "tile_factors",
    "tile",
    "conv_tile",
    "depthwise_vnni",
    "depthwise_avx2",
    "depthwise_neon",
    "depthwise_tile",
    "positions_cores",
    "positions",
    *sixteen.KERNELS[1:],
    *packing.KERNELS,
    "exp16",
    "powers",
    "inside",
    "pair",
)
PER_LINE = 24
TILE = """\
#if defined(MODEL_TILE)
    if (model_conv_tile(x, y, at, to)) {
        return;
    }
#endif
"""
PLACE = re.compile(r"\{(t\d+|scratch)\}")

SOURCE = """\
/* Made by `python -m export --format c` from {file}; do not edit.
 *
 * Kernels first, then the network: constants, and `model_run_in`, from top to bottom. Values are
 * 8-bit integers, a real value is (stored - zero point) * scale; sums have 32 bits. Each output
 * byte equals that of LiteRT's reference kernels.
 *
{plan}
 */
#include "model.h"

#include <string.h>

/* Constants that stay in flash where that is a memory of its own. */
#if defined(__AVR__)
#if {constants} > 65000
#error "this model is too large for AVR, whose __flash reaches 64 kB"
#endif
#define MODEL_FLASH __flash
#else
#define MODEL_FLASH
#endif

/* Weights begin at a word, on hosts at a line of the cache, so that several can be read at once. */
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__aarch64__) || defined(__wasm__))
#define MODEL_ALIGNED __attribute__((aligned(64)))
#elif defined(__GNUC__) && !defined(__AVR__)
#define MODEL_ALIGNED __attribute__((aligned(4)))
#else
#define MODEL_ALIGNED
#endif

{kernels}
{arrays}
int model_run_in(int8_t *arena, size_t arena_bytes, {parameters})
{{
#if MODEL_ARENA_BYTES > 0
    if (arena_bytes < MODEL_ARENA_BYTES) {{
        return MODEL_ARENA_TOO_SMALL;
    }}
#endif
    (void)arena;
    (void)arena_bytes;
{even}{unused}
{steps}
    return 0;
}}

void model_run({parameters})
{{
    static int8_t arena[MODEL_ARENA_BYTES + {room}u];
    (void)model_run_in(arena, sizeof arena, {names});
}}
"""

EVEN = """\
    arena += (uintptr_t)arena & 1u; /* values of 16 bits begin at even addresses */
"""


def emit(
    program: Program,
    interface: Interface,
    declare: Callable[[Array], str] | None = None,
    over_bytes: int = 0,
) -> tuple[str, str]:
    """Returns the header and the source, both ASCII.

    Args:
        program: the program.
        interface: what the caller is told.
        declare: returns what defines a constant in C; None for `constant`.
        over_bytes: how many the kernels may read behind a tensor.
    """
    found = ends(interface)
    source = SOURCE.format(
        file=comment(interface.file),
        plan=_plan(program),
        kernels=_kernels(program),
        constants=sum(array.values.nbytes for array in program.constants),
        arrays="\n".join(map(declare or constant, program.constants)),
        parameters=parameters(found),
        room=1 + over_bytes,
        even=EVEN if program.plan.wide else "",
        unused="\n".join(f"    (void){name};" for name, *_ in found),
        steps=_steps(program, found),
        names=", ".join(name for name, *_ in found),
    )
    return header(interface, program.plan.arena_bytes), source


def _kernels(program: Program) -> str:
    used = {kernel for step in program.steps for kernel in step.kernels}
    names = [name for name in ORDER if name in used]
    names += sorted(used.difference(names))  # which none of the others needs
    scales = [f"model_{name}" for name in (layers.ONCE, layers.TWICE) if name in used]
    scale = " : ".join(f"{name}(sum, multiplier, shift)" for name in scales)
    scale = f"(to->once ? {scale})" if len(scales) > 1 else scale
    texts = []
    for name in names:
        file, _, kind = name.partition(":")
        (path,) = KERNELS.rglob(f"{file}.c")
        text = path.read_text(encoding="ascii")
        if file == "quantize":
            text = text.replace("@FROM@", kind.split("_")[0]).replace("@TO@", kind.split("_")[1])
        elif name in packing.KERNELS:
            text = packing.kernel_text(text, int(kind))
        elif file in ("conv", "conv_transposed"):
            for function in (file, "dense"):
                text = text.replace(f"model_{function}(", f"model_{function}{kind}(")
        elif kind:
            text = kernel_text(text, name)
        text = text.replace("@TILE@", "" if kind else TILE)
        texts.append(text.replace("@SCALE@", scale))
    return "\n".join(texts)


def constant(array: Array) -> str:
    """Returns a constant in C."""
    numbers = [_literal(int(value)) for value in array.values]
    rows = [
        "    " + ", ".join(numbers[start : start + PER_LINE])
        for start in range(0, len(numbers), PER_LINE)
    ]
    kind = f"{array.values.dtype.name}_t"
    body = ",\n".join(rows)
    aligned = "MODEL_ALIGNED " if array.aligned else ""
    declared = f"static const MODEL_FLASH {aligned}{kind} {array.name}[{len(numbers)}]"
    return f"{declared} = {{\n{body}}};\n"


def _literal(value: int) -> str:
    return str(value) if value > -(1 << 31) else "-2147483647 - 1"


def _steps(program: Program, found: Sequence[End]) -> str:
    plan = program.plan
    names = _names(found)
    where = {f"t{tensor}": _where(program, names, tensor) for tensor in plan.places}
    first = {loop.first: loop for loop in program.loops}
    last = {loop.last: loop for loop in program.loops}
    blocks = []
    inside = ""
    for number, step in enumerate(program.steps):
        if number in first:
            blocks.append(f"    {first[number].head} {{")
            inside = "    "
        at = {**where, "scratch": f"(arena + {plan.scratch.get(number, 0)})"}
        code = PLACE.sub(partial(_place, at), step.code)
        block = f"    {{ /* {number + 1}. {step.title} */\n{_indented(code, '        ')}\n    }}"
        blocks.append(_indented(block, inside))
        if number in last:
            for to, source in plan.carries.get(number, ()):
                size = program.network.tensors[to].nbytes
                blocks.append(f"        memcpy({where[f't{to}']}, {where[f't{source}']}, {size});")
            blocks.append("    }")
            inside = ""
    for place, tensor in plan.copies.items():
        size = program.network.tensors[tensor].size
        blocks.append(f"    memcpy({names[f'output_{place}']}, {where[f't{tensor}']}, {size});")
    return "\n".join(blocks)


def _where(program: Program, names: Mapping[str, str], tensor: int) -> str:
    """Returns the address of a tensor in C, of the type of its values."""
    place = program.plan.places[tensor]
    offset = program.offsets.get(tensor, "")
    parts = ["arena", str(place)] if isinstance(place, int) else [names[place]]
    parts += [offset] if offset else []
    found = " + ".join(parts)
    found = f"({found})" if len(parts) > 1 else found
    if program.network.tensors[tensor].dtype == "int16":
        return f"((int16_t *)(void *){found})"
    return found


def _place(at: Mapping[str, str], found: re.Match[str]) -> str:
    return at[found[1]]


def _names(ends: Sequence[End]) -> dict[str, str]:
    """Returns how the program refers to the caller's buffers, by their places in the plan."""
    found = {}
    count = {True: 0, False: 0}
    for name, spec, is_input in ends:
        kind = "const int8_t" if is_input else "int8_t"
        cast = name if spec.dtype in ("int8", "int32") else f"(({kind} *){name})"
        found[f"{'input' if is_input else 'output'}_{count[is_input]}"] = cast
        count[is_input] += 1
    return found


def _plan(program: Program) -> str:
    plan = program.plan
    lines = [
        f"The arena has {plan.arena_bytes} bytes; at most {plan.live_bytes} live at once.",
        "Each step's output, and where it stands:",
    ]
    for number, step in enumerate(program.steps):
        for tensor in step.outputs:
            place, size = plan.places[tensor], program.network.tensors[tensor].nbytes
            stands = place if isinstance(place, str) else f"{place} to {place + size}"
            if tensor in program.offsets:
                stands = f"{place} on, step by step"
            lines.append(f"{number + 1:>4}. {size:>7} bytes  {stands}")
        if step.scratch:
            at = plan.scratch[number]
            lines.append(f"      {step.scratch:>7} bytes  {at} to {at + step.scratch}, meanwhile")
    return "\n".join(f" * {line}" for line in lines)


def _indented(text: str, by: str) -> str:
    return "\n".join(by + line if line else line for line in text.splitlines())
