"""What a model is converted and verified with: preprocessing, and examples in three parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from export.convert.calibration import RepresentativeDataset
from export.settings import Settings
from train.common.preprocessing import InputPreprocessing, Preprocessing
from train.common.record import ModelRecord
from train.common.samples import Samples


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
        if (self.record.request or {}).get("split_outputs"):
            found["split_outputs"] = True
        return found
