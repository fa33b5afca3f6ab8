"""The program computes LiteRT's bytes, whatever the operators, and no sanitizer complains."""

import shutil
import subprocess
from pathlib import Path

import pytest
import tensorflow as tf

from export.deploy.c.host import compiler
from tests.export.deploy.c.files import MODELS, SANITIZED, outputs, program_of, write

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=list(MODELS))
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(request.param) / f"{request.param}.tflite"
    return write(MODELS[request.param](), path)


@pytest.mark.parametrize("flags", [SANITIZED, ("-O3", "-march=native")], ids=["checked", "fast"])
def test_every_output_byte_is_that_of_the_reference_kernels(
    file: Path, flags: tuple[str, ...], tmp_path: Path
) -> None:
    expected, found = outputs(file, tmp_path, flags)
    assert found == expected


def test_the_arena_is_hardly_more_than_what_lives_at_once(file: Path) -> None:
    plan = program_of(file).plan
    assert plan.live_bytes <= plan.arena_bytes <= 1.05 * plan.live_bytes


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
