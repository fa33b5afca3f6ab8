"""The content of small results files, as `python -m benchmark` writes them."""

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.results.read import read_run
from benchmark.results.run import Run

IMAGES = 1_000
CLASSES = 10
LABELS = [index % CLASSES for index in range(IMAGES)]
ROUNDS, LAUNCHES = 20, 4
Content = dict[str, Any]
NOT_MEASURED = (
    *("correct", "total", "lost", "gained", "accuracy", "accuracy_ci95", "drop_vs_source"),
    *("drop_ci95", "delta_vs_baseline", "mcnemar_p", "ece", "source_ece", "worst_class_drop"),
    *("classes", "distance", "start_to_first_result_ms", "load_ms", "first_inference_us"),
    *("peak_rss_bytes", "peak_rss_over_empty_bytes", "call", "throughput", "profile"),
)
LATENCY: Content = {
    "samples": 10_000,
    **dict.fromkeys(("p90", "p999", "spread", "vs_reference")),
    **{f"{name}_ci95": [None, None] for name in ("p50", "p90", "p99", "p999")},
    "mean": 1.0,
    "min": 1.0,
    "max": 1.0,
    "timer": 0.05,
    "warm_up_calls": 9,
    "settled": True,
    "quiet_rounds": ROUNDS,
}
SETTINGS: Content = {
    "baseline": 0.88,
    "tolerance": 0.01,
    **dict.fromkeys(("max_drop", "max_drop_per_class", "min_agreement")),
    **dict.fromkeys(("max_latency_us", "max_size_kb", "metric", "batch")),
    "min_snr_db": 15.0,
    "threshold": 0.5,
    "threads": [1],
    "modes": [],
    "samples": 10_000,
    "rounds": ROUNDS,
    "launches": LAUNCHES,
    "max_seconds": 5.0,
    "profile": False,
}


def predictions(wrong: Sequence[int]) -> list[int]:
    """The label of each image, but the class after it for the images listed."""
    missed = set(wrong)
    return [(label + (index in missed)) % CLASSES for index, label in enumerate(LABELS)]


def row(name: str, p50_us: float = 10.0, wrong: Sequence[int] = range(100)) -> Content:
    """A row that passes; its launches differ by 1 %, its rounds by a little more."""
    launch = np.repeat([0.99, 1.0, 1.0, 1.01], ROUNDS // LAUNCHES)
    rounds = p50_us * launch * (1 + np.arange(ROUNDS) % 5 * 0.001)
    return {
        **dict.fromkeys(NOT_MEASURED),
        "name": name,
        "format": "tflite-int8",
        "runtime": "litert",
        "mode": "xnnpack",
        "threads": 1,
        "size_bytes": 1_000,
        "gzip_bytes": 900,
        "verdict": "pass",
        "reasons": [],
        "explanations": [],
        "predicted": predictions(wrong),
        "latency_us": {**LATENCY, "p50": p50_us, "p99": 2 * p50_us, "rounds_p50": rounds.tolist()},
        "rounds_ns": [],
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
        "settings": dict(SETTINGS),
        "conditions": None,
        "recommendation": None,
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


def run(found: Content, folder: Path, name: str = "run.json") -> Run:
    return read_run(written(found, folder, name))
