"""The report of an integer file's operators, for its manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import overload

import numpy as np
import onnx

from export.convert.calibrate.calibration import audit_examples
from export.convert.candidates.diagnosis import layer_of
from export.convert.mixed.causes import Seen, cause_of
from export.convert.mixed.probes.figures import Figures, figures_of, weight_spread
from export.convert.mixed.probes.onnx_probe import probe_onnx
from export.convert.mixed.probes.operators import Operator, Probe
from export.convert.mixed.probes.tflite_probe import probe_tflite
from export.convert.onnx.calibrate.equalize import equalized
from export.convert.onnx.float_model import to_onnx
from export.convert.onnx.quantizer import prepare
from export.convert.onnx.recurrent.choice import choose
from export.convert.source import SourceModel
from export.convert.tflite.converter import float_twin, recurrent_names
from export.formats.calibration import EQUALIZED
from export.formats.settings import Settings
from export.formats.table import Format
from export.layer_report import LayerReport, OperatorReport, Outcome
from export.manifest import Observation
from export.model.reason import refused
from export.verify.distance import classes_in
from export.verify.expectation import Expectation
from export.verify.file import Verification
from train.common.errors import ToolkitError

MOST_EXAMPLES = 64
MOST_LISTED = 256
CANNOT_PROBE = "its operators cannot be looked at one by one"
DIGITS = 4  # of a figure


def has_report(entry: Format) -> bool:
    """Returns whether a format's operators can be told: a float file has the same tensors.

    Fine-tuned copies have no such file.
    """
    return entry.calibrated and not entry.recipes


def probe_of(
    entry: Format,
    settings: Settings,
    method: str | None,
    content: bytes,
    source: SourceModel,
    expected: Expectation,
) -> Probe:
    """Returns the operators of an integer file, calibrated so, run on some held-out examples."""
    count = min(MOST_EXAMPLES, audit_examples(expected.weights))
    some = {name: values[:count] for name, values in expected.inputs.items()}
    if entry.family == "tflite":
        found = probe_tflite(float_twin(source, entry, settings, method), content, some)
        return replace(found, layers=recurrent_names(source, entry, settings))
    choice = choose(source.recurrent_layers(), entry, settings.recurrent)
    prepared = prepare(to_onnx(settings, source, choice), source)
    if method == EQUALIZED:
        prepared = equalized(prepared, source.representative.inputs)
    return probe_onnx(onnx.load(prepared), onnx.load_from_string(content), some)


def report_of(
    entry: Format,
    settings: Settings,
    method: str | None,
    content: bytes,
    verification: Verification,
    source: SourceModel,
    expected: Expectation,
) -> LayerReport | Observation | None:
    """Returns the report of a file, why there is none, or None of a format that has none."""
    if not has_report(entry):
        return None
    try:
        with refused(CANNOT_PROBE):
            return layer_report(entry, settings, method, content, verification, source, expected)
    except ToolkitError as error:
        return Observation(name="layers", value=str(error))


def layer_report(
    entry: Format,
    settings: Settings,
    method: str | None,
    content: bytes,
    verification: Verification,
    source: SourceModel,
    expected: Expectation,
) -> LayerReport:
    """Returns the report of a file, without what needs operators to be quantized one by one.

    Args:
        entry: the format.
        settings: its options.
        method: how it was calibrated.
        content: the file.
        verification: what verifying it found.
        source: the model.
        expected: what the file was verified against.
    """
    probe = probe_of(entry, settings, method, content, source, expected)
    figures = figures_of(probe)
    reports = operator_reports(probe, figures, source)
    listed = sorted(reports, key=_own_noise)[:MOST_LISTED]
    kept = {report.name for report in listed}
    in_float = outcome_of(expected.outputs, expected)
    return LayerReport(
        examples=max((found.examples for found in figures.values()), default=0),
        float_outcome=in_float,
        outcome=_verified(verification, in_float),
        int8_multiplications=integer_share(probe.operators),
        operators=tuple(report for report in reports if report.name in kept),
        not_listed=len(reports) - len(kept),
    )


def operator_reports(
    probe: Probe, figures: Mapping[str, Figures], source: SourceModel
) -> list[OperatorReport]:
    """Returns what is to be said of each operator that wrote anything, in order."""
    layers = {name: probe.layers.get(name) or layer_of(name, source) for name in figures}
    return [
        _report(operator, figures[operator.output], figures, probe, layers)
        for operator in probe.operators
        if operator.output in figures and figures[operator.output].numbers
    ]


def integer_share(operators: Sequence[Operator]) -> float:
    """Returns the share of the multiplications that are of integers, 0…1; 1 of none."""
    total = sum(operator.multiplications for operator in operators)
    floats = sum(operator.multiplications for operator in operators if operator.in_float)
    return 1 - floats / total if total else 1.0


def _verified(verification: Verification, in_float: Outcome) -> Outcome:
    """Returns how good a file is, by the checks of its outputs."""
    found: dict[str, list[float]] = {"accuracy_drop": [], "variation_db": []}
    for check in verification.checks:
        name = check.name.partition(":")[0]
        if name in found:
            found[name].append(float(check.value))
    drops, ratios = found.values()
    accuracy = in_float.accuracy
    if accuracy is not None and drops:
        accuracy = min(1.0, max(0.0, accuracy - float(np.mean(drops))))
    return Outcome(
        accuracy=rounded(accuracy), snr_db=rounded(float(np.mean(ratios)) if ratios else 0.0)
    )


def _own_noise(report: OperatorReport) -> float:
    return float("inf") if report.own_snr_db is None else report.own_snr_db


def _report(
    operator: Operator,
    found: Figures,
    figures: Mapping[str, Figures],
    probe: Probe,
    layers: Mapping[str, str],
) -> OperatorReport:
    limits, has_channels = operator.range, found.lows.size > 0
    seen = Seen(
        operator=operator, figures=found, around=figures, ranges=probe.ranges, layers=layers
    )
    return OperatorReport(
        name=operator.name,
        operator=operator.kind,
        layer=layers.get(operator.output, operator.name),
        in_float=operator.in_float,
        multiplications=operator.multiplications,
        low=rounded(found.low),
        high=rounded(found.high),
        range_low=None if limits is None else rounded(limits.low),
        range_high=None if limits is None else rounded(limits.high),
        clipped_share=rounded(found.clipped / found.numbers),
        saturated_share=rounded(found.saturated / max(1, found.compared)),
        weight_spread=rounded(weight_spread(operator.weights)),
        channels=found.lows.size if has_channels else None,
        dead_channels=int(found.dead_channels.sum()) if has_channels else None,
        lost_channels=int(found.lost_channels.sum()) if has_channels else None,
        own_snr_db=rounded(None if operator.in_float else found.decibels(found.own_noise)),
        snr_db=rounded(found.decibels(found.noise)),
        cause=cause_of(seen),
    )


@overload
def rounded(value: float) -> float: ...
@overload
def rounded(value: float | None) -> float | None: ...
def rounded(value: float | None) -> float | None:
    """Returns a number with as many digits as say something, so that manifests stay small."""
    return None if value is None else float(f"{float(value):.{DIGITS}g}")


def outcome_of(outputs: Mapping[str, np.ndarray], expected: Expectation) -> Outcome:
    """Returns how good outputs on the held-out examples, (N, …) by name, are.

    Also of the first n examples alone.
    """
    count = len(next(iter(outputs.values())))
    some = replace(
        expected,
        inputs={name: values[:count] for name, values in expected.inputs.items()},
        outputs={name: values[:count] for name, values in expected.outputs.items()},
        labels={name: values[:count] for name, values in expected.labels.items()},
    )
    distances = some.distances(outputs)
    ratios = [
        found.centred_snr_db
        for name, found in distances.items()
        if not found.is_constant and not some.is_exact(name)
    ]
    accuracies = [
        float(np.mean(classes_in(outputs[name], exact=some.is_exact(name)) == labels))
        for name, labels in some.labels.items()
    ]
    return Outcome(
        accuracy=rounded(float(np.mean(accuracies))) if accuracies else None,
        snr_db=rounded(float(np.mean(ratios)) if ratios else 0.0),
    )
