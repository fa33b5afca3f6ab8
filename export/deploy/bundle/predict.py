"""`python predict.py artifacts/tflite-int8.tflite FILE`: prints class and probability, or values.

FILE is an .npy of one example or of N, a picture (light on dark if grey), or an .npz by input name.
"""

import json
import sys
from pathlib import Path

import numpy as np

from export.manifest import check_file, read_manifest
from export.runtimes.open import open_runner
from export.runtimes.predict import predict
from train.common.command.terminal import complain, printable, protect_output
from train.common.errors import ToolkitError
from train.common.preprocessing import preprocess
from train.common.tensors import fits, shape_text


def load(path: Path, name: str, shape: tuple[int | None, ...], raw: str) -> np.ndarray:
    if path.suffix not in (".npy", ".npz"):
        from PIL import Image

        picture = Image.open(path).convert("RGB" if shape[2:] == (3,) else "L")
        size = shape[1] or picture.width, shape[0] or picture.height
        return np.asarray(picture.resize(size)).reshape(1, *size[::-1], *shape[2:])
    found = np.load(path, allow_pickle=False)
    values = np.array(found[name] if path.suffix == ".npz" else found, ndmin=len(shape) + 1)
    if not fits(values.shape[1:], shape) or not np.can_cast(values.dtype, raw, "same_kind"):
        wanted = shape_text((None, *shape))
        raise ValueError(f"{path}: got {values.dtype} {values.shape}, expected {raw} {wanted}")
    return values


def said(name: str, output: np.ndarray, labels: tuple[str, ...]) -> str:
    classes = labels if len(labels) == output.size else range(output.size)
    if classes is labels or (output.ndim == 1 < output.size and abs(output.sum() - 1) < 0.01):
        return f"{classes[output.argmax()]} {output.max():.3f}"
    return f"{name} {' '.join(f'{value:.6g}' for value in output.ravel())}"


def main(model_path: Path, path: Path) -> None:
    check_file(manifest := read_manifest(model_path.with_suffix(".json")))
    raw = json.loads(Path(__file__).with_name("bundle.json").read_text(encoding="utf-8"))["raw"]
    given = {s.name: load(path, s.name, s.shape[1:], raw[s.name]) for s in manifest.inputs}
    with open_runner(manifest.runtime, model_path, threads=1) as runner:
        outputs = predict(runner, preprocess(given, manifest.preprocessing))
    for row in zip(*outputs.values(), strict=True):
        print(printable("; ".join(map(said, outputs, row, [manifest.labels] * len(row)))))


if __name__ == "__main__":
    protect_output()
    try:
        main(*map(Path, sys.argv[1:]))
    except (ImportError, LookupError, OSError, TypeError, ValueError, ToolkitError) as error:
        complain(f"{error}; usage: python predict.py MODEL FILE")
        sys.exit(2)
