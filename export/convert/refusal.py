"""What to tell a user whose model a converter refuses, or whose file fails its checks. Light."""

import re
from collections.abc import Callable

from export.formats import Family, Format
from train.common.errors import ToolkitError

# How converters name the operator that they stumble over.
OPERATOR_PATTERNS = (
    re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op"),
    re.compile(r"not yet supported for op: '(\w+)'"),
    re.compile(r"[Oo]p (?:type )?'?(\w+)'? (?:is )?not (?:supported|implemented)"),
)
# TFLite's, with 16-bit activations, of the numbers of words: its calibrator sees floats only.
NO_RANGE = re.compile(r"Max and min for dynamic tensors should be recorded.*tensor (\w+)")
MAX_REASON = 200
# What asks for less, tried in this order when a format cannot be made.
SIMPLER: dict[Family, tuple[str, ...]] = {
    "tflite": ("tflite-dynamic", "tflite-float16", "tflite-float32", "onnx-float32"),
    "onnx": ("onnx-dynamic", "onnx-float16", "onnx-float32", "tflite-float32"),
}


def reason_of(error: Exception) -> str:
    """Returns why a converter refused a model: the operator it lacks, or its first line."""
    text = str(error).strip()
    operators = sorted({name for pattern in OPERATOR_PATTERNS for name in pattern.findall(text)})
    if operators:
        return f"it has no way to convert the operator {', '.join(operators)}"
    no_range = NO_RANGE.search(text)
    if no_range:
        return f"it takes no integers as they are, such as {no_range[1]}"
    reason = (text.splitlines() or [type(error).__name__])[0]
    return reason if len(reason) <= MAX_REASON else reason[: MAX_REASON - 1] + "…"


def with_advice(error: ToolkitError, entry: Format, makes: Callable[[str], bool]) -> ToolkitError:
    """Returns the error, the format named, with the first simpler one that can be made instead.

    Args:
        error: why `entry` could not be made.
        entry: the format.
        makes: tries to make a format, given its name, and says whether that worked.
    """
    said = str(error) if str(error).startswith(entry.name) else f"{entry.name}: {error}"
    for name in SIMPLER[entry.family]:
        if name != entry.name and makes(name):
            return type(error)(f"{said}; {name} can be made of this model")
    return type(error)(f"{said}; no simpler format can be made of this model either")
