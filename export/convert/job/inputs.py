"""What a model is converted and verified with: preprocessing, and examples in three parts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.convert.calibrate.calibration import RepresentativeDataset
from export.formats.settings import Settings
from train.common.preprocessing import InputPreprocessing, Preprocessing
from train.common.record import ModelRecord
from train.common.samples import Samples

# Of mixed formats, which are tried by the dozen: examples, bytes of them in float32, and weights
# times examples, above which a search would take too long.
MOST_JUDGED, JUDGED_BYTES, JUDGED_WORK = 20_000, 256 << 20, 25_000_000_000


@dataclass(frozen=True, kw_only=True)
class Training:
    """Raw examples that formats with fine-tuning see, and what turns them into inputs."""

    samples: Samples
    preprocessing: InputPreprocessing


@dataclass(frozen=True, kw_only=True)
class ConversionInputs:
    """All that a conversion needs besides the model itself.

    Attributes:
        record: of the model.
        preprocessing: what turns raw values into the exports' inputs, by the input's name.
        representative: the calibration inputs; None where there is no data.
        training: examples to fine-tune on; None where there is no data.
        held_out: raw examples that calibrate nothing, to verify on; random ones without data.
        every: all raw examples, those held out too, where nobody said how many calibrate.
    """

    record: ModelRecord
    preprocessing: Mapping[str, Preprocessing]
    representative: RepresentativeDataset | None
    training: Training | None
    held_out: Samples
    every: Samples | None = None

    @property
    def own_batch(self) -> int | None:
        """The batch that the model declares."""
        return self.record.inputs[0].shape[0]

    def more_held_out(self, weights: int) -> Samples:
        """Returns the held-out examples and of the training ones as many as calibrate nothing.

        Args:
            weights: how many numbers the model's weights hold.

        Returns:
            Raw examples, those held out first; these alone where no more can be judged in time.
        """
        if self.training is None or self.representative is None:
            return self.held_out
        most = min(
            MOST_JUDGED,
            JUDGED_WORK // max(1, weights),
            JUDGED_BYTES // max(1, self._example_bytes()),
        )
        wanted = most - len(self.held_out)
        if wanted <= 0:
            return self.held_out
        others = self.training.samples
        count = min(len(others), wanted + len(self.representative))
        some = others.take(np.linspace(0, len(others) - 1, count).astype(int))
        known = {*self.representative.examples, *self.held_out.short_hashes()}
        new = [place for place, name in enumerate(some.short_hashes()) if name not in known]
        if not new:
            return self.held_out
        return self.held_out.joined(some.take(np.asarray(new[:wanted])))

    def _example_bytes(self) -> int:
        return 4 * sum(
            math.prod(size or 1 for size in spec.shape[1:]) for spec in self.record.inputs
        )

    @property
    def embeds_preprocessing(self) -> bool:
        """Whether the exports do the model's preprocessing themselves."""
        return dict(self.preprocessing) != dict(self.record.preprocessing)

    def options(self, settings: Settings) -> dict[str, Any]:
        """Returns the options that a manifest records."""
        found = settings.record()
        if self.representative is not None and settings.calibration_samples is not None:
            found["calibration_samples"] = len(self.representative)
        if self.embeds_preprocessing:
            found["embed_preprocessing"] = True
        for name in ("split_outputs", "extract_preprocessing"):
            if (self.record.request or {}).get(name):
                found[name] = True
        return found
