"""Small integer files of many operators, and their programs run by a C `main` of our own."""

import math
import subprocess
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from export.deploy.c.emit import emit
from export.deploy.c.header import C_TYPES, Interface
from export.deploy.c.host import STRICT, compiler
from export.deploy.c.program import Program
from export.deploy.c.proof import provable
from export.runtimes.litert import LiteRTRunner
from export.runtimes.runner import pack, unpack
from train.common.tensors import TensorSpec

CALLS = 40
WORDS = 20  # that ids are of
MAIN = """\
#include <stdio.h>
#include "model.h"
static int8_t arena[MODEL_ARENA_BYTES + 1u];
{buffers}
int main(void) {{
    if (MODEL_ARENA_BYTES && model_run_in(arena, MODEL_ARENA_BYTES - 1u, {names}) == 0) return 1;
    while (fread({first}, sizeof {first}, 1, stdin) == 1) {{
        {read}
        if (model_run_in(arena, MODEL_ARENA_BYTES, {names})) return 2;
        {write}
        model_run({names});
        {write}
    }}
    return 0;
}}
"""
FAST = ("-O3", "-march=native")
SANITIZED = ("-O1", "-g", "-fsanitize=undefined,address", "-fno-sanitize-recover=all")


def write(model: keras.Model, path: Path, io: tf.DType = tf.int8) -> Path:
    """Writes a model with random biases as an integer file."""
    generator = np.random.default_rng(0)
    for weight in model.weights:
        if "bias" in weight.path or "alpha" in weight.path:
            weight.assign(generator.normal(0, 0.3, weight.shape))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    shapes = [each.shape for each in model.inputs]
    converter.representative_dataset = lambda: (
        [generator.normal(size=shape).astype(np.float32) for shape in shapes] for _ in range(20)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = io
    with warnings.catch_warnings(action="ignore"):  # of statistics, and of what becomes float
        path.write_bytes(converter.convert())
    return path


@cache
def program_of(path: Path) -> Program:
    return Program(path)


def cpu_has(feature: str) -> bool:
    """Returns whether Linux says that this machine's processor has an extension."""
    try:
        return feature in Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False


def size_of(spec: TensorSpec) -> int:
    """Returns how many values a tensor has."""
    return math.prod(size or 1 for size in spec.shape)


def random_values(generator: np.random.Generator, spec: TensorSpec) -> np.ndarray:
    """Returns stored values of any size."""
    shape = [size or 1 for size in spec.shape]
    if spec.dtype == "int32":
        return generator.integers(-WORDS, WORDS, shape).astype(np.int32)
    most = 2 if spec.dtype == "bool" else 256
    return generator.integers(0, most, shape, np.uint8).view(spec.dtype)


def outputs(
    path: Path, folder: Path, flags: Sequence[str], emulator: Sequence[str] = ()
) -> tuple[bytes, bytes]:
    """Returns what LiteRT and our program give for random inputs, each call twice."""
    ours = program_of(path)
    if unproven := ours.network.unproven:
        proof = folder / "proof.tflite"
        proof.write_bytes(provable(path.read_bytes(), unproven))
        path = proof
    with LiteRTRunner(path, threads=1, mode="reference") as runner:
        header, source = emit(
            ours,
            Interface(
                file='strange */ "name".tflite',
                inputs=runner.inputs,
                outputs=runner.outputs,
                preprocessing={},
                labels=['a/*?"??/\\', "é\n"],
            ),
        )
        generator = np.random.default_rng(1)
        fed, expected = [], []
        for _ in range(CALLS):
            given = [random_values(generator, spec) for spec in runner.inputs]
            fed += [value.tobytes() for value in given]
            made = b"".join(value.tobytes() for value in unpack(runner.invoke(pack(given))))
            expected.append(made * 2)
        ends = [("input", runner.inputs), ("output", runner.outputs)]
        names = [
            (
                kind if len(specs) == 1 else f"{kind}_{i}",
                C_TYPES[spec.dtype],
                np.prod([n or 1 for n in spec.shape]),
            )
            for kind, specs in ends
            for i, spec in enumerate(specs)
        ]
        inputs = [name for name, *_ in names if name.startswith("input")]
        made_of = [name for name, *_ in names if name.startswith("output")]
    main = MAIN.format(
        buffers="\n".join(f"static {kind} {name}[{size}];" for name, kind, size in names),
        names=", ".join(name for name, *_ in names),
        first=inputs[0],
        read="\n        ".join(
            f"if (fread({n}, sizeof {n}, 1, stdin) != 1) return 3;" for n in inputs[1:]
        ),
        write=" ".join(f"fwrite({n}, sizeof {n}, 1, stdout);" for n in made_of),
    )
    for name, text in (("model.h", header), ("model.c", source), ("main.c", main)):
        folder.joinpath(name).write_text(text, encoding="ascii")
    files = [str(folder / name) for name in ("model.c", "main.c")]
    program = str(folder / "program")
    subprocess.run([compiler(), *STRICT, *flags, "-o", program, *files], check=True)
    done = subprocess.run(
        [*emulator, program], input=b"".join(fed), capture_output=True, check=True
    )
    return b"".join(expected), done.stdout
