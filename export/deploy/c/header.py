"""`model.h`: what the caller of a program is told."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from train.common.preprocessing import Factor, Preprocessing
from train.common.tensors import TensorSpec

C_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "bool": "uint8_t", "int32": "int32_t"}

# An input or output: its name in C, what it is, whether it is an input.
End = tuple[str, TensorSpec, bool]

HEADER = """\
/* Made by `python -m export --format c` from {file}; do not edit.
 *
{how}
 */
#ifndef MODEL_H_
#define MODEL_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

{sizes}
/* What `model_run_in` needs; `model_run` has an arena of its own, of the same size. */
#define MODEL_ARENA_BYTES {arena_bytes}u
#define MODEL_ARENA_TOO_SMALL 1

/* One inference. On hosts, with AVX2 or 64-bit NEON, convolutions take some 100 kB of stack. */
void model_run({parameters});

/* The same in memory of the caller's, so that several may run at once. Returns 0, or
 * MODEL_ARENA_TOO_SMALL with nothing done. */
int model_run_in(int8_t *arena, size_t arena_bytes, {parameters});

#ifdef __cplusplus
}}
#endif

#endif /* MODEL_H_ */
"""


@dataclass(frozen=True, kw_only=True)
class Interface:
    """What the caller is told.

    Attributes:
        file: the `.tflite` file.
        inputs, outputs: of the file, in its order.
        preprocessing: by the input's name.
        labels: the classes; empty where there are none.
    """

    file: str
    inputs: Sequence[TensorSpec]
    outputs: Sequence[TensorSpec]
    preprocessing: Mapping[str, Preprocessing]
    labels: Sequence[str]


def header(interface: Interface, arena_bytes: int) -> str:
    """Returns the header of a program that needs an arena of so many bytes."""
    found = ends(interface)
    return HEADER.format(
        file=comment(interface.file),
        how=_how(interface),
        sizes=_sizes(found, interface.labels),
        arena_bytes=arena_bytes,
        parameters=parameters(found),
    )


def parameters(found: "Sequence[End]") -> str:
    """Returns the parameters of the program's functions for inputs and outputs."""
    return ", ".join(
        f"{'const ' if is_input else ''}{C_TYPES[spec.dtype]} *{name}"
        for name, spec, is_input in found
    )


def ends(interface: Interface) -> list[End]:
    """Returns the inputs, then the outputs."""
    found = []
    for kind, specs in (("input", interface.inputs), ("output", interface.outputs)):
        for i, spec in enumerate(specs):
            name = kind if len(specs) == 1 else f"{kind}_{i}"
            found.append((name, spec, kind == "input"))
    return found


def _how(interface: Interface) -> str:
    lines = [
        "A stored value is round(real / scale) + zero point; a real value is",
        "(stored - zero point) * scale.",
    ]
    for spec in interface.inputs:
        how = interface.preprocessing.get(spec.name)
        if how is not None:
            lines.append(
                f"A raw value r of input {spec.name} becomes the real input "
                f"r * {_factor(how.scale)} + {_factor(how.offset)}."
            )
    return "\n".join(f" * {comment(line)}" for line in lines)


def _factor(value: Factor) -> str:
    return f"{value:g}" if isinstance(value, float | int) else f"{tuple(value)} by channel"


def _sizes(found: Sequence[End], labels: Sequence[str]) -> str:
    lines = []
    for name, spec, _ in found:
        shape = " x ".join(str(size) for size in spec.shape[1:]) or "1"
        lines.append(f"/* {comment(spec.name)}: {shape} */")
        prefix = f"MODEL_{name.upper()}"
        count = int(np.prod([size or 1 for size in spec.shape]))
        lines.append(f"#define {prefix}_SIZE {count}")
        if spec.scale is not None:
            lines.append(f"#define {prefix}_SCALE {float(np.float32(spec.scale))!r}f")
            lines.append(f"#define {prefix}_ZERO_POINT ({spec.zero_point})")
    if labels:
        lines.append(f"#define MODEL_CLASS_COUNT {len(labels)}")
        names = ", \\\n    ".join(_quoted(label) for label in labels)
        lines.append("/* const char *const names[MODEL_CLASS_COUNT] = MODEL_CLASS_NAMES; */")
        lines.append(f"#define MODEL_CLASS_NAMES {{ \\\n    {names}}}")
    return "\n".join(lines) + "\n"


def _quoted(label: str) -> str:
    """Returns a string literal: of UTF-8 bytes, without trigraphs."""
    text = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in label.encode()
    )
    return f'"{text}"'


def comment(text: str) -> str:
    """Returns a text as it may stand in a comment."""
    return re.sub(r"[^ -~]", "?", json.dumps(text)[1:-1]).replace("*/", "* /").replace("/*", "/ *")
