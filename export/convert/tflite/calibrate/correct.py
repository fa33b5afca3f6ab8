"""What is corrected of an integer `.tflite` file once it has ranges."""

from export.convert.calibrate.bias import NothingToCorrectError
from export.convert.calibrate.rounding import Roundings
from export.convert.source import SourceModel
from export.convert.tflite.calibrate.bias import bias_corrected
from export.convert.tflite.calibrate.rounding import rounded_by_inputs
from export.formats.calibration import ROUNDED


def correct(
    content: bytes, correction: str, twin: bytes, source: SourceModel, *, is_mixture: bool
) -> bytes:
    """Returns a file with corrected weights or biases.

    Args:
        content: the file.
        correction: of `CORRECTIONS`.
        twin: the float file that it was quantized from, whose tensors bear the same names.
        source: the model, with its calibration examples.
        is_mixture: whether operators were left in float, as all layers with weights may be.

    Raises:
        NothingToCorrectError: no layer has what is corrected, in a file of integers alone.
    """
    inputs = source.representative.inputs
    try:
        if correction == ROUNDED:
            return rounded_by_inputs(
                content, twin, inputs, source.roundings.setdefault(twin, Roundings())
            )
        return bias_corrected(content, twin, inputs)
    except NothingToCorrectError:
        if is_mixture:
            return content
        raise
