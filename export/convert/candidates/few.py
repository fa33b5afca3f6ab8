"""Few examples to calibrate with, some of which lie outside of what the others span."""

from dataclasses import replace

import numpy as np

from export.convert.calibrate.folds import part
from export.convert.candidates.ranking import Candidate
from export.convert.candidates.trials import Trials
from export.formats.settings import Settings
from export.manifest import Observation
from export.verify.file import ODD_EXAMPLES, Verification, verify

MOST_ODD = 0.05  # of the examples


def but_for_few(trials: Trials, settings: Settings, best: Candidate) -> Verification:
    """Verifies a file by cross-validation, without the few examples that the others don't span.

    By cross-validation, every example that a range ends at lies outside of the ranges that judge
    it, so that a few alone can fail a file that they calibrate. They are left out if the file
    itself, whose ranges they are in, is right on all examples, theirs too: it is not their
    rounding that is at fault. The bare converters' file of so few examples clips as much.

    Args:
        trials: of a format, with folds; the file is at their path.
        settings: its options.
        best: the candidate, with outputs by cross-validation.

    Returns:
        That of the most examples that passes, with a note of how many are left out; else what
        failed.
    """
    entry, path, expected = trials.entry, trials.path, trials.expected
    found = verify(entry, settings, path, expected)
    if found.failed or best.held_out is None:
        return found
    worst_first = np.argsort(-best.errors.sum(axis=0))
    for count in range(int(MOST_ODD * expected.count) + 1):  # none of fewer than 20
        kept = np.sort(worst_first[count:])
        outputs = {name: values[kept] for name, values in best.held_out.items()}
        found = verify(entry, settings, path, part(expected, kept), outputs)
        if not found.failed:
            text = f"{count} of {expected.count}"
            seen = (*found.observations, Observation(name=ODD_EXAMPLES, value=text))
            return replace(found, observations=seen)
    return found
