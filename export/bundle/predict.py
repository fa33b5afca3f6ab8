"""Classifies images with one exported model: numpy and the model's own runtime, no more. Light.

`python predict.py artifacts/tflite-int8.tflite image.npy`: an array (28, 28) or (N, 28, 28) uint8,
or a picture, light on dark, where Pillow is installed. Prints a class and its probability each.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np


def load_images(path: Path, shape: tuple[int, int]) -> np.ndarray:  # noqa: D103
    if path.suffix != ".npy":
        from PIL import Image

        return np.asarray(Image.open(path).convert("L").resize(shape[::-1]))[np.newaxis]
    images: np.ndarray = np.load(path, allow_pickle=False)
    if images.dtype != np.uint8 or images.shape[-2:] != shape or images.ndim > 3:
        raise ValueError(f"{path}: got {images.dtype} {images.shape}, expected uint8 (N, 28, 28)")
    return images.reshape(-1, *shape)


def run(path: Path, runtime: str, images: np.ndarray) -> list[np.ndarray]:  # noqa: D103
    if runtime == "onnxruntime":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return [session.run(None, {"image": image})[0] for image in images]
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(model_path=str(path)).get_signature_runner()
    return [model(image=image)["probabilities"] for image in images]


def main(model_path: Path, image_path: Path) -> None:  # noqa: D103
    manifest = json.loads(model_path.with_suffix(".json").read_text(encoding="utf-8"))
    if hashlib.sha256(model_path.read_bytes()).hexdigest() != manifest["sha256"]:
        raise ValueError(f"{model_path} is not the file of its manifest; copy the bundle again")
    (given,), (wanted,), scaling = (manifest[k] for k in ("inputs", "outputs", "preprocessing"))
    values = load_images(image_path, tuple(given["shape"][1:])) * np.float32(scaling["scale"])
    values += np.float32(scaling["offset"])
    if given["scale"] is not None:  # real value = (integer - zero point) * scale
        values, limits = values / np.float32(given["scale"]), np.iinfo(given["dtype"])
        values = (np.rint(values) + given["zero_point"]).clip(limits.min, limits.max)
    zero_point, scale = np.float32(wanted["zero_point"] or 0), np.float32(wanted["scale"] or 1)
    for output in run(model_path, manifest["runtime"], values.astype(given["dtype"])[:, None]):
        found = (output[0] - zero_point) * scale
        print(f"{manifest['labels'][found.argmax()]} {found.max():.3f}")


if __name__ == "__main__":
    try:
        main(*map(Path, sys.argv[1:]))
    except (ImportError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        print(f"error: {error}; usage: python predict.py MODEL IMAGE", file=sys.stderr)
        sys.exit(2)
