"""The outputs of every row on every image, in a file beside the results.

The results hold the predicted classes only. Where outputs of two machines are compared, the file
takes them from the one to the other.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from train.common.errors import ArtifactError

OUTPUTS_FILE = "benchmark.outputs.npz"
AGAIN = "run `python -m benchmark --save-outputs` again"


def write_outputs(path: Path, outputs: Mapping[str, np.ndarray]) -> None:
    """Writes a model's first output, (N, …) float32 by the row's name."""
    # not np.savez(**…), whose own parameter's name a row might have
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in outputs.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.save(file, values, allow_pickle=False)


def read_outputs(artifacts: Path) -> dict[str, np.ndarray]:
    """Returns the first output of each row, (N, …) float32 by the row's name.

    Raises:
        ArtifactError: the file is missing or corrupt.
    """
    path = artifacts / OUTPUTS_FILE
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} is not there; {AGAIN}") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{path} is corrupt ({error}); {AGAIN}") from error
