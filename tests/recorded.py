"""The content of small results files, as `python -m benchmark` writes them."""

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.results.read import RecordedRun, read_run

IMAGES = 1_000
CLASSES = 10
LABELS = [index % CLASSES for index in range(IMAGES)]
ROUNDS, LAUNCHES = 20, 4
Content = dict[str, Any]


def predictions(wrong: Sequence[int]) -> list[int]:
    """The label of each image, but the class after it for the images listed."""
    missed = set(wrong)
    return [(label + (index in missed)) % CLASSES for index, label in enumerate(LABELS)]


def row(name: str, p50_us: float = 10.0, wrong: Sequence[int] = range(100)) -> Content:
    """A row that passes; its launches differ by 1 %, its rounds by a little more."""
    launch = np.repeat([0.99, 1.0, 1.0, 1.01], ROUNDS // LAUNCHES)
    rounds = p50_us * launch * (1 + np.arange(ROUNDS) % 5 * 0.001)
    return {
        "name": name,
        "size_bytes": 1_000,
        "gzip_bytes": 900,
        "verdict": "pass",
        "reasons": [],
        "predicted": predictions(wrong),
        "latency_us": {"p50": p50_us, "rounds_p50": rounds.tolist()},
        "rounds_quiet": [True] * ROUNDS,
    }


def content(*rows: Content) -> Content:
    """A results file of some rows, three by default."""
    return {
        "schema_version": 1,
        "created": "2026-01-02T03:04:05+00:00",
        "environment": {
            "cpu": "Some CPU",
            "architecture": "x86_64",
            "cpu_features": ["avx2", "fma"],
            "cores": 2,
            "memory_bytes": 8_000_000_000,
            "system": "Linux-6.1",
            "python": "3.11.7",
        },
        "versions": {"numpy": "2.0.0", "onnxruntime": "1.20.0"},
        "settings": {"baseline": 0.88, "rounds": ROUNDS, "launches": LAUNCHES},
        "source": {"sha256": "a" * 64, "accuracy": 0.9, "predicted": predictions(range(100))},
        "data": {"sha256": "b" * 64, "classes": list("abcdefghij"), "labels": LABELS},
        "results": list(rows) or [row("first"), row("second", 20.0), row("third", 30.0)],
    }


def changed(change: Callable[[Content], object], found: Content | None = None) -> Content:
    """A results file after a change made in place."""
    result = copy.deepcopy(found or content())
    change(result)
    return result


def written(found: Content, folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text(json.dumps(found))
    return path


def run(found: Content, folder: Path, name: str = "run.json") -> RecordedRun:
    return read_run(written(found, folder, name))
