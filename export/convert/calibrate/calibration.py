"""The representative dataset that quantization takes its ranges from, and its audit."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from train.common.files.artifact import array_sha256
from train.common.preprocessing import InputPreprocessing, preprocess
from train.common.samples import Samples
from train.common.tensors import TensorSpec

MAX_HALVES_DIFFERENCE = 0.20
AUDIT_EXAMPLES = 500
AUDIT_MIN_EXAMPLES = 8
AUDIT_WEIGHTS = 250_000_000  # weights times examples: large models are audited on fewer


@dataclass(frozen=True, kw_only=True)
class RepresentativeDataset:
    """Preprocessed `inputs` (N, …) by name, of examples that no test sees.

    `sha256` is the hash of their indices, `examples` the short hash of each raw example.
    """

    inputs: Mapping[str, np.ndarray]
    sha256: str
    examples: tuple[str, ...]

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def each(self, batch: int | None = None) -> Iterator[dict[str, np.ndarray]]:
        """Yields the examples as a model with a batch takes them, one by one if it is None."""
        return call_by_call(self.inputs, batch)


def representative_dataset(
    raw: Samples,
    chosen: np.ndarray,
    preprocessing: InputPreprocessing,
    specs: Sequence[TensorSpec],
) -> RepresentativeDataset:
    """Returns the examples at some indices, preprocessed for inputs of these specs."""
    samples = raw.take(chosen)
    return RepresentativeDataset(
        inputs=preprocess(samples.inputs, preprocessing, specs),
        sha256=array_sha256(chosen),
        examples=samples.short_hashes(),
    )


def call_by_call(
    inputs: Mapping[str, np.ndarray], batch: int | None
) -> Iterator[dict[str, np.ndarray]]:
    """Yields examples (N, …) as a model with a batch takes them, one by one if it is None.

    Args:
        inputs: by the input's name.
        batch: how many each call takes; the last ones go twice where they don't come out even.
    """
    count, size = len(next(iter(inputs.values()))), batch or 1
    for start in range(0, count, size):
        places = np.arange(start, start + size)
        places[places >= count] -= size
        yield {name: values[places % count] for name, values in inputs.items()}


def halves_difference(parts: Iterable[Mapping[str, np.ndarray]]) -> float:
    """Returns how far the ranges of two disjoint halves of the calibration examples differ.

    Args:
        parts: values (n, …) of each tensor, for some of the examples after the other; the halves
            are the even and the odd examples of each part.

    Returns:
        The largest difference of two widths over the larger one, of any tensor, 0…1. Above
        `MAX_HALVES_DIFFERENCE` the ranges depend on which examples were drawn: too few.
    """
    lows: dict[str, list[float]] = {}
    highs: dict[str, list[float]] = {}
    for part in parts:
        for name, values in part.items():
            halves = [half for half in (values[::2], values[1::2]) if half.size]
            if len(halves) == 2:
                low, high = ([float(edge(half)) for half in halves] for edge in (np.min, np.max))
                lows[name] = list(map(min, lows.get(name, low), low))
                highs[name] = list(map(max, highs.get(name, high), high))
    largest = 0.0
    for name, low in lows.items():
        even, odd = (top - bottom for top, bottom in zip(highs[name], low, strict=True))
        if max(even, odd) > 0:
            largest = max(largest, abs(even - odd) / max(even, odd))
    return largest


def audit_examples(weights: int) -> int:
    """Returns on how many examples a model of so many weights is audited."""
    return max(AUDIT_MIN_EXAMPLES, min(AUDIT_EXAMPLES, AUDIT_WEIGHTS // max(1, weights)))


def clipped_share(
    examples: Iterable[Mapping[str, np.ndarray]], ranges: Mapping[str, tuple[float, float, float]]
) -> float | None:
    """Returns the share of real values that the quantized ranges clip, 0…1.

    Args:
        examples: real values of tensors on held-out examples, by name.
        ranges: lowest value, highest value and step of quantized tensors, by name; what lies
            outside by no more than half a step is rounded, not clipped.

    Returns:
        None where no tensor is in both.
    """
    clipped = total = 0
    for values in examples:
        for name in values.keys() & ranges.keys():
            low, high, step = ranges[name]
            outside = (values[name] < low - step / 2) | (values[name] > high + step / 2)
            clipped += int(outside.sum())
            total += outside.size
    return clipped / total if total else None


def tflite_clipped_share(
    model: bytes, path: Path, inputs: Mapping[str, np.ndarray]
) -> float | None:
    """Returns the share of values that a quantized `.tflite` file clips, 0…1.

    Args:
        model: the bytes of its float32 twin, whose tensors bear the same names.
        path: the file.
        inputs: (N, …) by name.
    """
    return clipped_share(tflite_values(model, inputs), tflite_ranges(path))


def tflite_ranges(path: Path) -> dict[str, tuple[float, float, float]]:
    """Returns lowest value, highest value and step of each quantized activation of a file."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_path=str(path),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    found = {}
    for details in interpreter.get_tensor_details():
        scale, zero_point = details["quantization"]
        if scale and np.issubdtype(details["dtype"], np.signedinteger):
            limits = np.iinfo(details["dtype"])
            low, high = ((limit - zero_point) * scale for limit in (limits.min, limits.max))
            found[details["name"]] = (float(low), float(high), float(scale))
    return found


