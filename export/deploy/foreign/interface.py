"""What a stranger's file is: looked at, then loaded once in a process of its own, never executed.

A `.tflite` or `.onnx` file holds no code but the names of operators; one that names operators of
others is refused, so that no runtime looks for a library to load.
"""

import gzip
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.deploy.foreign import probe
from export.formats.table import RUNTIMES, Family, Runtime
from export.verify.graph.contents import Graph
from export.verify.graph.read import read_graph
from train.common.environment import ROOT
from train.common.errors import ArtifactError, reason_and_remedy
from train.common.files.decode import Decoder
from train.common.files.open import read_bounded
from train.common.tensors import TensorSpec

MAX_BYTES = 2**31 - 1  # of a flatbuffer, and of a message of protobuf's
LOAD_S = 600.0
NAMES: dict[Runtime, str] = {"litert": "LiteRT", "onnxruntime": "ONNX Runtime"}
ANOTHER = "give another file"


@dataclass(frozen=True, kw_only=True)
class ForeignFile:
    """A file that a runtime loads.

    Attributes:
        path: where it is.
        runtime: what runs it.
        sha256, size_bytes, gzip_bytes: of its bytes.
        inputs, outputs: as the runtime sees them.
        graph: its operators.
    """

    path: Path
    runtime: Runtime
    sha256: str
    size_bytes: int
    gzip_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    graph: Graph


@dataclass(frozen=True, kw_only=True)
class _Ends:
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def read_foreign(path: Path, families: tuple[Family, ...] = ("tflite", "onnx")) -> ForeignFile:
    """Returns what is to be known of a file before it is run.

    Args:
        path: the file; its suffix says what it is.
        families: what it may be.

    Raises:
        ArtifactError: it is not there, no model, or needs operators that its runtime lacks.
    """
    family = next((each for each in families if path.suffix.lower() == f".{each}"), None)
    if family is None:
        kinds = " or ".join(f".{each}" for each in families)
        raise ArtifactError(f"{path}: got a file of another kind, expected {kinds}; {ANOTHER}")
    try:
        content = read_bounded(path, MAX_BYTES)
    except OSError as error:
        reason, remedy = reason_and_remedy(error, ANOTHER)
        raise ArtifactError(f"{path}: {reason}; {remedy}") from error
    runtime = RUNTIMES[family]
    try:
        graph = read_graph(path)
    except ArtifactError as error:
        raise ArtifactError(f"{error}; {ANOTHER}") from error
    if graph.foreign_operators:
        raise _lacking(path, runtime, *dict.fromkeys(graph.foreign_operators))
    ends = _probe(path, runtime)
    if not ends.inputs or not ends.outputs:
        raise ArtifactError(
            f"{path}: got {len(ends.inputs)} inputs and {len(ends.outputs)} outputs, expected one "
            f"of each at least; {ANOTHER}"
        )
    return ForeignFile(
        path=path,
        runtime=runtime,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        gzip_bytes=len(gzip.compress(content, mtime=0)),
        inputs=ends.inputs,
        outputs=ends.outputs,
        graph=graph,
    )


def _probe(path: Path, runtime: Runtime) -> _Ends:
    search_path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        done = subprocess.run(
            [sys.executable, "-m", probe.__name__, runtime, path.resolve()],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(search_path)},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=LOAD_S,
            check=False,
        )
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(
            f"{path}: {NAMES[runtime]} takes more than {LOAD_S:.0f} s to load it; {ANOTHER}"
        ) from error
    except (IndexError, ValueError) as error:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise ArtifactError(
            f"{path}: {NAMES[runtime]} crashes when it loads it "
            f"({lines[-1] if lines else f'exit code {done.returncode}'}); {ANOTHER}"
        ) from error
    if said.get("operator"):
        raise _lacking(path, runtime, said["operator"])
    if "error" in said:
        raise ArtifactError(f"{said['error']}; {ANOTHER}")
    return Decoder(remedy=ANOTHER).decode(_Ends, said, str(path))


def _lacking(path: Path, runtime: Runtime, *operators: str) -> ArtifactError:
    return ArtifactError(
        f"{path} needs {', '.join(operators)}, expected operators that {NAMES[runtime]} has; give "
        "a file without them, or run it where its own runtime is"
    )
