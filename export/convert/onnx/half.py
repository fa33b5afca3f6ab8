"""The model in half precision."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from export.convert.calibrate.calibration import call_by_call
from export.convert.onnx.float_model import to_onnx
from export.convert.onnx.recurrent.choice import Choice
from export.convert.source import SourceModel
from export.formats.settings import Settings
from export.verify.distance import distance

EXAMPLES = 32
GAIN_DB = 0.5  # for which more operators and bytes are worth it


def to_half(settings: Settings, source: SourceModel, choice: Choice) -> onnx.ModelProto:
    """Returns the model with weights of float16 between float32 inputs and outputs.

    Folding a normalization into weights changes how they round: by 2 dB to either side, in small
    networks. On calibration examples the more exact of both is taken, of equal ones the folded.
    """
    folded = to_onnx(settings, source, choice)
    plain = to_onnx(settings, source, choice, folded=False)
    halves = [_half(folded)]
    examples = source.some_examples(EXAMPLES)
    if not examples or folded.SerializeToString() == plain.SerializeToString():
        return halves[0]
    calls = list(call_by_call(examples, settings.batch or EXAMPLES))
    halves.append(_half(plain))
    wanted = _outputs(plain, calls)
    first, other = (_decibels(_outputs(half, calls), wanted) for half in halves)
    return halves[int(other > first + GAIN_DB)]


def _half(model: onnx.ModelProto) -> onnx.ModelProto:
    half = OnnxModel(convert_float_to_float16(model, keep_io_types=True))
    half.topological_sort()  # the input's cast is appended out of order
    found: onnx.ModelProto = half.model
    return found


def _outputs(
    model: onnx.ModelProto, calls: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_outputs()]
    found = [session.run(names, dict(call)) for call in calls]
    return {name: np.concatenate(parts) for name, *parts in zip(names, *found, strict=True)}


def _decibels(outputs: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> float:
    """Returns the centred SNR of the output where it is least."""
    return min(distance(outputs[name], wanted[name], None).centred_snr_db for name in wanted)
