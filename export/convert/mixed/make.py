"""A mixed format: plain integers if they keep within the limits, else the fewest in float."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from export.convert.calibrate.folds import part
from export.convert.candidates.made import Made, finished
from export.convert.candidates.ranking import Candidate
from export.convert.candidates.trials import Trials, runnable
from export.convert.mixed.judge import Judge, Judgement, Limits, examples_needed
from export.convert.mixed.probes.figures import figures_of
from export.convert.mixed.probes.operators import Operator
from export.convert.mixed.report import operator_reports, probe_of
from export.convert.mixed.search import Choice, Search
from export.convert.mixed.trials import MOST_TRIED, MixedTrials, noise_of, suspects
from export.convert.source import SourceModel
from export.formats.settings import DEFAULT_MAX_DROP, DEFAULT_MAX_FLOAT_SHARE, Settings
from export.formats.table import Format
from export.layer_report import FloatOperator, LayerReport, Mixture, OperatorReport, Outcome
from export.model.reason import refused
from export.verify.expectation import Expectation
from export.verify.floors import depth_noise
from export.verify.graph.read import read_graph
from train.common.errors import CheckError, ToolkitError

BYTES = {"int8": 1, "float32": 4, "float16": 2}
MOST_COMPARED = 6_000  # examples that tell one calibration from another
CANNOT_SEARCH = "its operators cannot be quantized one by one"


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found.

    Attributes:
        in_float: the operators in float, in order.
        tried: what was judged, by the names in float.
        of: how many operators could be in float; None where they were not looked at.
        alone: how good the model is with one operator quantized, by its name.
    """

    tried: Mapping[frozenset[str], Judgement]
    in_float: Sequence[FloatOperator] = ()
    of: int | None = None
    alone: Mapping[str, Outcome] = field(default_factory=dict)


def make_mixed(
    entry: Format, settings: Settings, source: SourceModel, expected: Expectation, staged: Path
) -> Made:
    """Converts a mixed format to a staged file and verifies it.

    Calibration and the scheme of the weights are those that the plain integer file does best with.

    Raises:
        ToolkitError: the converter cannot convert this model; the held-out examples are too few to
            show that a limit is kept; no mixture is within the limits (which came closest is said).
        CheckError: the file does not do what the model does; the check is named.
    """
    limits = Limits(max_drop=DEFAULT_MAX_DROP if settings.max_drop is None else settings.max_drop)
    _check_examples(entry, limits, expected)
    path = staged / f"{entry.name}{entry.suffix}"
    some = part(expected, np.arange(min(MOST_COMPARED, expected.count)))
    candidates = Trials(entry=entry, settings=settings, source=source, expected=some, path=path)
    ranked = candidates.best_first()
    if not ranked:
        raise candidates.refusals[0]
    best = ranked[0]
    path.write_bytes(best.run_as)
    noise = depth_noise(read_graph(path).depth)
    judge = Judge(entry=entry, expected=expected, limits=limits, noise=noise)
    trials = MixedTrials(
        entry=entry,
        settings=replace(settings, weight_schemes=(best.scheme,) if best.scheme else ()),
        method=best.method,
        source=source,
        expected=expected,
        path=path,
    )
    plain = _judged(trials, judge, frozenset())
    found = Found(tried={frozenset(): plain})
    if not (plain.within and plain.agrees):
        try:
            found = _search(trials, judge, best, plain)
        except ToolkitError:  # such as of a loop, of which no operator can be looked at
            if not plain.within:
                raise
    if found.in_float:
        content = trials.content(each.name for each in found.in_float)
        best = replace(best, content=content, run_as=runnable(content, best.scheme, settings))
    made = finished(replace(candidates, expected=expected), best)
    if not isinstance(made, Made):
        raise CheckError(f"{entry.name} was not written: {made.reasons}")
    return replace(
        made,
        layers=None if made.layers is None else _with_outcomes(made.layers, found),
        mixture=_mixture(made, found, limits, _max_share(settings)),
    )


def _check_examples(entry: Format, limits: Limits, expected: Expectation) -> None:
    needed = examples_needed(limits.max_drop)
    if expected.labels and expected.count < needed:
        raise ToolkitError(
            f"{entry.name}: got {expected.count:,} held-out examples, expected at least "
            f"{needed:,}, as fewer cannot show that a file loses at most "
            f"{100 * limits.max_drop:g} points; give more data or a larger --max-drop"
        )


def _max_share(settings: Settings) -> float:
    asked = settings.max_float_share
    return DEFAULT_MAX_FLOAT_SHARE if asked is None else asked


def _judged(trials: MixedTrials, judge: Judge, in_float: frozenset[str]) -> Judgement:
    """Judges a mixture; one that cannot be made, or run, is not within the limits."""
    try:
        return judge.judge(trials.outputs(in_float, trials.expected.inputs))
    except ToolkitError as error:
        return Judgement(
            accuracy_drop=None, drop_high=None, snr_db=None, unlike=str(error), within=False
        )


