"""Which of several files of a format is kept: by held-out examples, and by what it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from export.formats.calibration import WIDEST
from export.formats.settings import SIGNED_WEIGHTS

# No further apart, schemes are equally good, and the cheapest is kept. Scales for each channel cost
# bytes; what is slow takes 3 to 4 times as long, and has to be better by both together.
EQUAL_DB, SLOW_DB = 1.0, 2.0
SLOW_IF_SIGNED = "ConvInteger"  # ONNX Runtime's; all others are slow if unsigned, where it has VNNI
SIGNIFICANT = 2  # standard errors


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A file that was made and run.

    Attributes:
        method: how ranges came from the calibration examples; None where none are needed.
        scheme: how weights of 8 bits are stored; None where there is one way only.
        content: the file.
        run_as: what is run in its place on this processor: the same, or what computes here what
            the file computes on the processor that it is for.
        score: how good it is on held-out examples: `Expectation.score`, or, where there are several
            schemes, the centred SNR in decibels, which tells more apart than the accuracy.
        operators: how many of each name it has.
        errors: (M, N) of M outputs and N held-out examples, as `Expectation.errors` has them.
        wrong: (N,) the share of outputs that name another class; None without labels.
        held_out: its outputs by cross-validation, each example's of a file that it did not
            calibrate; None where other examples are held out.
    """

    method: str | None
    scheme: str | None
    content: bytes
    run_as: bytes
    score: float
    operators: Mapping[str, int]
    errors: np.ndarray = field(default_factory=lambda: np.zeros((1, 1)))
    wrong: np.ndarray | None = None
    held_out: Mapping[str, np.ndarray] | None = None


def best_scheme_first(made: Sequence[Candidate], *, has_vnni: bool) -> list[Candidate]:
    """Returns candidates of several schemes by their score, the cheapest of the best first.

    None comes first of which an output may be less exact by `EQUAL_DB` than what the quantizer
    makes by default, one signed scale: on the same held-out examples, two standard errors
    considered.

    Args:
        made: the candidates, in the order of `settings.WEIGHT_SCHEMES`: one scale is smaller than
            one for each channel.
        has_vnni: whether the processor multiplies by signed bytes at once.
    """

    def is_slow(found: Candidate) -> bool:
        is_signed = found.scheme in SIGNED_WEIGHTS
        return is_signed if SLOW_IF_SIGNED in found.operators else has_vnni and not is_signed

    def worth(found: Candidate) -> float:
        return found.score - SLOW_DB * is_slow(found)

    plain = [found for found in made if found.scheme == SIGNED_WEIGHTS[0]]
    enough = [found for found in made if not plain or _is_no_worse(found, plain[0])]
    ranked = sorted(enough, key=lambda found: -worth(found))
    equal = [found for found in enough if worth(found) >= worth(ranked[0]) - EQUAL_DB]
    first = sorted(equal, key=is_slow)[:1]
    others = [*ranked, *(found for found in made if found not in enough)]
    return [*first, *(found for found in others if found not in first)]


def best_method_first(made: Sequence[Candidate]) -> list[Candidate]:
    """Returns candidates of several methods: the first, or the best that is better; then by score.

    Better is one that names fewer wrong classes on the same held-out examples, by two standard
    errors of the paired difference; else, one whose errors are less by as much. Less than that is
    chance: of 80 examples, one or two decide. The widest ranges come last: they are for
    where no others pass, as they cost 1.9 decibels wherever nothing is clipped.
    """
    tight = [found for found in made if found.method != WIDEST]
    better = most_exact_first([found for found in tight[1:] if _is_better(found, tight[0])])
    best = better[:1] or tight[:1]
    for found in better[1:]:
        if _is_better(found, best[0]):
            best = [found]
    others = [found for found in tight if found not in best]
    ranked = [*best, *sorted(others, key=lambda found: -found.score)]
    return [*ranked, *(found for found in made if found not in ranked)]


def most_exact_first(made: Sequence[Candidate]) -> list[Candidate]:
    """Returns candidates by their errors on held-out examples, the smallest first."""
    return sorted(made, key=lambda found: float(np.sum(np.mean(found.errors, axis=1))))


def _is_no_worse(found: Candidate, than: Candidate) -> bool:
    """Returns whether no output's errors are larger by more than `EQUAL_DB`, chance considered."""
    more = found.errors - than.errors
    most = (10 ** (EQUAL_DB / 10) - 1) * np.mean(than.errors, axis=1)
    chance = SIGNIFICANT * np.std(more, axis=1) / np.sqrt(more.shape[1])
    return bool(np.all(np.mean(more, axis=1) + chance <= most))


def _is_better(found: Candidate, than: Candidate) -> bool:
    if found.wrong is not None and than.wrong is not None:
        fewer = _gain(found.wrong, than.wrong)
        if fewer:
            return fewer > 0
    less = _gain(found.errors.sum(axis=0), than.errors.sum(axis=0))
    return less > 0 and _is_no_worse(found, than)


def _gain(after: np.ndarray, before: np.ndarray) -> float:
    """Returns by how much losses of the same examples are less; 0 where that is chance."""
    gain = before - after
    error = float(np.std(gain) / np.sqrt(len(gain)))
    mean = float(np.mean(gain))
    return mean if abs(mean) > SIGNIFICANT * error else 0.0
