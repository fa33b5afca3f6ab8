"""Is the file what was asked for, and does it do what the Keras model does?

A converter that succeeds is not evidence: the file is loaded back on its runtime, run on
held-out training images, compared with the Keras model, and compared with itself on other
kernels and runtimes. Light: runtimes and schemas are imported when used.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from export.formats import BITS_PER_WEIGHT, Format
from export.manifest import Check
from export.runtimes import open_runner, predict
from export.settings import Settings
from export.verify.distance import Distance, distance
from export.verify.graph import SHAPE_ARITHMETIC, Graph, inspect
from export.verify.outputs import check_distance, check_runtimes, depth
from train.common.errors import ArtifactError
from train.common.tensors import TensorSpec

# Graph, names and quantization parameters on top of the weights.
SIZE_OVERHEAD_SHARE = 0.10
SIZE_OVERHEAD_BYTES = 16_384
SIZE_FOLDED_SHARE = 0.10  # of the weights at most become part of others: batch normalization
SIZE_OVERHEAD_BYTES_AN_OPERATOR = 512
SIZE_OVERHEAD_BYTES_A_CHANNEL = 20  # scale, zero point, and a bias of 64 bits in int16x8
SPARSITY_SLACK = 0.01


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a file is verified against.

    Attributes:
        input_specs: the model's inputs; batch and dtype are the settings'.
        output_specs: the same of the outputs.
        weights: how many numbers the model's weights hold.
        inputs: (N, …) by name, preprocessed: examples that calibrated nothing.
        labels: (N,) integer classes by the output's name, where they are known.
        outputs: (N, …) by name, the Keras model's outputs on them.
    """

    input_specs: tuple[TensorSpec, ...]
    output_specs: tuple[TensorSpec, ...]
    weights: int
    inputs: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    outputs: Mapping[str, np.ndarray]

    def distances(self, outputs: Mapping[str, np.ndarray]) -> dict[str, Distance]:
        """Returns how far outputs on these examples are from the Keras model's, by name."""
        return {
            name: distance(outputs[name], reference, self.labels.get(name))
            for name, reference in self.outputs.items()
        }

    def right(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """Returns the share of an example's outputs that name its class, (N,); None unlabelled."""
        if not self.labels:
            return None
        hits = [outputs[name].argmax(axis=1) == known for name, known in self.labels.items()]
        shares: np.ndarray = np.mean(hits, axis=0)
        return shares

    def score(self, outputs: Mapping[str, np.ndarray]) -> float:
        """Returns how good outputs are, to choose the best of several files by.

        The mean accuracy, 0…1, where labels are known; else the mean signal-to-noise ratio of
        their variation against the Keras model's, in decibels.
        """
        found = self.distances(outputs).values()
        accuracies = [item.accuracy for item in found if item.accuracy is not None]
        return float(np.mean(accuracies or [item.variation_db for item in found]))


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The checks of a file, what it says of its inputs and outputs, its operators by name."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: Mapping[str, int]
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)


def verify(
    entry: Format, settings: Settings, path: Path, expected: Expectation, *, strict: bool = False
) -> Verification:
    """Loads a file on its runtime, looks into it, runs it, and compares it with the Keras model.

    Args:
        entry: the format.
        settings: its options.
        path: the file.
        expected: what it is compared with.
        strict: whether kernels may differ no more in a deep network than in a shallow one. Without
            VNNI, ONNX Runtime's sums of 8-bit products overflow, which its plain graph shows.

    Raises:
        ArtifactError: the format's own checker or the runtime refuses the file.
    """
    graph = inspect(path)
    with open_runner(entry.runtime, path, threads=1) as runner:
        given, wanted = runner.inputs, runner.outputs
        checks = [
            _check_format(path),
            *_check_tensors("input", given, expected.input_specs, settings),
            *_check_tensors("output", wanted, expected.output_specs, settings),
            _check_size(path.stat().st_size, expected.weights, graph, entry),
            *_check_graph(graph, entry, settings),
        ]
        if all(check.passed for check in checks):
            noise = depth(graph.products)
            count = len(next(iter(expected.inputs.values())))
            for name, found in expected.distances(predict(runner, expected.inputs)).items():
                judged = name in expected.labels
                own = check_distance(found, entry, count=count, judged=judged, noise=noise)
                checks += _of_output(expected, name, own)
            allowed = 1.0 if strict else noise
            checks += check_runtimes(entry, settings, path, runner, expected, allowed)
    return Verification(
        inputs=given,
        outputs=wanted,
        operators=dict(Counter(graph.operators)),
        checks=tuple(checks),
    )