def _search(trials: MixedTrials, judge: Judge, best: Candidate, plain: Judgement) -> Found:
    """Returns the mixture with the fewest operators in float.

    Raises:
        ToolkitError: none is within the limits.
    """
    entry, settings = trials.entry, trials.settings
    with refused(f"{entry.name}: {CANNOT_SEARCH}"):
        probe = probe_of(entry, settings, best.method, best.run_as, trials.source, trials.expected)
        reports = operator_reports(probe, figures_of(probe), trials.source)
    own = {each.name: each.own_snr_db for each in reports}
    operators = tuple(each for each in probe.operators if each.optional)
    trials.operators = operators
    first, others = suspects(operators, own, trials.expected.weights)
    ordered = [*first, *others]
    alone = {operator.name: trials.alone(operator) for operator in first}
    total = max(1, sum(each.multiplications for each in probe.operators))
    fixed = sum(each.multiplications for each in probe.operators if each.in_float) / total
    least = min((each.multiplications for each in operators if each.multiplications), default=0)
    search = Search(
        choices=_ranked(ordered, alone, total),
        judge=lambda in_float: _judged(trials, judge, in_float),
        within=lambda judged: judged.within,
        # something has to be left in integers
        max_share=min(_max_share(settings), 1 - least / total / 2) - fixed,
        tried={frozenset(): plain},
    )
    chosen = _fewest(search)
    if chosen is None and others:  # it takes knowing what more of them add
        more = others[: MOST_TRIED - len(first)]
        alone |= {operator.name: trials.alone(operator) for operator in more}
        search.choices = _ranked(ordered, alone, total)
        chosen = _fewest(search)
    if chosen is None:
        raise ToolkitError(_none_within(entry, settings, judge, search, len(operators)))
    reasons = [
        FloatOperator(
            name=each.name,
            operator=each.operator,
            layer=each.layer,
            why=_why(each, alone.get(each.name)),
        )
        for each in reports
        if each.name in chosen
    ]
    return Found(in_float=reasons, of=len(operators), tried=search.tried, alone=alone)


def _ranked(
    operators: Sequence[Operator], alone: Mapping[str, Outcome], total: int
) -> list[Choice]:
    """Returns those quantized alone, the one that adds most error first; then the others."""

    def place(operator: Operator) -> float:
        return -noise_of(alone[operator.name]) if operator.name in alone else 0.0

    return [
        Choice(name=each.name, share=each.multiplications / total)
        for each in sorted(operators, key=place)
    ]


def _fewest(search: Search[Judgement]) -> frozenset[str] | None:
    """Returns what a search finds: without labels, the classes are kept where they can be."""
    search.within = lambda judged: judged.within and judged.agrees
    chosen = search.find()
    if chosen is None:
        search.within = lambda judged: judged.within
        chosen = search.find()
    return chosen


def _why(report: OperatorReport, alone: Outcome | None) -> str:
    """Returns why an operator is in float."""
    if alone is None:  # one of little error, in a large network
        return report.cause
    return f"quantized alone it leaves a centred SNR of {alone.snr_db:.1f} dB: {report.cause}"


def _none_within(
    entry: Format, settings: Settings, judge: Judge, search: Search[Judgement], count: int
) -> str:
    """Returns that no mixture is within the limits, and which came closest."""

    def excess(in_float: frozenset[str]) -> tuple[float, float]:
        judged = search.tried[in_float]
        drop = math.inf if judged.drop_high is None else judged.drop_high
        return drop, -(-math.inf if judged.snr_db is None else judged.snr_db)

    closest = min(search.tried, key=excess)
    wanted = []
    if judge.expected.labels:
        wanted.append(f"loses at most {100 * judge.limits.max_drop:g} points of accuracy")
    if judge.expected.outputs.keys() - judge.expected.labels.keys():
        wanted.append(f"has a centred SNR of {judge.limits.min_snr_db:g} dB")
    share, options = _max_share(settings), ["--max-drop"] if judge.expected.labels else []
    remedy = f"allow more with {' or '.join([*options, '--max-float-share'])}"
    if settings.io_dtype != "float32":
        remedy += f", or leave out --io {settings.io_dtype}, so that inputs and outputs are float"
    return (
        f"{entry.name}: no mixture {' and '.join(wanted)} with at most {share:.0%} of the "
        f"multiplications in float; closest, with {len(closest)} of {count} operators in float: "
        f"{search.tried[closest].text}; {remedy}"
    )


def _with_outcomes(layers: LayerReport, found: Found) -> LayerReport:
    """Returns the report with how good the model is with each operator quantized alone."""
    operators = [replace(each, alone=found.alone.get(each.name)) for each in layers.operators]
    return replace(layers, operators=tuple(operators))


def _mixture(made: Made, found: Found, limits: Limits, max_share: float) -> Mixture:
    """Returns what a manifest records of a mixture."""
    graph, layers = read_graph(made.path), made.layers
    numbers: Counter[str] = Counter()
    for weights in graph.products:
        numbers[weights.dtype] += weights.size * BYTES.get(weights.dtype, 1)
    listed = () if layers is None else layers.operators
    return Mixture(
        operators=tuple(found.in_float),
        of=sum(not each.in_float for each in listed) if found.of is None else found.of,
        float_operators=dict(Counter((*graph.float_operators, *graph.float_tail))),
        int8_multiplications=None if layers is None else layers.int8_multiplications,
        int8_bytes=numbers["int8"] / numbers.total() if numbers.total() else 1.0,
        max_drop=limits.max_drop,
        min_snr_db=limits.min_snr_db,
        max_float_share=max_share,
        tried=tuple(judged.attempt(len(names)) for names, judged in found.tried.items()),
    )
