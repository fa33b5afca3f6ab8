"""What a worker is to load and run. Light."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from train.common.preprocessing import Preprocessing, preprocessing_from_json
from train.common.tensors import TensorSpec, spec_from_json


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to load.

    Attributes:
        name: the format, for messages.
        runtime: the runtime that runs the file.
        mode: how, as in `export.runners.MODES`; None for the default.
        threads: how many threads the runtime may use.
        file: the exported file.
        inputs: the inputs that the file must have; None to take them as they are.
        outputs: the same of the outputs.
        preprocessing: what turns raw values into inputs, by the input's name.
        raw: an `.npy` file of raw test values, (N, …), by the input's name.
    """

    name: str
    runtime: str
    mode: str | None
    threads: int
    file: Path
    inputs: tuple[TensorSpec, ...] | None
    outputs: tuple[TensorSpec, ...] | None
    preprocessing: Mapping[str, Preprocessing]
    raw: Mapping[str, Path]

    def as_json(self) -> dict[str, Any]:
        """Returns the job as a JSON object."""
        raw = {name: str(path) for name, path in self.raw.items()}
        return {**asdict(self), "file": str(self.file), "raw": raw}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Job":
        """Returns the job that `as_json` wrote."""
        specs = {
            side: None if fields[side] is None else tuple(map(spec_from_json, fields[side]))
            for side in ("inputs", "outputs")
        }
        raw = {name: Path(path) for name, path in fields["raw"].items()}
        how = preprocessing_from_json(fields["preprocessing"])
        file = Path(fields["file"])
        return cls(**{**fields, **specs, "file": file, "preprocessing": how, "raw": raw})
