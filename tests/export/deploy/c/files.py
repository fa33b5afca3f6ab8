"""Small integer files of many operators, and their programs run by a C `main` of our own."""

import math
import subprocess
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

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


def dense() -> keras.Model:
    image = keras.Input((28, 28), batch_size=1)
    x = layers.Flatten()(image)
    x = layers.Dense(33, "relu")(x)
    x = layers.Dense(17, "tanh")(layers.Reshape((3, 11))(x))
    x = layers.Dense(6, "relu6")(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(10, "softmax")(x))


def convolutions() -> keras.Model:
    image = keras.Input((15, 16, 3), batch_size=1)
    x = layers.Conv2D(8, 3, padding="same", activation="relu6")(image)
    x = layers.Conv2D(10, (2, 3), strides=2, padding="same")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = layers.Conv2D(16, 1)(x)
    x = layers.Conv2D(8, 3, groups=2, padding="same")(x)
    x = layers.Conv2D(8, 3, dilation_rate=2, padding="same")(x)
    x = layers.MaxPooling2D(padding="same")(x)
    x = layers.Conv2DTranspose(5, 3, strides=2, padding="same")(x)
    x = layers.Conv2DTranspose(4, 4, strides=3)(x)
    x = layers.AveragePooling2D(3, 2, "same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(5, "sigmoid")(x))


def tiles() -> keras.Model:
    """Channels and windows that leave all the remainders of many positions at once."""
    image = keras.Input((11, 9, 3), batch_size=1)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Conv2D(21, 1, activation="relu")(x)
    x = layers.DepthwiseConv2D(5, padding="same", activation="relu")(x)
    x = layers.Conv2D(36, 1)(x)
    x = layers.DepthwiseConv2D(3, dilation_rate=2, padding="same", activation="relu6")(x)
    x = layers.Conv2D(140, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.DepthwiseConv2D((2, 4), padding="same")(x)
    x = layers.Conv2D(10, (5, 4), padding="same", activation="relu")(x)
    x = layers.Conv2D(19, 3, padding="same")(x)
    x = layers.Dense(18)(layers.Dense(20, "relu")(x))
    return keras.Model(image, layers.Conv2D(2, (2, 2))(x))


def columns() -> keras.Model:
    """Depthwise windows of 16 channels and more, in steps of one and of two, over few columns."""
    image = keras.Input((13, 12, 1), batch_size=1)
    x = layers.Conv2D(17, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    x = layers.Conv2D(51, 1, activation="relu6")(x)
    x = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
    x = layers.Conv2D(32, (1, 2), padding="same", activation="relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", dilation_rate=(2, 1))(x)
    x = layers.DepthwiseConv2D(3, activation="relu")(x)
    return keras.Model(image, layers.GlobalAveragePooling2D()(x))


class Reshaped(layers.Layer):
    """Another shape, the batch with it, as for what TimeDistributed applies to several pictures."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return tf.reshape(x, self.shape)


def pictures() -> keras.Model:
    given = keras.Input((3, 8, 7, 2), batch_size=1)
    x = Reshaped((3, 8, 7, 2))(given)
    x = layers.Conv2D(6, 3, padding="same", activation="relu")(x)
    x = layers.DepthwiseConv2D(3)(layers.Conv2D(20, 1)(x))
    x = layers.MaxPooling2D(2, 1)(layers.Conv2DTranspose(4, 2, strides=2)(x))
    x = layers.AveragePooling2D(2)(layers.UpSampling2D(2, interpolation="bilinear")(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(given, layers.Dense(5)(Reshaped((1, 12))(x)))


def branches() -> keras.Model:
    image = keras.Input((12, 12, 4), batch_size=1)
    a = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    b = layers.Conv2D(8, 3, padding="same")(image)
    x = layers.Subtract()([layers.Multiply()([layers.Add()([a, b]), a]), b])
    x = layers.Concatenate()([x, a, b])
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Multiply()([x, layers.Conv2D(24, 1, activation="sigmoid")(gate)])
    x = layers.Activation("hard_silu")(x)
    x = layers.Cropping2D(2)(layers.ZeroPadding2D(((1, 2), (0, 1)))(x))
    x = layers.Maximum()([x, layers.LeakyReLU()(x)])
    x = layers.Permute((2, 1, 3))(x)
    x = layers.GlobalMaxPooling2D()(x)
    return keras.Model(image, [layers.Dense(3)(x), layers.Softmax()(layers.Dense(7)(x))])


def resized() -> keras.Model:
    image = keras.Input((6, 5, 3), batch_size=1)
    x = layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(4, 3, padding="same")(image))
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.Resizing(7, 13)(x)
    return keras.Model(image, layers.Conv2D(2, 1)(x))


class Products(layers.Layer):
    """Products of matrices as they are, one turned, both turned, and one for all."""

    def call(self, x: keras.KerasTensor, z: keras.KerasTensor) -> list[keras.KerasTensor]:
        turned = tf.linalg.matmul(x, z, transpose_b=True)
        return [
            turned,
            tf.linalg.matmul(turned, z),
            tf.linalg.matmul(x, z, transpose_a=True),
            tf.linalg.matmul(x, z[:, :1], transpose_b=True),
        ]


class Masked(layers.Layer):
    """What no later place sees, as a causal mask has it, for each of several heads."""

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return tf.where(np.tri(5, dtype=bool)[np.newaxis, np.newaxis], x, -2.0)


class Difference(layers.Layer):
    """The squares of differences."""

    def call(self, x: keras.KerasTensor, z: keras.KerasTensor) -> keras.KerasTensor:
        return tf.math.squared_difference(x, z)


def products() -> keras.Model:
    x, z = (keras.Input((3, 5, 7), name=name, batch_size=1) for name in "xz")
    relu = layers.ReLU()(z)
    mean = layers.GlobalAveragePooling2D(keepdims=True)(relu)
    differences = [Difference()(x, z), Difference()(x, mean)]
    first, *others = Products()(x, relu)
    return keras.Model([x, z], [Masked()(first), first, *others, *differences])


def steps() -> keras.Model:
    rows = keras.Input((6, 5), batch_size=1)
    x = layers.Conv1D(8, 3, padding="causal", activation="relu")(rows)
    lstm, gru = layers.LSTM(5, unroll=True), layers.GRU(4, unroll=True)
    for layer in (lstm, gru):
        layer.cell.implementation = 1  # else TFLite leaves a SPLIT in float in some processes
    return keras.Model(rows, layers.Dense(4)(layers.Concatenate()([lstm(x), gru(rows)])))


def two() -> keras.Model:
    first, second = (keras.Input((n,), name=f"in{n}", batch_size=1) for n in (4, 3))
    x = layers.Dense(6, "gelu")(layers.Concatenate()([first, second]))
    return keras.Model([first, second], [x, layers.Dense(2, "silu")(x)])


def passed_on() -> keras.Model:
    image = keras.Input((4, 4, 2), batch_size=1)
    return keras.Model(image, [layers.Reshape((32,))(image), layers.ReLU()(image)])


MODELS: dict[str, Callable[[], keras.Model]] = {
    each.__name__: each
    for each in (
        dense,
        convolutions,
        tiles,
        columns,
        pictures,
        products,
        branches,
        resized,
        steps,
        two,
        passed_on,
    )
}


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
