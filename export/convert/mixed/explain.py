"""How good a file would be with one operator quantized alone, and with one left out."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from export.convert.candidates.trials import Trials, runnable
from export.convert.mixed.probes.operators import Operator
from export.convert.mixed.report import layer_report, probe_of
from export.convert.mixed.trials import CRASHES, MixedTrials, suspects
from export.convert.source import SourceModel
from export.convert.tflite.converter import recurrent_ways
from export.convert.tflite.file.shipped import shipped
from export.formats.settings import Settings
from export.formats.table import Format
from export.layer_report import LayerReport
from export.manifest import Manifest
from export.model.reason import refused
from export.runtimes.open import open_runner
from export.verify.causes import causes
from export.verify.expectation import Expectation
from export.verify.file import verify
from train.common.errors import ToolkitError

CANNOT_EXPLAIN = "its operators cannot be quantized one by one"


def explained(
    entry: Format,
    settings: Settings,
    manifest: Manifest | None,
    source: SourceModel,
    expected: Expectation,
    folder: Path,
) -> LayerReport:
    """Returns the report of a file, with what each operator does alone, and left out.

    Of very large networks only the operators that add most error are tried. TensorFlow's quantizer
    to int16 can leave nothing in float; there the report has neither.

    Args:
        entry: the format.
        settings: its options.
        manifest: of the file; None of one that failed its checks, which is made again.
        source: the model.
        expected: what the file was verified against.
        folder: a temporary one.

    Raises:
        ToolkitError: the file cannot be made of this model, or its operators not be looked at.
    """
    path = folder / f"explained{entry.suffix}"
    if manifest is None:
        layers, trials = _of_a_candidate(entry, settings, source, expected, path)
    else:
        layers, trials = _of_a_file(entry, settings, manifest, source, expected, path)
    if entry.activations == "int16":
        return layers
    own = {each.name: each.own_snr_db for each in layers.operators}
    there = [o for o in trials.operators if o.name in own and o.name not in trials.base]
    tried, _ = suspects(there, own, expected.weights)
    alone = {each.name: trials.alone(each) for each in tried}
    left_out = {each.name: trials.left_out(each) for each in tried}
    reports = (
        replace(each, alone=alone.get(each.name), left_out=left_out.get(each.name))
        for each in layers.operators
    )
    layers = replace(layers, operators=tuple(reports))
    return layers if settings.io_dtype == "float32" else _with_io(layers, trials)


def _with_io(layers: LayerReport, trials: MixedTrials) -> LayerReport:
    """Returns a report with what integer inputs and outputs cost, whatever computes in between."""
    alone, expected = trials.none(), trials.expected
    if alone is CRASHES:
        return layers
    with open_runner(trials.entry.runtime, trials.path, threads=1) as runner:
        found = causes(runner.inputs, runner.outputs, expected.inputs, expected.outputs)
    return replace(layers, io_alone=alone, io_cause="; ".join(found))


def _of_a_candidate(
    entry: Format, settings: Settings, source: SourceModel, expected: Expectation, path: Path
) -> tuple[LayerReport, MixedTrials]:
    """Returns the report of the best file that can be made, whatever its checks say."""
    trials = Trials(entry=entry, settings=settings, source=source, expected=expected, path=path)
    ranked = trials.best_first()
    if not ranked:
        raise trials.refusals[0]
    best = ranked[0]
    settings = replace(settings, weight_schemes=(best.scheme,) if best.scheme else ())
    path.write_bytes(best.run_as)
    with refused(f"{entry.name}: {CANNOT_EXPLAIN}"):
        verification = verify(entry, settings, path, expected)
        layers = layer_report(
            entry, settings, best.method, best.run_as, verification, source, expected
        )
    made = _trials(entry, settings, best.method, source, expected, path)
    made.operators = _optional(made, best.content, best.scheme)
    return layers, made


def _of_a_file(
    entry: Format,
    settings: Settings,
    manifest: Manifest,
    source: SourceModel,
    expected: Expectation,
    path: Path,
) -> tuple[LayerReport, MixedTrials]:
    """Returns the report of a file that was written, and what makes files like it."""
    if manifest.layers is None:
        raise ToolkitError(f"{entry.name}: {CANNOT_EXPLAIN}; the manifest says why (layers)")
    method = None if manifest.calibration is None else manifest.calibration.method
    scheme = None if manifest.weight_scheme is None else manifest.weight_scheme.scheme
    written = manifest.artifact_path.read_bytes()
    for attempt in _attempts(entry, settings, scheme, source):
        trials = _trials(entry, attempt, method, source, expected, path)
        plain = trials.content(())
        trials.operators = _optional(trials, plain, scheme)
        trials.base = frozenset(() if manifest.mixture is None else manifest.mixture.names)
        again = trials.content(()) if trials.base else plain
        if shipped(again, entry, attempt) == written:
            return manifest.layers, trials
    raise ToolkitError(
        f"{entry.name}: the file cannot be made again with the same bytes, so that its operators "
        "cannot be tried; make it again with --force"
    )


def _trials(
    entry: Format,
    settings: Settings,
    method: str | None,
    source: SourceModel,
    expected: Expectation,
    path: Path,
) -> MixedTrials:
    return MixedTrials(
        entry=entry, settings=settings, method=method, source=source, expected=expected, path=path
    )


def _optional(trials: MixedTrials, plain: bytes, scheme: str | None) -> tuple[Operator, ...]:
    """Returns the operators of a plain integer file that could be in float."""
    with refused(f"{trials.entry.name}: {CANNOT_EXPLAIN}"):
        content = runnable(plain, scheme, trials.settings)
        probe = probe_of(
            trials.entry,
            trials.settings,
            trials.method,
            content,
            trials.source,
            trials.expected,
        )
    return tuple(each for each in probe.operators if each.optional)


def _attempts(
    entry: Format, settings: Settings, scheme: str | None, source: SourceModel
) -> Iterator[Settings]:
    """Yields the options by which a file may have been made, of those that are tried in turn."""
    settings = replace(settings, weight_schemes=(scheme,) if scheme else ())
    ways = recurrent_ways(source, entry, settings) if entry.family == "tflite" else [settings]
    for way in ways:
        for share in way.int8_shares or (None,):
            yield way if share is None else replace(way, int8_shares=(share,))
