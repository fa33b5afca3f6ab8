"""What compiles and runs WebAssembly, or why tests that need it are left out."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.deploy.c.header import Interface
from export.deploy.c.package import proof_file
from export.deploy.c.program import Program
from export.deploy.c.proof import provable
from export.deploy.c.steps.weights.packing import PLAIN
from export.deploy.wasm.compiler import build
from export.deploy.wasm.module import module_source, own_bytes
from export.deploy.wasm.package import check_tools, transfer_bytes
from export.deploy.wasm.page import script
from export.runtimes.c import write_tensors
from export.runtimes.litert import LiteRTRunner
from export.runtimes.runner import pack, unpack
from export.runtimes.wasm import WasmRunner, node
from tests.export.deploy.c.files import CALLS, random_values
from train.common.errors import ToolkitError


def need_tools() -> None:
    """Skips a test where there is no compiler or no Node.js, unless they have to be there."""
    try:
        check_tools()
    except ToolkitError as error:
        if "REQUIRE_WASM" in os.environ:
            raise
        pytest.skip(str(error))


def run_script(text: str, folder: Path) -> Any:
    """Returns what a JavaScript module that stands beside `model.mjs` prints, as JSON."""
    command = [node(), "--input-type=module", "-"]
    done = subprocess.run(
        command, input=text, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


MOST_OVER_BYTES = 6_000  # that a page fetches beside the weights, gzipped


def module_outputs(
    path: Path, folder: Path, most_over_bytes: int = MOST_OVER_BYTES
) -> tuple[list[bytes], list[bytes]]:
    """Returns what LiteRT and our module give for random inputs, by call; the module is small."""
    program = Program(path, PLAIN)
    file = proof_file(path, program, folder, provable)
    with LiteRTRunner(file, threads=1, mode="reference") as theirs:
        interface = Interface(
            file="model.tflite",
            inputs=theirs.inputs,
            outputs=theirs.outputs,
            preprocessing={},
            labels=(),
        )
        header, source = module_source(program, interface)
        for name, text in (("model.h", header), ("module.c", source)):
            folder.joinpath(name).write_text(text, encoding="ascii")
        module = build(folder / "module.c")
        sent = transfer_bytes(module.read_bytes(), script(interface))
        assert sent <= own_bytes(program.network) + most_over_bytes
        write_tensors(folder, theirs.inputs, theirs.outputs)
        generator = np.random.default_rng(1)
        made: tuple[list[bytes], list[bytes]] = ([], [])
        with WasmRunner(module, threads=1) as ours:
            for _ in range(CALLS):
                given = pack([random_values(generator, spec) for spec in ours.inputs])
                for found, runner in zip(made, (theirs, ours), strict=True):
                    found.append(b"".join(each.tobytes() for each in unpack(runner.invoke(given))))
    return made
