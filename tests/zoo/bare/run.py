"""Compares a model's exports with the bare converters' files, in processes of their own.

A converter or a runtime that crashes takes its process along: the next one goes on after it.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.commands import REPOSITORY
from tests.zoo.bare.judge import Comparison

# The formats that a converter makes by itself.
COMPARED = (
    *("tflite-float32", "tflite-float16", "tflite-dynamic", "tflite-int8"),
    *("onnx-float32", "onnx-float16", "onnx-dynamic", "onnx-int8"),
)
MOST_SECONDS = 900.0  # of a format
CRASHED = "the process ended"


def compare(name: str, folder: Path, formats: Sequence[str]) -> dict[str, Comparison]:
    """Returns how each format of a model that was exported does beside its bare counterpart.

    Args:
        name: the model's.
        folder: with the model, its data and its exports.
        formats: those to compare, of `FORMATS`.
    """
    found: dict[str, Comparison] = {}
    while left := [form for form in formats if form not in found]:
        begun = left[0]
        for said in _answers(name, folder, left):
            begun = said["format"]
            if "found" in said:
                found[begun] = Comparison.of_json(said["found"])
        if begun not in found:
            lines = (folder / "bare.log").read_text(errors="replace").strip().splitlines()
            reason = f"{CRASHED}: {(lines or ['no message'])[-1]}"
            found[begun] = Comparison(ours=None, bare=None, reason=reason)
    return found


def _answers(name: str, folder: Path, formats: Sequence[str]) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.zoo.bare.work", name, str(folder), *formats]
    found = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
    with (folder / "bare.log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,  # ONNX Runtime's shape inference leaves its files where it runs
            env={**os.environ, "PYTHONPATH": found},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        timer = threading.Timer(MOST_SECONDS * len(formats), process.kill)
        timer.start()
        try:
            said, _ = process.communicate()
        finally:
            timer.cancel()
    return [json.loads(line) for line in said.splitlines() if line.startswith('{"format"')]
