"""The representative dataset that quantization takes its ranges from, and its audit. Light."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from train.artifact import array_sha256
from train.data import LabelledImages, Preprocessing, Split, image_hashes

MAX_HALVES_DIFFERENCE = 0.20
AUDIT_IMAGES = 500


@dataclass(frozen=True, kw_only=True)
class RepresentativeDataset:
    """Preprocessed `inputs` (N, …) float32 from the training split.

    `sha256` is the hash of their indices, `images` the short hash of each raw image.
    """

    inputs: np.ndarray
    sha256: str
    images: tuple[str, ...]


def representative_dataset(
    training: LabelledImages, parts: Split, preprocessing: Preprocessing
) -> RepresentativeDataset:
    """Returns the split's fixed, class-balanced calibration images, preprocessed."""
    images = training.take(parts.calibration).images
    return RepresentativeDataset(
        inputs=preprocessing.apply(images),
        sha256=array_sha256(parts.calibration),
        images=image_hashes(images),
    )


def halves_difference(activations: Mapping[str, np.ndarray]) -> float:
    """Returns how far the ranges of two disjoint halves of the calibration images differ.

    Args:
        activations: values (N, …) of each tensor on the calibration images, N ≥ 2; the halves
            are the even and the odd images.

    Returns:
        The largest difference of two widths over the larger one, of any tensor, 0…1. Above
        `MAX_HALVES_DIFFERENCE` the ranges depend on which images were drawn: too few.
    """
    largest = 0.0
    for values in activations.values():
        even, odd = (float(np.ptp(values[start::2])) for start in (0, 1))
        if max(even, odd) > 0:
            largest = max(largest, abs(even - odd) / max(even, odd))
    return largest


def clipped_share(
    values: Mapping[str, np.ndarray], ranges: Mapping[str, tuple[float, float, float]]
) -> float | None:
    """Returns the share of real values that the quantized ranges clip, 0…1.

    Args:
        values: real values of tensors on held-out images, by name.
        ranges: lowest value, highest value and step of quantized tensors, by name; what lies
            outside by no more than half a step is rounded, not clipped.

    Returns:
        None where no tensor is in both.
    """
    clipped = total = 0
    for name in values.keys() & ranges.keys():
        low, high, step = ranges[name]
        outside = (values[name] < low - step / 2) | (values[name] > high + step / 2)
        clipped += int(outside.sum())
        total += outside.size
    return clipped / total if total else None


def tflite_ranges(path: Path) -> dict[str, tuple[float, float, float]]:
    """Returns lowest value, highest value and step of each quantized activation of a file."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_path=str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    found = {}
    for details in interpreter.get_tensor_details():
        scale, zero_point = details["quantization"]
        if scale and np.issubdtype(details["dtype"], np.signedinteger):
            limits = np.iinfo(details["dtype"])
            low, high = ((limit - zero_point) * scale for limit in (limits.min, limits.max))
            found[details["name"]] = (float(low), float(high), float(scale))
    return found


def tflite_values(model: bytes, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the values of the activations of a float32 `.tflite` model with a batch of one.

    Args:
        model: the file's bytes; its tensors bear the names that they have in quantized files.
        inputs: (N, …) float32.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=model,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    tensors = {
        details["name"]: details["index"]
        for details in interpreter.get_tensor_details()
        if details["dtype"] == np.float32 and list(details["shape"][:1]) == [1]
    }
    values: dict[str, list[np.ndarray]] = {name: [] for name in tensors}
    for value in inputs:
        interpreter.set_tensor(given["index"], value[np.newaxis])
        interpreter.invoke()
        for name, index in tensors.items():
            values[name].append(interpreter.get_tensor(index))
    return {name: np.concatenate(found) for name, found in values.items()}


def onnx_clipped_share(path: Path, inputs: np.ndarray) -> float | None:
    """Returns the share of values that a QDQ `.onnx` file clips where it quantizes, 0…1.

    Args:
        path: the file.
        inputs: (N, …) float32.
    """
    import onnx
    import onnxruntime

    model = onnx.load(path)
    stored = {item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer}
    ranges = {}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            name, scale, zero_point = node.input[0], stored[node.input[1]], stored[node.input[2]]
            limits = np.iinfo(zero_point.dtype)
            low, high = (
                (limit - float(zero_point)) * float(scale) for limit in (limits.min, limits.max)
            )
            ranges[name] = (low, high, float(scale))
    given = model.graph.input[0].name
    wanted = [name for name in ranges if name != given]
    for name in wanted:
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found = [session.run(wanted, {given: value[np.newaxis]}) for value in inputs]
    values = dict(zip(wanted, map(np.concatenate, zip(*found, strict=True)), strict=True))
    return clipped_share({given: inputs, **values}, ranges)
