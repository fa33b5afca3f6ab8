"""Outputs that come back in chunks, checked, and kept as a row's once all are there."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.scoring import check_outputs
from benchmark.remote.browser.job import PageRow
from export.runtimes.predict import decode
from train.common.errors import ArtifactError
from train.common.files.artifact import new_array
from train.common.reference_outputs import ReferenceOutputs


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
