"""What to tell a user whose model a converter refuses, or whose file fails its checks."""

from collections.abc import Callable

from export.formats import Family, Format
from train.common.errors import ToolkitError

# What asks for less, tried in this order when a format cannot be made.
SIMPLER: dict[Family, tuple[str, ...]] = {
    "tflite": ("tflite-dynamic", "tflite-float16", "tflite-float32", "onnx-float32"),
    "onnx": ("onnx-dynamic", "onnx-float16", "onnx-float32", "tflite-float32"),
}


def with_advice(error: ToolkitError, entry: Format, makes: Callable[[str], bool]) -> ToolkitError:
    """Returns the error, the format named, with the first simpler one that can be made instead.

    Args:
        error: why `entry` could not be made.
        entry: the format.
        makes: tries to make a format, given its name, and says whether that worked.
    """
    said = str(error) if str(error).startswith(entry.name) else f"{entry.name}: {error}"
    for name in SIMPLER[entry.family]:
        # a family that cannot hold the model in float32 cannot hold it in less
        plain = f"{name.partition('-')[0]}-float32"
        if plain == entry.name or (plain != name and not makes(plain)):
            continue
        if name != entry.name and makes(name):
            return type(error)(f"{said}; {name} can be made of this model")
    return type(error)(f"{said}; no simpler format can be made of this model either")
