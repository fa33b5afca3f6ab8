"""Weights of transposed convolutions, which ONNX Runtime's dynamic quantizer leaves in float."""

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime

from export.convert.onnx.graph.arrange import delete, reads

OPERATOR = "ConvTranspose"
MIN_SNR_DB = 40.0  # of them alone: noise that what is quantized besides has ten times as much of


def bears_8_bits(model: onnx.ModelProto, examples: Mapping[str, np.ndarray]) -> bool:
    """Returns whether 8 bits for these weights alone change a float32 model's outputs little.

    Args:
        model: the model.
        examples: (n, …) by the input's name, to compare on; without any, it is taken to do so.
    """
    if not examples or all(node.op_type != OPERATOR for node in model.graph.node):
        return True
    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    store_in_8_bits(rounded.graph)
    exact, found = (
        onnxruntime.InferenceSession(
            each.SerializeToString(), providers=["CPUExecutionProvider"]
        ).run(None, dict(examples))
        for each in (model, rounded)
    )
    return all(_snr_db(new, old) >= MIN_SNR_DB for new, old in zip(found, exact, strict=True))


def _snr_db(found: np.ndarray, exact: np.ndarray) -> float:
    """Returns the centred SNR: what varies from example to example, over the noise."""
    exact = exact.astype(np.float64)
    noise = float(np.sum((found - exact) ** 2))
    signal = float(np.sum((exact - exact.mean(axis=0)) ** 2))
    return 10 * float(np.log10(max(signal, 1e-300) / max(noise, 1e-300)))


def store_in_8_bits(graph: onnx.GraphProto) -> None:
    """Stores weights of transposed convolutions in 8 bits, each output channel with its scale.

    They are computed in float: ONNX Runtime has no other kernel.
    """
    stored = {tensor.name: tensor for tensor in graph.initializer}
    numbers: dict[str, str] = {}  # the names of weights, turned back from 8 bits, by their own
    for node in [node for node in graph.node if node.op_type == OPERATOR]:
        name = node.input[1]
        if name not in numbers and name in stored:
            if stored[name].data_type != onnx.TensorProto.FLOAT:
                continue
            numbers[name] = f"{name}_dequantized"
            arrays = _quantized(onnx.numpy_helper.to_array(stored[name]))
            names = [f"{name}_quantized", f"{name}_scale"]
            graph.initializer.extend(map(onnx.numpy_helper.from_array, arrays, names))
            turned = onnx.helper.make_node("DequantizeLinear", names, [numbers[name]], axis=1)
            graph.node.insert(0, turned)
        node.input[1] = numbers.get(name, name)
    needed = {name for node in graph.node for name in reads(node)}
    needed |= {value.name for value in graph.output}
    delete(graph.initializer, [i for i, t in enumerate(graph.initializer) if t.name not in needed])


def _quantized(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns weights (C, M, …) as int8, and the scales (M,) float32 of their output channels."""
    channels = np.moveaxis(values, 1, -1)
    largest = np.abs(channels.reshape(-1, channels.shape[-1])).max(axis=0)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.moveaxis(np.round(channels / scales), -1, 1).astype(np.int8), scales
