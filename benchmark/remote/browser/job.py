"""What the page is to do: the rows, their inputs, and in which order they are timed."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmark.measure.settings import MeasureSettings
from benchmark.measure.variants import Variant
from export.formats.packages import WASM
from export.manifest import Manifest
from export.runtimes.predict import clipped, encode_all, range_use
from export.runtimes.runner import unpack
from train.common.preprocessing import preprocess
from train.common.reference_outputs import ReferenceOutputs
from train.common.tensors import TensorSpec

# What runs a file in a browser, by what runs it here: a file of this name in page/runtimes/.
RUNTIMES = {"litert": "litertjs", "onnxruntime": "onnxruntime-web", WASM: WASM}
CHUNK_CALLS, CHUNK_BYTES = 1_000, 8 << 20
GROUP_BYTES = 256 << 20  # of files that are loaded at the same time
STEPS = 100  # of the clock in a reading, so that it is 1 % of it
FIRST_WARM_UP_MS, WARM_UP_MS = 500, 60
LOAD_S, CALL_S = 600.0, 30.0


@dataclass(frozen=True, kw_only=True)
class PageRow:
    """A row that the page runs.

    Attributes:
        variant: of this machine's file, in the browser.
        manifest: what is recorded of the file.
        batch: of a call.
        calls: that all examples take.
        chunk: how many of them inputs are sent for at a time.
        inputs, outputs: shapes of a call, by name.
        inputs_set: the same for rows with the same inputs.
    """

    variant: Variant
    manifest: Manifest
    batch: int
    calls: int
    chunk: int
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    inputs_set: int

    def as_json(self, *, score: bool) -> dict[str, Any]:
        """Returns what the page is told of it."""
        return {
            "name": self.variant.name,
            "runtime": self.variant.runtime,
            "sha256": self.manifest.sha256,
            "inputs": [tensor(spec, self.inputs) for spec in self.manifest.inputs],
            "outputs": [tensor(spec, self.outputs) for spec in self.manifest.outputs],
            "inputs_set": self.inputs_set,
            "calls": self.calls,
            "chunk": self.chunk,
            "score": score,
        }

    def chunk_calls(self, number: int) -> int:
        """Returns how many calls a chunk has; 0 if there is none of that number."""
        return max(0, min(self.chunk, self.calls - number * self.chunk))


def tensor(spec: TensorSpec, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Returns a tensor of a call as the page is told of it."""
    shape = shapes[spec.name]
    size = int(np.prod(shape)) * np.dtype(spec.dtype).itemsize
    return {"name": spec.name, "dtype": spec.dtype, "shape": list(shape), "bytes": size}


