"""Classifies images with one exported model: numpy and the model's own runtime, no more. Light.

    python predict.py artifacts/tflite-int8.tflite image.npy

An image is an array (28, 28) or (N, 28, 28) uint8, or a picture, light on dark, through Pillow.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np


def load_images(path: Path, shape: tuple[int, int]) -> np.ndarray:  # noqa: D103
    if path.suffix == ".npy":
        images: np.ndarray = np.load(path, allow_pickle=False)
    else:
        from PIL import Image

        images = np.asarray(Image.open(path).convert("L").resize(shape[::-1]))
    if images.dtype != np.uint8 or images.shape[-2:] != shape or images.ndim > 3:
        raise ValueError(f"{path}: got {images.dtype} {images.shape}, expected uint8 (N, 28, 28)")
    return images.reshape(-1, *shape)


def load_model(path: Path, runtime: str) -> Callable[[np.ndarray], np.ndarray]:  # noqa: D103
    if runtime == "onnxruntime":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return lambda image: np.asarray(session.run(["probabilities"], {"image": image})[0])
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(model_path=str(path)).get_signature_runner()
    return lambda image: np.asarray(model(image=image)["probabilities"])


def main(model_path: Path, image_path: Path) -> None:  # noqa: D103
    manifest = json.loads(model_path.with_suffix(".json").read_text(encoding="utf-8"))
    if hashlib.sha256(model_path.read_bytes()).hexdigest() != manifest["sha256"]:
        raise ValueError(f"{model_path} is not the file of its manifest; copy the bundle again")
    (given,), (wanted,), scaling = (manifest[k] for k in ("inputs", "outputs", "preprocessing"))
    images = load_images(image_path, tuple(given["shape"][1:]))
    values = images * np.float32(scaling["scale"]) + np.float32(scaling["offset"])
    if given["scale"] is not None:  # real value = (integer - zero point) * scale
        values = np.rint(values / np.float32(given["scale"])) + given["zero_point"]
        values = values.clip(np.iinfo(given["dtype"]).min, np.iinfo(given["dtype"]).max)
    classify = load_model(model_path, manifest["runtime"])
    for value in values.astype(given["dtype"]):
        found = classify(value[np.newaxis])[0].astype(np.float32)
        if wanted["scale"] is not None:
            found = (found - np.float32(wanted["zero_point"])) * np.float32(wanted["scale"])
        print(f"{manifest['labels'][found.argmax()]} {found.max():.3f}")


if __name__ == "__main__":
    try:
        main(*map(Path, sys.argv[1:]))
    except (ImportError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        print(f"error: {error}; usage: python predict.py MODEL IMAGE", file=sys.stderr)
        sys.exit(2)
