"""Weights that take fewer bytes: which they are, and that outputs are LiteRT's all the same."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from export.deploy.c.steps.weights.packing import SIZE, SPEED, pack
from tests.export.deploy.c.files import SANITIZED, outputs, program_of, write
from tests.export.deploy.wasm.tools import module_outputs, need_tools

RANDOM = np.random.default_rng(7)
VALUES = {
    1: [-127, 127],
    2: [-127, -3, 9, 127],
    4: [*range(-119, 128, 17), 127],
    8: [*range(-127, 128)],
}


def drawn(bits: int, zeros: float, shape: tuple[int, ...]) -> np.ndarray:
    """Returns weights of some values, 127 in each row, and some zeros."""
    found = RANDOM.choice(VALUES[bits], shape)
    found[RANDOM.random(shape) < zeros] = 0
    found[..., 0] = 127
    return found.astype(np.int8)


@pytest.mark.parametrize(
    ("bits", "zeros", "optimize", "kernel"),
    [
        (1, 0.0, SIZE, "indexed:1"),
        (2, 0.0, SIZE, "indexed:2"),
        (4, 0.0, SIZE, "indexed:4"),
        (8, 0.0, SIZE, None),
        (8, 0.6, SIZE, "sparse:8"),
        (4, 0.8, SIZE, "sparse:4"),
        (4, 0.6, SPEED, None),  # takes more instructions than it saves
        (8, 0.97, SPEED, "sparse:8"),
    ],
)
def test_what_is_chosen_is_the_smallest_or_the_fastest(
    bits: int, zeros: float, optimize: str, kernel: str | None
) -> None:
    found = pack(drawn(bits, zeros, (40, 100)), optimize)
    assert (None if found is None else found.kernel) == kernel


def test_a_few_weights_are_not_worth_a_kernel() -> None:
    assert pack(drawn(4, 0.0, (4, 100)), SIZE) is None


def network(bits: int, zeros: float) -> keras.Model:
    """Returns layers of every kind that is packed, with numbers of inputs that fill no byte."""
    image = keras.Input((7, 7, 13), batch_size=1)
    x = layers.Conv2D(19, 3, padding="same")(image)
    x = layers.Conv2D(37, 1, activation="relu")(x)
    x = layers.Conv2DTranspose(11, 3, strides=2)(x)
    model = keras.Model(image, layers.Dense(5)(layers.Flatten()(layers.MaxPooling2D(3)(x))))
    for layer in model.layers:
        if not layer.weights:
            continue
        last = -2 if isinstance(layer, layers.Conv2DTranspose) else -1  # the axis of outputs
        shape = np.moveaxis(layer.kernel.numpy(), last, 0).shape
        rows = drawn(bits, zeros, (shape[0], int(np.prod(shape[1:])))).reshape(shape)
        layer.kernel.assign(np.moveaxis(rows, 0, last) / 400)
    return model


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bits", "zeros", "kind"),
    [
        *((1, 0.0, "indexed_1"), (2, 0.0, "indexed_2"), (4, 0.0, "indexed_4")),
        *((1, 0.9, "sparse_1"), (2, 0.8, "sparse_2"), (4, 0.7, "sparse_4"), (8, 0.6, "sparse_8")),
    ],
)
@pytest.mark.parametrize(
    "flags", [SANITIZED, ("-O2", "-DMODEL_PORTABLE")], ids=["checked", "portable"]
)
def test_every_output_byte_is_that_of_the_reference_kernels(
    bits: int, zeros: float, kind: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    path = write(network(bits, zeros), tmp_path / "model.tflite")
    found = {kernel for step in program_of(path).steps for kernel in step.kernels}
    assert {f"conv:_{kind}", f"conv_transposed:_{kind}", kind.replace("_", ":")} <= found
    expected, made = outputs(path, tmp_path, flags)
    assert made == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bits", "zeros", "kind"), [(4, 0.0, "4u, 0"), (4, 0.7, "4u, 1"), (8, 0.6, "8u, 1")]
)
def test_a_webassembly_module_unpacks_what_gzip_makes_less_of(
    bits: int, zeros: float, kind: str, tmp_path: Path
) -> None:
    need_tools()
    expected, made = module_outputs(write(network(bits, zeros), tmp_path / "file"), tmp_path)
    assert made == expected
    assert f"layer_0_weights_packed, {kind});" in (tmp_path / "module.c").read_text()
