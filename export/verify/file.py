"""Is the file what was asked for, and does it do what the Keras model does?

A converter that succeeds is not evidence: the file is loaded back on its runtime, run on
held-out training images, compared with the Keras model, and compared with itself on other
kernels and runtimes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.formats.settings import Settings
from export.formats.table import Format
from export.manifest import Check, Observation
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from export.runtimes.runner import Runner
from export.verify.causes import causes
from export.verify.expectation import Expectation
from export.verify.floors import depth_noise
from export.verify.graph.contents import SHAPE_ARITHMETIC, STATEFUL, Graph
from export.verify.graph.read import read_graph
from export.verify.kernels import MISSING_OPERATOR, TFLM, check_runtimes
from export.verify.outputs import check_channels, check_distance
from export.verify.promise import check_promise, four_bit_share
from export.verify.size import check_size, computed_in_float, parts_in_float
from train.common.errors import ArtifactError
from train.common.tensors import TensorSpec

FLOAT_TAIL = "float_tail"
ODD_EXAMPLES = "odd_examples"
SPARSITY_SLACK = 0.01
ORDER_EXAMPLES = 200  # of those that are run in two orders


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What verifying a file found.

    Attributes:
        inputs, outputs: what the file says of them.
        operators: how many operators of each name it holds.
        checks: what it can fail by.
        observations: what was seen besides.
        causes: where outputs are too far from the Keras model's, why, if that is known.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: Mapping[str, int]
    checks: tuple[Check, ...]
    observations: tuple[Observation, ...] = ()
    causes: tuple[str, ...] = ()

    @property
    def reasons(self) -> str:
        """Why the file is refused: what failed, and what is to blame."""
        return "; ".join([*(check.reason for check in self.failed), *self.causes])

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def missing_in_tflm(self) -> str | None:
        """The operator for whose lack TFLM cannot load the file; None if there is none."""
        name = f"{TFLM}{MISSING_OPERATOR}"
        return next((str(seen.value) for seen in self.observations if seen.name == name), None)


def verify(
    entry: Format,
    settings: Settings,
    path: Path,
    expected: Expectation,
    held_out: Mapping[str, np.ndarray] | None = None,
) -> Verification:
    """Loads a file on its runtime, looks into it, runs it, and compares it with the Keras model.

    Args:
        entry: the format.
        settings: its options.
        path: the file.
        expected: what it is compared with.
        held_out: the outputs that are judged, (N, …) by name, where the file itself was calibrated
            on these examples: each of a file that was not; None for the file's own.

    Raises:
        ArtifactError: the format's own checker or the runtime refuses the file.
    """
    graph = read_graph(path)
    with open_runner(entry.runtime, path, threads=1) as runner:
        given, wanted = runner.inputs, runner.outputs
        checks = [
            *_check_tensors("input", given, expected.input_specs, settings),
            *_check_tensors("output", wanted, expected.output_specs, settings),
            *_check_order("input", given, expected.input_specs),
            *_check_order("output", wanted, expected.output_specs),
            check_size(path.stat().st_size, graph),
            *check_promise(entry, graph),
            *_check_graph(graph, settings),
        ]
        blamed: list[str] = []
        findings: list[Check | Observation] = [_format_checker(path), *checks]
        if entry.calibrated and graph.float_tail:
            findings.append(Observation(name=FLOAT_TAIL, value=", ".join(graph.float_tail)))
        findings += [*parts_in_float(entry, graph), *computed_in_float(entry, graph)]
        if entry.weights == "int4":
            findings.append(four_bit_share(graph, expected.weights))
        if all(check.passed for check in checks):
            noise = depth_noise(graph.depth)
            own = predict(runner, expected.inputs)
            outputs = held_out or own
            if set(STATEFUL) & set(graph.operators):
                findings.append(_check_forgetful(runner, expected, own))
            for name, found in expected.distances(outputs).items():
                findings += check_distance(name, found, entry, expected, noise)
                if not expected.is_exact(name):
                    findings.append(check_channels(name, outputs[name], expected))
            if any(isinstance(found, Check) and not found.passed for found in findings):
                blamed = causes(
                    *(given, wanted, expected.inputs, expected.outputs), entry.activations
                )
            findings += check_runtimes(entry, settings, path, runner, expected, noise)
    return Verification(
        inputs=given,
        outputs=wanted,
        operators=dict(Counter(graph.operators)),
        checks=tuple(found for found in findings if isinstance(found, Check)),
        observations=tuple(found for found in findings if isinstance(found, Observation)),
        causes=tuple(blamed),
    )


def _check_forgetful(
    runner: Runner, expected: Expectation, outputs: Mapping[str, np.ndarray]
) -> Check:
    """Returns the check that a file answers the same whatever it was asked before.

    It is asked again in the opposite order.

    Args:
        runner: the file, which has been asked all examples once.
        expected: the examples.
        outputs: what it answered, by name.
    """
    last = slice(None, -ORDER_EXAMPLES - 1, -1)
    again = predict(runner, {name: values[last] for name, values in expected.inputs.items()})
    changed = max(
        float(np.abs(again[name] - values[last]).max(initial=0)) for name, values in outputs.items()
    )
    return Check(
        name="changed_by_earlier_calls",
        value=changed,
        limit="0, in two orders of the examples",
        passed=changed == 0,
    )


def _format_checker(path: Path) -> Observation:
    """Returns which of the format's own checkers accepted a file; raises for one it refuses."""
    if path.suffix == ".onnx":
        import onnx

        try:
            onnx.checker.check_model(path, full_check=True)
        except onnx.checker.ValidationError as error:
            raise ArtifactError(f"{path}: onnx.checker refuses it: {error}") from error
        return Observation(name="format_checker", value="onnx.checker")
    # LiteRT verifies the flatbuffer whenever it loads a file, as it just did
    return Observation(name="format_checker", value="flatbuffer verifier")


