"""What to tell a user whose model a converter refuses, or whose file fails its checks."""

from collections.abc import Callable, Mapping

from export.formats.table import Family, Format
from train.common.errors import CheckError, ToolkitError

# What asks for less, tried in this order when a format cannot be made.
SIMPLER: dict[Family, tuple[str, ...]] = {
    "tflite": ("tflite-dynamic", "tflite-float16", "tflite-float32", "onnx-float32"),
    "onnx": ("onnx-dynamic", "onnx-float16", "onnx-float32", "tflite-float32"),
}
# Why a format could not be made, by its name; None where it was made.
Outcomes = Mapping[str, ToolkitError | None]


class NoFormatHelpsError(ToolkitError):
    """The model, the data or an option have to change, as the message says, whatever the format."""


def with_advice(
    error: ToolkitError,
    entry: Format,
    known: Outcomes,
    attempt: Callable[[str], ToolkitError | None],
) -> ToolkitError:
    """Returns the error, the format named, with the first simpler one that can be made instead.

    A family whose converter refuses the model in float32 holds it in no format, and one whose
    float32 file fails a check seldom does: neither is tried further. Else the simplest of its
    formats is tried, of the others those are named that are known to work.

    Args:
        error: why `entry` could not be made.
        entry: the format.
        known: what is known of formats; what is tried is known from then on.
        attempt: says why a format, given its name, cannot be made; tries it if that is unknown.
    """
    said = str(error) if str(error).startswith(entry.name) else f"{entry.name}: {error}"
    kind = CheckError if isinstance(error, CheckError) else ToolkitError
    if isinstance(error, NoFormatHelpsError):
        return kind(said)
    plain = f"{entry.family}-float32"
    simpler = [name for name in SIMPLER[entry.family] if name != entry.name]
    if entry.name == plain:
        simpler.reverse()  # what is as exact, of the other family, before what is not
    tried: dict[str, ToolkitError | None] = {plain: error} if entry.name == plain else {}
    for name in simpler:
        base = f"{name.partition('-')[0]}-float32"
        if base not in tried:
            tried[base] = attempt(base)
        first = name == SIMPLER[entry.family][0] and tried[base] is None
        if (name in known and known[name] is None) or (first and attempt(name) is None):
            return kind(f"{said}; {name} can be made of this model")
    others = [cause for cause in tried.values() if cause is not error]
    checks = [str(cause) for cause in others if isinstance(cause, CheckError)]
    if checks:
        said += f"; {checks[0]}"
    elif entry.name != plain or not isinstance(error, CheckError):
        said += "; no simpler format can be made of this model either"
    return kind(said)