def tflite_values(
    model: bytes, inputs: Mapping[str, np.ndarray], besides: Collection[str] = ()
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the values of the activations of a float32 `.tflite` model, example by example.

    Those are its inputs and what its operators make, if they are float32.

    Args:
        model: the file's bytes; where its batch is fixed, it is run on so many at once.
        inputs: (N, …) by name.
        besides: names of tensors of other types.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=model,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    given = {details["name"]: details["index"] for details in interpreter.get_input_details()}
    graph = schema.Model.GetRootAs(model, 0).Subgraphs(0)
    operators = (graph.Operators(index) for index in range(graph.OperatorsLength()))
    made, read = set(), {*map(int, graph.OutputsAsNumpy())}
    for operator in operators:
        made |= {int(index) for index in operator.OutputsAsNumpy()}
        read |= {int(index) for index in operator.InputsAsNumpy()}
    made &= read  # what a loop makes and nothing reads, it need not have
    tensors = {
        details["name"]: details["index"]
        for details in interpreter.get_tensor_details()
        if (details["dtype"] == np.float32 or details["name"] in besides)
        and details["index"] in made | {*given.values()}
    }
    batch = interpreter.get_input_details()[0]["shape"][0]
    for example in call_by_call(inputs, int(batch)):
        for name, value in example.items():
            interpreter.set_tensor(given[name], value)
        interpreter.invoke()
        yield {name: interpreter.get_tensor(index) for name, index in tensors.items()}


def onnx_clipped_share(path: Path, inputs: Mapping[str, np.ndarray]) -> float | None:
    """Returns the share of values that a QDQ `.onnx` file clips where it quantizes, 0…1.

    Args:
        path: the file.
        inputs: (N, …) by name.
    """
    return clipped_share(*onnx_activations(path, inputs))


def onnx_activations(
    path: Path, inputs: Mapping[str, np.ndarray]
) -> tuple[Iterator[dict[str, np.ndarray]], dict[str, tuple[float, float, float]]]:
    """Returns the values that a QDQ `.onnx` file quantizes, example by example, and their ranges.

    Args:
        path: the file.
        inputs: (N, …) by name.

    Returns:
        By the tensor's name: values; and lowest value, highest value and step.
    """
    import onnx

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

    def activations() -> Iterator[dict[str, np.ndarray]]:
        for found in onnx_values(model, [*ranges], inputs):
            # the quantizer folds a ReLU into a range that begins at zero
            made = {k: v for k, v in found.items() if k not in inputs and ranges[k][0] == 0}
            yield {**found, **{k: np.maximum(v, 0) for k, v in made.items()}}

    return activations(), ranges


def onnx_values(
    model: Any, wanted: Iterable[str], inputs: Mapping[str, np.ndarray]
) -> Iterator[dict[str, np.ndarray]]:
    """Yields inputs and the values of some tensors of an ONNX model, example by example.

    Without graph optimizations, which merge operators.

    Args:
        model: the `onnx.ModelProto`.
        wanted: names of tensors.
        inputs: (N, …) by name.
    """
    import onnx
    import onnxruntime

    names = [name for name in dict.fromkeys(wanted) if name not in inputs]
    given = {value.name for value in model.graph.output}
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    probed.graph.output.extend(
        onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in given
    )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        probed.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    batch = session.get_inputs()[0].shape[0]
    for example in call_by_call(inputs, batch if isinstance(batch, int) else None):
        # a session that is asked for nothing returns every output
        found = dict(zip(names, session.run(names, example), strict=True)) if names else {}
        yield {**example, **found}
