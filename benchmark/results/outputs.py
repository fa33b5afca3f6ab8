"""The outputs of every row on every image, in a file beside the results.

The results hold the predicted classes only. Where outputs of two machines are compared, the file
takes them from the one to the other.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

OUTPUTS_FILE = "benchmark.outputs.npz"


def write_outputs(path: Path, outputs: Mapping[str, np.ndarray]) -> None:
    """Writes a model's first output, (N, …) float32 by the row's name."""
    # not np.savez(**…), whose own parameter's name a row might have
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in outputs.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.save(file, values, allow_pickle=False)
