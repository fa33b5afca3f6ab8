"""The program computes LiteRT's bytes, whatever the operators, and no sanitizer complains."""

import copy
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from export.convert.tflite.file.builder import pack, unpack
from export.deploy.c.host import compiler
from export.deploy.c.program import Program
from export.deploy.c.proof import provable
from export.runtimes.litert import LiteRTRunner
from export.runtimes.runner import unpack as unpack_values
from tests.export.deploy.c.files import (
    FAST,
    SANITIZED,
    cpu_has,
    outputs,
    program_of,
    write,
)
from tests.export.deploy.c.models import MODELS
from tests.export.deploy.wasm.tools import MOST_OVER_BYTES, module_outputs, need_tools
from train.common.errors import ArtifactError

pytestmark = pytest.mark.slow
LARGER = (1, 30, 300)  # by channel
ELU = 111  # TFLite's number of it, which takes the place of a ReLU


@pytest.fixture(scope="module", params=list(MODELS))
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(request.param) / f"{request.param}.tflite"
    return write(MODELS[request.param](), path)


HOSTS = {
    "checked": SANITIZED,
    "checked-native": (*SANITIZED, "-march=native"),
    "fast": FAST,
    **({"avx2": ("-O3", "-march=haswell")} if cpu_has("avx2") else {}),
}


@pytest.mark.parametrize("flags", HOSTS.values(), ids=HOSTS)
def test_every_output_byte_is_that_of_the_reference_kernels(
    file: Path, flags: tuple[str, ...], tmp_path: Path
) -> None:
    expected, found = outputs(file, tmp_path, flags)
    assert found == expected


def test_webassembly_computes_the_same_bytes_in_few_beside_the_weights(
    file: Path, tmp_path: Path
) -> None:
    need_tools()
    # steps that are unrolled have tables of their own, each
    most = 2 * MOST_OVER_BYTES if file.stem == "steps" else MOST_OVER_BYTES
    expected, found = module_outputs(file, tmp_path, most)
    assert found == expected


def test_the_arena_is_hardly_more_than_what_lives_at_once(file: Path) -> None:
    plan = program_of(file).plan
    assert plan.live_bytes <= plan.arena_bytes <= 1.05 * plan.live_bytes


