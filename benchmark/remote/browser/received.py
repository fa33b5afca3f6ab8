"""What a page sends, checked as a stranger's file is: messages, field by field, and outputs."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np

from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.scoring import check_outputs
from benchmark.remote.browser.job import PageRow
from export.runtimes.predict import decode
from train.common.command.terminal import printable
from train.common.errors import ArtifactError
from train.common.files.artifact import new_array
from train.common.files.decode import Array, Between, Decoder
from train.common.files.open import parse_json
from train.common.reference_outputs import ReferenceOutputs

MAX_ROWS = 10_000
MAX_TEXT = 300
DECODER = Decoder(
    remedy="check what opened the page", clean=lambda text: printable(text[:MAX_TEXT])
)
Index = Annotated[int, Between(0, MAX_ROWS)]
Count = Annotated[int, Between(1, 1e9)]
Milliseconds = Annotated[float, Between(0, 1e9)]
Durations = Annotated[np.ndarray, Array("int64", (int,), 1, 10**15, "a list of nanoseconds")]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Hello:
    """A browser that has opened the page.

    Attributes:
        user_agent: how it calls itself.
        isolated: whether the page is isolated from others, so that its clock is a fine one.
        clock_step_us: by how much the clock moves.
        cores: of the device.
        gpu: what WebGPU computes on; None without WebGPU.
    """

    user_agent: str
    isolated: bool
    clock_step_us: Annotated[float, Between(1e-3, 1e6)]
    cores: Annotated[int, Between(1, 4096)]
    gpu: str | None


@dataclass(frozen=True, kw_only=True)
class Said:
    """Something about a row: what is being done with it, or why it cannot be run."""

    row: Index
    text: str


@dataclass(frozen=True, kw_only=True)
class Began(Said):
    """Something is being done with a row, which may take so long."""

    limit_ms: Milliseconds


@dataclass(frozen=True, kw_only=True)
class Scored:
    """All examples went through a row; `timer_ns` is what reading the clock takes."""

    row: Index
    timer_ns: Annotated[float, Between(0, 1e9)]


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Timed calls of a row in a round, and in the first round of a worker what loading took.

    Attributes:
        durations_ns: (readings,) int64, each the mean of `calls` calls.
        probe_ns: a fixed piece of work, timed before and after; the slower.
    """

    durations_ns: Durations
    calls: Count
    warm_up_calls: Count
    stable: bool
    probe_ns: Count
    load_ms: Milliseconds | None = None
    first_inference_us: Milliseconds | None = None
    start_to_first_result_ms: Milliseconds | None = None


@dataclass(frozen=True, kw_only=True)
class RoundOf:
    """One round: a slice of each row, by the row's number in the job."""

    number: Index
    answers: dict[str, Slice]


@dataclass(frozen=True, kw_only=True)
class Broken:
    """The page gave up."""

    text: str


def decoded(kind: type[T], body: bytes) -> T:
    """Returns what a message holds.

    Raises:
        ArtifactError: it is something else.
    """
    try:
        content = parse_json(body)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            f"the page sent garbled JSON ({error}), expected {kind.__name__}; check what opened it"
        ) from error
    return DECODER.decode(kind, content, "the page's message")


def number_in(text: str) -> int | None:
    """Returns the small number that a part of a path is; None if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def chunk_of(kind: str) -> tuple[int, int, str]:
    """Returns the row, the number, and the file's SHA-256, of a message with outputs.

    Raises:
        ArtifactError: it names something else.
    """
    _, *parts = kind.split("/")
    row, number = (number_in(part) for part in (*parts, "", "")[:2])
    if len(parts) != 3 or row is None or number is None:
        raise ArtifactError(
            f"the page sent {kind[:60]!r}, expected outputs/ROW/CHUNK/SHA256; check what opened it"
        )
    return row, number, parts[2]


class Outputs:
    """The outputs of rows of which some chunks are still to come."""

    def __init__(self, raw: PartialResults, reference: ReferenceOutputs) -> None:
        self._raw = raw
        self._reference = reference
        self._files: dict[str, list[np.memmap[Any, Any]]] = {}
        self._chunks: dict[str, set[int]] = {}

    def forget(self) -> None:
        """Forgets rows that are not complete, for a page that begins anew."""
        self._files.clear()
        self._chunks.clear()

    def add(self, row: PageRow, number: int, sha256: str, body: bytes) -> None:
        """Takes a chunk.

        Args:
            row: the row.
            number: of the chunk, from 0.
            sha256: of the file that gave them, in hexadecimal.
            body: the stored values, all calls of the first output first.

        Raises:
            ArtifactError: they are of another file, or of another size.
        """
        key, manifest = row.variant.key, row.manifest
        if sha256 != manifest.sha256:
            raise ArtifactError(
                f"{row.variant.name}: got outputs of another file, SHA-256 {sha256[:12]}…, "
                f"expected {manifest.sha256[:12]}…; run it again"
            )
        calls = row.chunk_calls(number)
        sizes = [calls * math.prod(row.outputs[spec.name]) for spec in manifest.outputs]
        dtypes = [np.dtype(spec.dtype) for spec in manifest.outputs]
        expected = sum(size * dtype.itemsize for size, dtype in zip(sizes, dtypes, strict=True))
        if not calls or len(body) != expected:
            raise ArtifactError(
                f"{row.variant.name}: got {len(body)} bytes as outputs {number}, expected "
                f"{expected}; run it again"
            )
        if key not in self._files:
            scratch = self._raw.scratch(key)
            self._files[key] = [
                new_array(scratch / f"{place}.npy", self._reference.outputs[spec.name].shape)
                for place, spec in enumerate(manifest.outputs)
            ]
        self._chunks.setdefault(key, set()).add(number)
        offset, start = 0, number * row.chunk * row.batch
        for spec, size, dtype, file in zip(
            manifest.outputs, sizes, dtypes, self._files[key], strict=True
        ):
            stored = np.frombuffer(body, dtype, size, offset)
            values = decode(stored, spec).reshape(-1, *file.shape[1:])
            file[start : start + len(values)] = values[: len(file) - start]
            offset += stored.nbytes

    def keep(self, row: PageRow, scalars: dict[str, Any]) -> None:
        """Keeps a row of which all outputs came, with what else there is to say of it.

        Raises:
            ArtifactError: some did not come, or they have other shapes than the Keras model's.
        """
        key, chunks = row.variant.key, -(-row.calls // row.chunk)
        found = len(self._chunks.get(key, ()))
        if found != chunks:
            raise ArtifactError(
                f"{row.variant.name}: got {found} chunks of outputs, expected {chunks}; run it "
                "again"
            )
        files = self._files.pop(key)
        paths = [Path(str(file.filename)) for file in files]
        del files  # written when they are closed
        names = [spec.name for spec in row.manifest.outputs]
        check_outputs(dict(zip(names, paths, strict=True)), self._reference)
        self._raw.add_row(key, {"outputs": names, **scalars}, paths[0].parent)