class PageRows:
    """The rows of a browser, and the inputs of their files."""

    def __init__(
        self,
        variants: Sequence[Variant],
        raw: Mapping[str, np.ndarray],
        reference: ReferenceOutputs,
        *,
        browser: str,
        accelerator: str,
    ) -> None:
        """Makes a row of every sound file that a runtime of browsers is for.

        Args:
            variants: this machine's rows.
            raw: the test data, (N, …) by the input's name.
            reference: the Keras model's outputs on it.
            browser: its name.
            accelerator: `wasm` or `webgpu`.
        """
        self._raw, self._total = raw, len(reference)
        self._sets: dict[str, int] = {}
        self.rows: list[PageRow] = []
        for variant in variants:
            manifest = variant.manifest
            new = all(manifest is not row.manifest for row in self.rows)
            if manifest is None or variant.problem or variant.runtime not in RUNTIMES or not new:
                continue
            if variant.runtime == WASM and accelerator != WASM:
                continue
            there = Variant(
                format=variant.format,
                runtime=RUNTIMES[variant.runtime],
                mode=accelerator,
                threads=1,
                manifest=manifest,
                path=variant.path,
                browser=browser,
            )
            self.rows.append(self._row(there, manifest, reference))

    def _row(self, variant: Variant, manifest: Manifest, reference: ReferenceOutputs) -> PageRow:
        batch = manifest.inputs[0].shape[0] or 1
        first = self._encoded(manifest, 0, batch)
        size = sum(values.nbytes for values in first.values())
        key = json.dumps(
            [
                {n: asdict(p) for n, p in manifest.preprocessing.items()},
                [asdict(spec) for spec in manifest.inputs],
            ]
        )
        return PageRow(
            variant=variant,
            manifest=manifest,
            batch=batch,
            calls=-(-self._total // batch),
            chunk=max(1, min(CHUNK_CALLS, CHUNK_BYTES // max(1, size))),
            inputs={name: values.shape[1:] for name, values in first.items()},
            outputs={
                name: (batch, *values.shape[1:]) for name, values in reference.outputs.items()
            },
            inputs_set=self._sets.setdefault(key, len(self._sets)),
        )

    def inputs(self, inputs_set: int, number: int) -> bytes | None:
        """Returns a chunk of inputs, all calls of the first input first; None if there is none."""
        row = next((row for row in self.rows if row.inputs_set == inputs_set), None)
        if row is None or not row.chunk_calls(number):
            return None
        start = number * row.chunk * row.batch
        found = self._encoded(row.manifest, start, start + row.chunk * row.batch)
        return b"".join(values.tobytes() for values in found.values())

    def clipping(self, row: PageRow) -> dict[str, float]:
        """Returns the share of inputs that a file clips, and how much of its range they use."""
        quantized = [spec for spec in row.manifest.inputs if spec.scale is not None]
        lost, total, used = 0, 0, 0.0 if quantized else 1.0
        for start in range(0, self._total if quantized else 0, CHUNK_CALLS):
            values = self._preprocessed(row.manifest, start, start + CHUNK_CALLS)
            for spec in quantized:
                lost += clipped(values[spec.name], spec)
                total += values[spec.name].size
                used = max(used, range_use(values[spec.name], spec))
        return {"clipped_share": lost / max(1, total), "input_range_use": used}

    def _preprocessed(self, manifest: Manifest, start: int, stop: int) -> dict[str, np.ndarray]:
        raw = {name: np.asarray(values[start:stop]) for name, values in self._raw.items()}
        return preprocess(raw, manifest.preprocessing)

    def _encoded(self, manifest: Manifest, start: int, stop: int) -> dict[str, np.ndarray]:
        """Returns examples as the file takes them, (calls, batch, …) by name."""
        values = self._preprocessed(manifest, start, stop)
        stored = unpack(encode_all(values, manifest.inputs))
        return {spec.name: v for spec, v in zip(manifest.inputs, stored, strict=True)}


def job_of(
    rows: Sequence[PageRow],
    settings: MeasureSettings,
    *,
    accelerator: str,
    together: int,
    left: Collection[int],
    unscored: Collection[int],
    done: Collection[int],
) -> dict[str, Any]:
    """Returns what the page is to do, a JSON object.

    Args:
        rows: all of them.
        settings: how they are timed.
        accelerator: `wasm` or `webgpu`.
        together: how many rows are loaded at the same time, at most.
        left: the numbers of the rows that can be run.
        unscored: of those whose outputs are still wanted.
        done: the numbers of the rounds that are finished.
    """
    rounds, launches = settings.rounds, settings.launches
    groups: list[dict[str, Any]] = []
    for number, members in enumerate(grouped(rows, together)):
        group, found = [index for index in members if index in left], []
        for launch in range(launches):
            low, high = (end * rounds // launches for end in (launch, launch + 1))
            numbers = [number * rounds + turn for turn in range(low, high)]
            numbers = [turn for turn in numbers if turn not in done]
            scores = launch == 0 and any(index in unscored for index in group)
            if numbers or scores:
                orders = [{"number": turn, "order": shuffled(group, turn)} for turn in numbers]
                found.append({"first": launch == 0, "rounds": orders})
        groups.append({"rows": group, "launches": found})
    load_s, call_s = (settings.timeout_s or least for least in (LOAD_S, CALL_S))
    return {
        "rows": [row.as_json(score=index in unscored) for index, row in enumerate(rows)],
        "groups": groups,
        "accelerator": accelerator,
        "timing": {
            "readings": -(-settings.samples // rounds),
            "first_warm_up_ms": FIRST_WARM_UP_MS,
            "warm_up_ms": WARM_UP_MS,
            "limit_ms": settings.max_seconds * 1e3 / rounds,
            "steps": STEPS,
        },
        "load_ms": load_s * 1e3,
        "call_ms": call_s * 1e3,
    }


def grouped(rows: Sequence[PageRow], together: int) -> list[list[int]]:
    """Returns the rows in groups that a browser's memory holds together, so many at most."""
    groups: list[list[int]] = []
    size = 0
    for index, row in enumerate(rows):
        own = row.manifest.size_bytes
        if not groups or len(groups[-1]) == together or size + own > GROUP_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(index)
        size += own
    return groups


def shuffled(group: Sequence[int], number: int) -> list[int]:
    """Returns rows in an order of this round's own, the same whenever it is asked for."""
    return [group[i] for i in np.random.RandomState(number).permutation(len(group))]


def first_round(browser: str, accelerator: str) -> int:
    """Returns the number from which a browser's rounds are kept, no other's and no machine's."""
    digest = hashlib.sha256(f"{browser} {accelerator}".encode()).digest()
    return (1 + int.from_bytes(digest[:3], "big")) * 100_000


def steps_of(job: Mapping[str, Any]) -> int:
    """Returns how many things the page says that it begins, if all goes well."""
    rows = job["rows"]
    chunks = sum(-(-row["calls"] // row["chunk"]) for row in rows if row["score"])
    launches = [(launch, group["rows"]) for group in job["groups"] for launch in group["launches"]]
    each = sum((1 + len(launch["rounds"])) * len(group) for launch, group in launches)
    return max(1, int(chunks + each))