def _check_tensors(
    side: str, found: tuple[TensorSpec, ...], expected: tuple[TensorSpec, ...], settings: Settings
) -> list[Check]:
    """Checks names, shapes and dtypes; what is not float, such as token ids, stays as it is.

    A scale of 1 with zero at 0 leaves integers what they are.
    """
    by_name = {spec.name: spec for spec in found}
    checks = []
    for spec in expected:
        dtype = settings.io_dtype if spec.is_float else spec.dtype
        asked = TensorSpec(name=spec.name, shape=(settings.batch, *spec.shape[1:]), dtype=dtype)
        quantized = spec.is_float and settings.io_dtype != "float32"
        given = by_name.get(spec.name)
        matches = given is not None and (given.shape, given.dtype) == (asked.shape, asked.dtype)
        has_scale = given is not None and given.scale is not None
        if given is not None and not spec.is_float and (given.scale, given.zero_point) == (1, 0):
            has_scale = False
        checks.append(
            Check(
                name=side if len(expected) == 1 else f"{side}:{spec.name}",
                value=", ".join(map(str, found)) if given is None else str(given),
                limit=f"{asked}{' with scale' if quantized else ''}",
                passed=matches and has_scale == quantized,
            )
        )
    return checks


def _check_order(
    side: str, found: tuple[TensorSpec, ...], expected: tuple[TensorSpec, ...]
) -> list[Check]:
    """Checks that several inputs or outputs are in the Keras model's order: some go by index."""
    names, asked = (", ".join(spec.name for spec in specs) for specs in (found, expected))
    passed = names == asked
    check = Check(name=f"{side}_order", value=names, limit=asked, passed=passed)
    return [check] if len(expected) > 1 else []


def _check_graph(graph: Graph, settings: Settings) -> list[Check]:
    def none_of(name: str, found: list[str]) -> Check:
        return Check(name=name, value=", ".join(found) or "none", limit="none", passed=not found)

    checks = [none_of("foreign_operators", list(graph.foreign_operators))]
    if settings.batch is not None:
        shape = [name for name in graph.operators if name in SHAPE_ARITHMETIC]
        checks.append(none_of("shape_operators", shape))
    for asked in settings.sparsities[:1]:
        pruned = np.concatenate([kernel.ravel() for kernel in graph.kernels[:-1]])
        sparsity = float(np.mean(pruned == 0))
        checks.append(Check.at_least("sparsity", sparsity, asked - SPARSITY_SLACK))
    if settings.clusters is not None:
        distinct = max(int(np.unique(kernel).size) for kernel in graph.kernels)
        checks.append(Check.at_most("distinct_weights", distinct, settings.clusters))
    return checks
