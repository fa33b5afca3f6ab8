"""The table of export formats. Light: standard library only.

A name is `<family>-<scheme>`, the same string in the CLI, the file stem, the manifest, the
results and the README. Adding a TFLite variant is one entry here.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from train.errors import ToolkitError

Family = Literal["tflite", "onnx"]
Runtime = Literal["litert", "onnxruntime"]
Precision = Literal["float32", "float16", "int8"]

BYTES_PER_WEIGHT: dict[Precision, int] = {"float32": 4, "float16": 2, "int8": 1}


@dataclass(frozen=True, kw_only=True)
class Format:
    """One way to store the model for a device.

    Attributes:
        name: the format's name everywhere.
        family: which converter family makes it.
        runtime: which runtime runs it.
        suffix: the file's suffix.
        weights: precision of the stored weights.
        activations: precision that values between operators are quantized to ahead of time.
        batch: the batch dimension of input and output; None where any batch size fits.
        io_dtype: dtype of input and output.
        min_agreement: least share of held-out images on which the file must predict the
            class that the Keras model predicts, 0…1.
        max_accuracy_drop: most accuracy the file may lose on them, 0…1.
        max_mean_abs_error: largest mean distance of its outputs to the Keras model's.
        suits: what hardware it is for.
    """

    name: str
    family: Family
    runtime: Runtime
    suffix: str
    weights: Precision
    activations: Precision
    batch: int | None
    io_dtype: Literal["float32", "int8"]
    min_agreement: float
    max_accuracy_drop: float
    max_mean_abs_error: float
    suits: str

    @property
    def calibrated(self) -> bool:
        """Whether a representative dataset fixes the ranges of its activations."""
        return self.activations == "int8"


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format(
            name="tflite-float32",
            family="tflite",
            runtime="litert",
            suffix=".tflite",
            weights="float32",
            activations="float32",
            batch=1,
            io_dtype="float32",
            min_agreement=0.999,
            max_accuracy_drop=0.002,
            max_mean_abs_error=1e-5,
            suits="any CPU; the reference for the other TFLite formats",
        ),
        Format(
            name="tflite-float16",
            family="tflite",
            runtime="litert",
            suffix=".tflite",
            weights="float16",
            activations="float32",
            batch=1,
            io_dtype="float32",
            min_agreement=0.997,
            max_accuracy_drop=0.005,
            max_mean_abs_error=1e-3,
            suits="GPUs and CPUs with half-precision arithmetic; half the flash",
        ),
        Format(
            name="tflite-dynamic",
            family="tflite",
            runtime="litert",
            suffix=".tflite",
            weights="int8",
            activations="float32",
            batch=1,
            io_dtype="float32",
            min_agreement=0.985,
            max_accuracy_drop=0.01,
            max_mean_abs_error=0.01,
            suits="CPUs, without calibration data; a quarter of the flash",
        ),
        Format(
            name="tflite-int8",
            family="tflite",
            runtime="litert",
            suffix=".tflite",
            weights="int8",
            activations="int8",
            batch=1,
            io_dtype="int8",
            min_agreement=0.97,
            max_accuracy_drop=0.01,
            max_mean_abs_error=0.02,
            suits="microcontrollers, NPUs, DSPs and CPUs; no float arithmetic at all",
        ),
        Format(
            name="onnx-float32",
            family="onnx",
            runtime="onnxruntime",
            suffix=".onnx",
            weights="float32",
            activations="float32",
            batch=None,
            io_dtype="float32",
            min_agreement=0.999,
            max_accuracy_drop=0.002,
            max_mean_abs_error=1e-5,
            suits="any machine that ONNX Runtime runs on",
        ),
        Format(
            name="onnx-int8",
            family="onnx",
            runtime="onnxruntime",
            suffix=".onnx",
            weights="int8",
            activations="int8",
            batch=None,
            io_dtype="float32",
            min_agreement=0.97,
            max_accuracy_drop=0.01,
            max_mean_abs_error=0.02,
            suits="x86-64 with VNNI, ARM with dot product; a quarter of the disk",
        ),
    )
}

ALIASES = {"tflite": "tflite-float32", "onnx": "onnx-float32"}
ALL = "all"


def select_formats(requests: Iterable[str]) -> list[Format]:
    """Returns the formats asked for, each once, in the table's order.

    Args:
        requests: names, aliases or `all`, each possibly several joined by commas.

    Raises:
        ToolkitError: a name is unknown (the closest one is named) or none was given.
    """
    names = [name.strip() for request in requests for name in request.split(",") if name.strip()]
    if not names:
        raise ToolkitError(f"no format given; expected {ALL} or any of {', '.join(FORMATS)}")
    chosen: set[str] = set()
    for name in names:
        if name == ALL:
            chosen.update(FORMATS)
        elif ALIASES.get(name, name) in FORMATS:
            chosen.add(ALIASES.get(name, name))
        else:
            known = [*FORMATS, *ALIASES, ALL]
            close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
            hint = f"did you mean {close[0]}? " if close else ""
            raise ToolkitError(
                f"unknown format {name!r}; {hint}`python -m export --list` shows them all"
            )
    return [entry for entry in FORMATS.values() if entry.name in chosen]
