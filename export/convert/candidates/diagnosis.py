"""Why an integer file is not near its model, or cannot be run: values that its ranges clip."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.convert.calibrate import calibration
from export.convert.source import SourceModel
from export.convert.tflite.converter import float_twin
from export.formats.settings import Settings
from export.formats.table import Format
from export.manifest import Check
from export.model.reason import refused
from export.verify.distance import distance
from export.verify.expectation import Expectation
from train.common.errors import ToolkitError

Outputs = Mapping[str, np.ndarray]
CANNOT_RUN = "its runtime cannot run the file"
MIN_OVERSHOOT = 0.05  # of a range's width, beyond its ends
MIN_KEPT, MIN_GAIN_DB = 0.5, 3.0  # share of the examples that are not clipped; what they do better
TINY = float(np.finfo(np.float32).tiny)
NODE = re.compile(r"Node number (\d+) \(\w+\) failed to \w+\.?")
BY_ZERO = "data[i] != zero_point"  # LiteRT's kernel of a division, of its second operand
OF_OUTPUTS = ("agreement", "accuracy_drop", "max_abs_error", "snr_db", "variation_db", "cosine")


@dataclass(kw_only=True)
class _Tensor:
    """What is clipped of a tensor.

    Attributes:
        clipped, total: how many of its values.
        overshoot: how far the furthest one is outside, as a share of the range's width.
        furthest: that value.
    """

    clipped: int = 0
    total: int = 0
    overshoot: float = 0.0
    furthest: float = 0.0


def diagnosis(
    entry: Format,
    settings: Settings,
    path: Path,
    failed: Sequence[Check],
    source: SourceModel,
    expected: Expectation,
    run: Callable[[], Outputs],
) -> str:
    """Returns what in the data explains why an integer file failed its checks; empty if nothing.

    Args:
        entry: the format.
        settings: its options.
        path: the file.
        failed: the checks that failed.
        source: the model, with its representative dataset.
        expected: what the file was verified against.
        run: returns the file's outputs on all held-out examples, by name.
    """
    of_outputs = [c for c in failed if c.name.partition(":")[0] in (*OF_OUTPUTS, "channels")]
    alone = settings.batch in (None, 1)  # else no example is run by itself
    if not entry.calibrated or not of_outputs or not alone:
        return ""
    count = calibration.audit_examples(expected.weights)
    some = {name: values[:count] for name, values in expected.inputs.items()}
    values: Iterable[Outputs]
    if entry.family == "onnx":
        values, ranges = calibration.onnx_activations(path, some)
    elif entry.recipes:  # of a fine-tuned copy, whose activations Keras does not tell
        both = {**some, **{name: found[:count] for name, found in expected.outputs.items()}}
        values, ranges = calibration.call_by_call(both, None), calibration.tflite_ranges(path)
    else:
        values = calibration.tflite_values(float_twin(source, entry, settings), some)
        ranges = calibration.tflite_ranges(path)
    return _outside(values, ranges, of_outputs, source, expected, run())


def _outside(
    examples: Iterable[Outputs],
    ranges: Mapping[str, tuple[float, float, float]],
    failed: Sequence[Check],
    source: SourceModel,
    expected: Expectation,
    outputs: Outputs,
) -> str:
    tensors: dict[str, _Tensor] = {}
    is_clipped: list[bool] = []
    for values in examples:
        furthest = 0.0
        for name in values.keys() & ranges.keys():
            found = tensors.setdefault(name, _Tensor())
            furthest = max(furthest, _look(values[name], ranges[name], found))
        is_clipped.append(furthest > MIN_OVERSHOOT)
    kept = ~np.asarray(is_clipped)
    if kept.all() or kept.mean() < MIN_KEPT:
        return ""
    names = {spec.name for spec in expected.output_specs}
    output = next(
        (check.name.partition(":")[2] for check in failed if check.name.partition(":")[2] in names),
        expected.output_specs[0].name,
    )
    mine, reference = (arrays[output][: len(kept)] for arrays in (outputs, expected.outputs))
    before, after = (
        distance(mine[part], reference[part], None) for part in (np.ones_like(kept), kept)
    )
    if after.snr_db < before.snr_db + MIN_GAIN_DB:
        return ""
    name, worst = max(tensors.items(), key=lambda item: item[1].overshoot)
    low, high, _ = ranges[name]
    return (
        f"{np.sum(~kept)} of {len(kept)} held-out examples lie outside the ranges that the "
        f"{len(source.representative)} of the representative dataset gave, furthest at "
        f"{layer_of(name, source)!r}: {worst.furthest:.3g}, beyond {low:.3g}…{high:.3g}, where "
        f"{worst.clipped / worst.total:.2%} of the values are clipped; without those examples the "
        f"SNR is {after.snr_db:.1f} dB instead of {before.snr_db:.1f}: calibrate with more examples"
    )


def _look(values: np.ndarray, bounds: tuple[float, float, float], found: _Tensor) -> float:
    """Adds a tensor's values to what is known of it; returns how far they are outside."""
    low, high, step = bounds
    found.clipped += int(np.sum((values < low - step / 2) | (values > high + step / 2)))
    found.total += values.size
    if not values.size:
        return 0.0
    least, most = float(values.min()), float(values.max())
    value, outside = (most, most - high) if most - high > low - least else (least, low - least)
    overshoot = outside / max(high - low, TINY)
    if overshoot > found.overshoot:
        found.overshoot, found.furthest = overshoot, value
    return overshoot


@contextmanager
def running(entry: Format, path: Path, source: SourceModel) -> Iterator[None]:
    """Turns what a runtime raises into a refusal in one line, which names the layer."""
    try:
        with refused(f"{entry.name}: {CANNOT_RUN}"):
            yield
    except ToolkitError as error:
        why = failing_layer(str(error), path, source)
        if not why:
            raise
        raise ToolkitError(f"{entry.name}: {CANNOT_RUN}: {why}") from error


def layer_of(tensor: str, source: SourceModel) -> str:
    """Returns the layer that makes a tensor, by the tensor's name; the name where it tells none."""
    layers = {layer.name for layer in getattr(source.model.keras_model, "layers", ())}
    tensor = tensor.partition("#")[0].partition(";")[0].partition(":")[0]
    for part in reversed(tensor.split("/")):
        for name in (part, re.sub(r"_\d+$", "", part)):
            if name in layers:
                return name
    return tensor.partition("/")[2] or tensor  # the first part is the model's name


def failing_layer(error: str, path: Path, source: SourceModel) -> str:
    """Returns which layer of a `.tflite` file its runtime fails at, and why; empty if unknown.

    Args:
        error: LiteRT's, which says the number of an operator.
        path: the file.
        source: the model.
    """
    number = NODE.search(error)
    if number is None or path.suffix != ".tflite":
        return ""
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.Model.GetRootAs(path.read_bytes(), 0).Subgraphs(0)
    if int(number[1]) >= graph.OperatorsLength():  # of what a delegate made
        return ""
    made = graph.Tensors(graph.Operators(int(number[1])).Outputs(0))
    layer = layer_of(made.Name().decode(), source)
    if not layer:  # of a file as it ships
        return ""
    if BY_ZERO in error:
        return (
            f"layer {layer!r} divides by values that its integers round to 0; add more than a step "
            "of their scale to them, or divide by what is larger"
        )
    return f"{NODE.sub('', error).rpartition(': ')[2].rstrip('. ')} (layer {layer!r})"