@pytest.mark.skipif(
    not (shutil.which("aarch64-linux-gnu-gcc") and shutil.which("qemu-aarch64")),
    reason="apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user",
)
@pytest.mark.parametrize("core", ["armv8-a", "armv8.2-a+dotprod"])
@pytest.mark.parametrize("name", ["dense", "tiles"])
def test_64_bit_arm_computes_the_same_bytes(
    name: str, core: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(MODELS[name](), tmp_path / "model.tflite")
    monkeypatch.setenv("CC", "aarch64-linux-gnu-gcc")
    flags = ("-O2", "-static", f"-march={core}")
    expected, found = outputs(path, tmp_path, flags, ("qemu-aarch64", "-cpu", "max"))
    assert found == expected


def test_every_loop_rounds_as_tflm_does_if_told_so(file: Path, tmp_path: Path) -> None:
    plain, own = (outputs(file, tmp_path, (*f, "-DMODEL_LIKE_TFLM"))[1] for f in (("-O1",), FAST))
    assert own == plain


def test_an_operator_without_a_reference_kernel_is_proven_as_a_look_up(tmp_path: Path) -> None:
    value = keras.Input((256,), batch_size=1)
    path = write(keras.Model(value, keras.layers.ReLU()(value)), tmp_path / "elu.tflite")
    tree = unpack(path.read_bytes())
    (code,) = tree.operatorCodes
    code.builtinCode, code.deprecatedBuiltinCode, code.version = ELU, ELU, 1
    path.write_bytes(pack(tree, path.stat().st_size))
    every = np.arange(-128, 128).astype(np.int8).reshape(1, 256)
    with LiteRTRunner(path, threads=1, mode="builtin") as runner:
        (expected,) = unpack_values(runner.invoke(every))
    program = program_of(path)
    assert list(program.network.unproven) == [0]
    proof = tmp_path / "proof.tflite"
    proof.write_bytes(provable(path.read_bytes(), program.network.unproven))
    with LiteRTRunner(proof, threads=1, mode="reference") as runner:
        np.testing.assert_array_equal(unpack_values(runner.invoke(every))[0], expected)
    wanted, found = outputs(path, tmp_path, ("-O1",))
    assert found == wanted


def test_inputs_of_unsigned_bytes(tmp_path: Path) -> None:
    path = write(MODELS["dense"](), tmp_path / "bytes.tflite", tf.uint8)
    expected, found = outputs(path, tmp_path, ("-O2",))
    assert found == expected
    if shutil.which("g++"):
        user = tmp_path / "user.cc"
        user.write_text('#include "model.h"\nconst char* names[] = MODEL_CLASS_NAMES;\n')
        subprocess.run(["g++", "-Wall", "-Werror", "-c", user, "-o", "/dev/null"], check=True)


def test_it_needs_no_library_and_has_no_variables_but_the_arena(tmp_path: Path) -> None:
    path = write(MODELS["convolutions"](), tmp_path / "model.tflite")
    outputs(path, tmp_path, ("-O2",))
    compiled = str(tmp_path / "model.o")
    command = [compiler(), "-std=c99", "-ffreestanding", "-fno-pic", "-Os", "-c"]
    subprocess.run([*command, "-o", compiled, str(tmp_path / "model.c")], check=True)
    listed = subprocess.run(["nm", compiled], capture_output=True, check=True, text=True).stdout
    symbols = [line.split()[-2:] for line in listed.splitlines()]
    assert {name for kind, name in symbols if kind == "U"} <= {"memcpy", "memset"}
    assert [name.split(".")[0] for kind, name in symbols if kind in "bBdDC"] == ["arena"]


def changed(path: Path, change: Callable[[Any], None]) -> Path:
    """Writes a file over, changed in its first graph."""
    content = path.read_bytes()
    tree = unpack(content)
    change(tree.subgraphs[0])
    path.write_bytes(pack(tree, len(content)))
    return path


@pytest.mark.parametrize("name", ["tiles", "dense"])
def test_webassembly_shifts_sums_to_the_left_too_where_factors_are_large(
    name: str, tmp_path: Path
) -> None:
    need_tools()

    def larger(graph: Any) -> None:
        for tensor in graph.tensors:
            scale = tensor.quantization and tensor.quantization.scale
            if scale is not None and len(scale) > 1:
                tensor.quantization.scale = (scale * np.resize(LARGER, len(scale))).astype("f4")

    path = changed(write(MODELS[name](), tmp_path / "larger.tflite"), larger)
    expected, found = module_outputs(path, tmp_path)
    assert found == expected
    assert re.search(r"&to, [01], 1\);", (tmp_path / "module.c").read_text())


def test_an_input_that_nothing_reads_warns_no_compiler(tmp_path: Path) -> None:
    def unread(graph: Any) -> None:
        tensor = copy.copy(graph.tensors[graph.inputs[0]])
        tensor.name = b"unread"
        graph.tensors.append(tensor)
        graph.inputs = [*graph.inputs, len(graph.tensors) - 1]

    path = changed(write(MODELS["resized"](), tmp_path / "unread.tflite"), unread)
    expected, found = outputs(path, tmp_path, ("-O2",))
    assert found == expected


def test_what_no_kernel_computes_is_named(tmp_path: Path) -> None:
    path = write(MODELS["resized"](), tmp_path / "model.tflite")
    content = path.read_bytes()

    def tanh(graph: Any) -> None:
        graph.operators[0].builtinOptions.fusedActivationFunction = 4

    def constant(graph: Any) -> None:
        graph.outputs = [int(graph.operators[0].inputs[1])]

    def smaller(graph: Any) -> None:
        graph.tensors[graph.operators[0].outputs[0]].shape = [1, 2, 2, 4]

    for change, said in (
        (tanh, "fused activation 4"),
        (constant, "that is a constant"),
        (smaller, r"of shape \(1, 2, 2, 4\), expected \(1, 6, 5, 4\)"),
    ):
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match=said):
            Program(changed(path, change))
