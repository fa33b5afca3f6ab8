"""tf2onnx, and ONNX Runtime's quantizers on top of it.

https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from export.convert.onnx.float_model import to_onnx
from export.convert.onnx.half import to_half
from export.convert.onnx.quantizer import quantize
from export.convert.onnx.recurrent.choice import check_steps, choose
from export.convert.source import SourceModel
from export.formats.settings import Settings
from export.formats.table import Format


def convert(entry: Format, settings: Settings, method: str | None, source: SourceModel) -> bytes:
    """Returns the model as an `.onnx` file of the format's precisions.

    int8 is static quantization in QDQ form, `dynamic` leaves the ranges of activations to the
    run; weights are stored by the first of the settings' schemes. float16 keeps float32 input
    and output.

    Args:
        entry: the format.
        settings: its options.
        method: how ranges come from the representative dataset; None where none is needed.
        source: the model.
    """
    choice = choose(source.recurrent_layers(), entry, settings.recurrent)
    if choice.unroll:
        check_steps(source.recurrent_calls(settings.batch), entry)
    if entry.weights == "float16":
        model = to_half(settings, source, choice)
    else:
        model = to_onnx(settings, source, choice)
    if entry.weights == "int8":
        model = quantize(
            model, source, method, settings.weight_schemes[0], settings.float_operators
        )
    return bytes(model.SerializeToString(deterministic=True))
