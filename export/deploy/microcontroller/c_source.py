"""The C text of a model: a header of constants and a source file with the bytes.

Both are C11 and C++11 at once: constants are enumerators, which size arrays in either language.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from export.deploy.microcontroller.arena import ALIGNMENT_BYTES, Arena
from train.common.preprocessing import Factor, Preprocessing
from train.common.tensors import TensorSpec

BYTES_PER_LINE = 12
C_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "float32": "float"}

HEADER = """\
/* Made by `python -m export --format tflm` from {file}; do not edit.
 *
 *   #include "tensorflow/lite/micro/micro_interpreter.h"
 *   #include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
 *   #include "model_data.h"
 *
 *   alignas(kTensorArenaAlignment) static uint8_t arena[kTensorArenaBytes];
 *   tflite::MicroMutableOpResolver<kOperatorCount> resolver;
 *   if (!MODEL_ADD_OPERATORS(resolver)) {{ ... }}
 *   tflite::MicroInterpreter interpreter(tflite::GetModel(g_model_data), resolver, arena,
 *                                        kTensorArenaBytes);
 *   if (interpreter.AllocateTensors() != kTfLiteOk) {{ ... }}
 *
 * A raw value r becomes the real input r * {raw_scale} + {raw_offset}.
 * A quantized tensor holds round(real / scale) + zero_point; a real value is
 * (stored - zero_point) * scale.
 */
#ifndef MODEL_DATA_H_
#define MODEL_DATA_H_

#include <stdint.h>

/* Says that model_data.h and model_data.cc are of one export. */
#define MODEL_DATA_ID 0x{identity}u

#ifdef __cplusplus
extern "C" {{
#endif

{declarations}
#ifdef __cplusplus
}}
#endif

#endif /* MODEL_DATA_H_ */
"""

DECLARATIONS = """\
/* The flatbuffer, in flash. SHA-256 {sha256} */
enum {{ kModelDataBytes = {size_bytes} }};
extern const unsigned char g_model_data[kModelDataBytes];

/* The smallest arena in which TFLM's interpreter loaded and ran this model, found by
 * bisection in steps of {alignment} bytes on x86-64 with reference kernels. With the same kernels
 * a 32-bit device needs less, its pointers being half as long; optimized kernels (CMSIS-NN,
 * ESP-NN) may need more for scratch buffers: give more if AllocateTensors() fails. */
enum {{ kTensorArenaBytes = {arena_bytes}, kTensorArenaAlignment = {alignment} }};

{input}
{output}
enum {{ kClassCount = {classes} }};
extern const char* const g_class_names[kClassCount];

/* The operators of the graph; the size of a MicroMutableOpResolver. */
enum {{ kOperatorCount = {operators} }};
#define MODEL_ADD_OPERATORS(resolver) \\
  ({add})
"""

SOURCE = """\
/* Made by `python -m export --format tflm` from {file}; do not edit. */
#include "model_data.h"

#ifndef __cplusplus
#include <stdalign.h>
#endif

#if MODEL_DATA_ID != 0x{identity}u
#error "model_data.h and model_data.cc are of different exports; export them again"
#endif

const char* const g_class_names[kClassCount] = {{
{labels}
}};

alignas({alignment}) const unsigned char g_model_data[kModelDataBytes] = {{
{content}
}};
"""


@dataclass(frozen=True, kw_only=True)
class CSource:
    """The text of `model_data.h` and of `model_data.cc`, ASCII."""

    header: str
    source: str


def c_source(
    model: bytes,
    *,
    file: str,
    input_spec: TensorSpec,
    output_spec: TensorSpec,
    preprocessing: Preprocessing,
    labels: Sequence[str],
    arena: Arena,
    methods: Mapping[str, str],
) -> CSource:
    """Returns a model and what a program needs to know of it as C.

    Args:
        model: the `.tflite` file's bytes.
        file: its name.
        input_spec: the input, fixed in shape.
        output_spec: the output, fixed in shape.
        preprocessing: what turns raw data into the input's real values.
        labels: the names of the classes.
        arena: the tensor arena.
        methods: the resolver's method for each operator.
    """
    calls = [f"(resolver).{method}() == kTfLiteOk" for method in methods.values()]
    declarations = DECLARATIONS.format(
        sha256=hashlib.sha256(model).hexdigest(),
        size_bytes=len(model),
        arena_bytes=arena.size_bytes,
        alignment=ALIGNMENT_BYTES,
        input=_tensor("Input", input_spec),
        output=_tensor("Output", output_spec),
        classes=len(labels),
        operators=len(methods),
        add=" && \\\n   ".join(calls),
    )
    names = ",\n".join(f"  {c_string(label)}" for label in labels)
    content = ",\n".join(
        "  " + ", ".join(f"0x{byte:02x}" for byte in model[start : start + BYTES_PER_LINE])
        for start in range(0, len(model), BYTES_PER_LINE)
    )
    whole = json.dumps([declarations, names])
    identity = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return CSource(
        header=HEADER.format(
            file=file,
            raw_scale=_factor(preprocessing.scale),
            raw_offset=_factor(preprocessing.offset),
            identity=identity,
            declarations=declarations,
        ),
        source=SOURCE.format(
            file=file,
            identity=identity,
            labels=names,
            alignment=ALIGNMENT_BYTES,
            content=content,
        ),
    )


def c_string(text: str) -> str:
    """Returns a C string literal, its bytes UTF-8, in plain ASCII."""
    plain = set(range(32, 127)) - set(b'"\\?')  # ??/ is a trigraph
    literal = "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode())
    return f'"{literal}"'


def c_float(value: float) -> str:
    """Returns a C float literal that gives the float32 back exactly."""
    text = f"{value:.9g}"
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"


def _factor(value: Factor) -> str:
    """Returns one number, or those of the channels, for the header's comment."""
    if isinstance(value, tuple):
        return f"{{{', '.join(map(c_float, value))}}} by channel"
    return c_float(value)


def _tensor(name: str, spec: TensorSpec) -> str:
    sizes = [size or 1 for size in spec.shape]
    count = 1
    for size in sizes:
        count *= size
    lines = [
        f"/* {name}: {spec.dtype}, shape {' x '.join(map(str, sizes))}. */",
        f"typedef {C_TYPES[spec.dtype]} model_{name.lower()}_t;",
        f"enum {{ k{name}Rank = {len(sizes)}, k{name}Elements = {count} }};",
        f"static const int k{name}Shape[k{name}Rank] = {{{', '.join(map(str, sizes))}}};",
    ]
    if spec.scale is not None:
        lines += [
            f"static const float k{name}Scale = {c_float(spec.scale)};",
            f"enum {{ k{name}ZeroPoint = {spec.zero_point} }};",
        ]
    return "\n".join(lines) + "\n"
