"""How integer files are calibrated: how ranges come from examples, and what is corrected then."""

from export.formats.table import Family, Format

EQUALIZED = "equalized"  # channels between two layers are of one size before ranges are taken
# That ranges of few examples are made wider by, as others lie outside: what is clipped is wrong by
# many steps, where a tenth more costs 0.8 dB of what is rounded, and a quarter 1.9.
WIDENED = {"widened-10": 1.1, "widened-25": 1.25}
WIDEST = "widened-25"
ROUNDED = "gptq"  # weights are rounded by what their layers read
BIAS_CORRECTED = "bias-corrected"  # what rounded weights add on average is taken back
# What is made better of a file once it has ranges, whatever they are.
CORRECTIONS = (BIAS_CORRECTED, ROUNDED)
EXTREMES = "min-max"  # the ranges of a correction that is asked for by itself
CALIBRATION_METHODS = (
    *("auto", "min-max", "moving-average", "percentile", "entropy", "mse"),
    *(*WIDENED, EQUALIZED, BIAS_CORRECTED, ROUNDED),
)
METHODS_OF_FAMILY: dict[Family, tuple[str, ...]] = {
    "tflite": ("min-max", "percentile", "mse", *WIDENED, EQUALIZED, BIAS_CORRECTED, ROUNDED),
    "onnx": (
        *("min-max", "moving-average", "percentile", "entropy", "mse"),
        *(*WIDENED, EQUALIZED, BIAS_CORRECTED, ROUNDED),
    ),
}


def methods_of(entry: Format) -> tuple[str, ...]:
    """Returns the calibration methods that a format can be made with, the default first."""
    if not entry.calibrated:
        return ()
    if entry.recipes not in ((), ("qat",)):
        return ("min-max",)
    if entry.activations == "int16":
        return ("min-max", ROUNDED)
    return METHODS_OF_FAMILY[entry.family]


def parts_of(method: str) -> tuple[str, str | None]:
    """Returns how ranges come from examples, and what corrects the file then, of a method.

    A method is one of `CALIBRATION_METHODS`, or ranges and a correction, such as `mse+gptq`.
    """
    if method in CORRECTIONS:
        return EXTREMES, method
    ranges, _, correction = method.partition("+")
    return ranges, correction or None


def corrected(ranges: str, correction: str) -> str:
    """Returns the method of some ranges and a correction, as `parts_of` reads it."""
    return correction if ranges == EXTREMES else f"{ranges}+{correction}"