def _of_output(expected: Expectation, name: str, checks: list[Check]) -> list[Check]:
    """Returns an output's checks, called after it unless it is the model's first."""
    if name == expected.output_specs[0].name:
        return checks
    return [replace(check, name=f"{check.name}:{name}") for check in checks]


def _check_format(path: Path) -> Check:
    """The format's own checker; it raises for a file that it refuses."""
    if path.suffix == ".onnx":
        import onnx

        try:
            onnx.checker.check_model(path, full_check=True)
        except onnx.checker.ValidationError as error:
            raise ArtifactError(f"{path}: onnx.checker refuses it: {error}") from error
        return Check(name="format_checker", value="onnx.checker", limit="accepts", passed=True)
    # LiteRT verifies the flatbuffer whenever it loads a file, as it just did
    return Check(name="format_checker", value="flatbuffer verifier", limit="accepts", passed=True)


def _check_tensors(
    side: str, found: tuple[TensorSpec, ...], expected: tuple[TensorSpec, ...], settings: Settings
) -> list[Check]:
    """What is not float, such as the numbers of words, stays what it is in every format."""
    by_name = {spec.name: spec for spec in found}
    checks = []
    for spec in expected:
        dtype = settings.io_dtype if spec.is_float else spec.dtype
        asked = TensorSpec(name=spec.name, shape=(settings.batch, *spec.shape[1:]), dtype=dtype)
        quantized = spec.is_float and settings.io_dtype != "float32"
        given = by_name.get(spec.name)
        matches = given is not None and (given.shape, given.dtype) == (asked.shape, asked.dtype)
        checks.append(
            Check(
                name=side if len(expected) == 1 else f"{side}:{spec.name}",
                value=", ".join(map(str, found)) if given is None else str(given),
                limit=f"{asked}{' with scale' if quantized else ''}",
                passed=matches and (given is not None and given.scale is not None) == quantized,
            )
        )
    return checks


def _check_size(size_bytes: int, weights: int, graph: Graph, entry: Format) -> Check:
    exact = weights * BITS_PER_WEIGHT[entry.weights] // 8
    # int4 formats keep convolutions and the last layer in int8
    most = exact * 2 if entry.weights == "int4" else exact
    overhead = SIZE_OVERHEAD_BYTES + SIZE_OVERHEAD_BYTES_AN_OPERATOR * len(graph.operators)
    overhead += SIZE_OVERHEAD_BYTES_A_CHANNEL * graph.channels
    low = round(exact * (1 - SIZE_FOLDED_SHARE))
    high = round(most * (1 + SIZE_OVERHEAD_SHARE)) + overhead
    return Check(
        name="size_bytes",
        value=size_bytes,
        limit=f"{low} to {high} for {weights} {entry.weights} weights",
        passed=low <= size_bytes <= high,
    )


def _check_graph(graph: Graph, entry: Format, settings: Settings) -> list[Check]:
    def none_of(name: str, found: list[str]) -> Check:
        return Check(name=name, value=", ".join(found) or "none", limit="none", passed=not found)

    checks = [none_of("foreign_operators", list(graph.foreign_operators))]
    if entry.calibrated:
        checks.append(none_of("float_operators", list(graph.float_operators)))
    if settings.batch is not None:
        shape = [name for name in graph.operators if name in SHAPE_ARITHMETIC]
        checks.append(none_of("shape_operators", shape))
    for asked in settings.sparsities[:1]:
        pruned = np.concatenate([kernel.ravel() for kernel in graph.kernels[:-1]])
        sparsity = float(np.mean(pruned == 0))
        least = asked - SPARSITY_SLACK
        checks.append(
            Check(name="sparsity", value=sparsity, limit=f">= {least:g}", passed=sparsity >= least)
        )
    if settings.clusters is not None:
        distinct = max(int(np.unique(kernel).size) for kernel in graph.kernels)
        checks.append(
            Check(
                name="distinct_weights",
                value=distinct,
                limit=f"<= {settings.clusters}",
                passed=distinct <= settings.clusters,
            )
        )
    return checks
