"""Few examples, each of them both to calibrate and to verify on: by cross-validation.

Where examples are few, a fifth of them tells little of a file, and ranges want all of them. So each
is held out once: of a file of the same method that the others calibrated. All of them calibrate the
file that is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from export.convert.calibrate.calibration import representative_dataset
from export.convert.source import SourceModel
from export.data.split import FEW_EXAMPLES
from export.verify.expectation import Expectation
from train.common.preprocessing import Preprocessing
from train.common.samples import Samples
from train.data.fashion_mnist import SPLIT_SEED

MAX_WORK = 40_000_000  # weights times examples: larger models would take too long
FOLDS = 4
MIN_FOLD = 4  # examples


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Some examples that are held out.

    Attributes:
        source: the model, with the others to calibrate.
        places: which of all examples are held out, (n,) ascending.
        expected: what files are compared with on those.
    """

    source: SourceModel
    places: np.ndarray
    expected: Expectation


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """All examples, and the folds that they are split into.

    Attributes:
        source: the model, with all of them to calibrate.
        expected: what files are compared with on all of them.
        folds: each example is in one.
    """

    source: SourceModel
    expected: Expectation
    folds: tuple[Fold, ...]

    def joined(self, outputs: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Returns the outputs of the folds, (n, …) by name of each, as those of all examples."""
        order = np.argsort(np.concatenate([fold.places for fold in self.folds]))
        return {
            name: np.concatenate([found[name] for found in outputs])[order] for name in outputs[0]
        }


def cross_validation(
    source: SourceModel,
    expected: Expectation,
    samples: Samples,
    how: Mapping[str, Preprocessing],
    folder: Path,
) -> CrossValidation | None:
    """Returns the folds of all examples; None where they are too many, or too few to split.

    Args:
        source: the model.
        expected: what files are compared with on all examples.
        samples: all of them, raw, in the same order.
        how: their preprocessing.
        folder: a temporary one.
    """
    count = len(samples)
    parts = min(FOLDS, count // MIN_FOLD)
    if parts < 2 or count > FEW_EXAMPLES or count * expected.weights > MAX_WORK:
        return None
    order = np.random.RandomState(SPLIT_SEED).permutation(count)
    folds = [np.sort(order[start::parts]) for start in range(parts)]

    def calibrated_on(places: np.ndarray, name: str) -> SourceModel:
        made = representative_dataset(samples, places, how, source.inputs)
        made = replace(made, sha256=samples.take(places).inputs_sha256())
        place = folder / name
        place.mkdir()
        return source.calibrated_on(made, place)

    return CrossValidation(
        source=calibrated_on(np.arange(count), "all"),
        expected=expected,
        folds=tuple(
            Fold(
                source=calibrated_on(np.setdiff1d(np.arange(count), places), f"fold-{number}"),
                places=places,
                expected=part(expected, places),
            )
            for number, places in enumerate(folds)
        ),
    )


def part(expected: Expectation, places: np.ndarray) -> Expectation:
    """Returns what files are compared with on some of the examples, at those places (n,)."""
    inputs, labels, outputs = (
        {name: values[places] for name, values in found.items()}
        for found in (expected.inputs, expected.labels, expected.outputs)
    )
    return replace(expected, inputs=inputs, labels=labels, outputs=outputs, rounded_otherwise=None)
