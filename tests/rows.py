"""`python -m tests.rows --cell gru`: a recurrent network, from training to measured exports.

A picture of Fashion-MNIST is read as a sequence: 28 rows, one after the other, of 28 pixels. With
sequences of your own in place of `sequences`, and your network in place of `network`, this is all
that it takes. Ends with 1 if an export is not made, or loses more than half a point of accuracy.
"""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from train.common.command.cli import Parser, integer_between, run_program

if TYPE_CHECKING:
    import keras
    import numpy as np

    from train.data.fashion_mnist import LabelledImages

CELLS = {"gru": "GRU", "lstm": "LSTM"}
FORMATS = (
    *("tflite-float32", "tflite-float16", "tflite-dynamic", "tflite-int8", "tflite-int16x8"),
    *("onnx-float32", "onnx-float16", "onnx-dynamic", "onnx-int8"),
)
CALIBRATION = 3_000  # examples; a fifth of them verify
MOST_LOST = 0.005  # of the accuracy
SEED = 1


def main(arguments: Sequence[str]) -> int:
    """Trains, exports and measures; 1 if an export is missing, or worse than it may be."""
    parser = Parser(prog="python -m tests.rows", description=__doc__)
    parser.add_argument("--cell", choices=CELLS, default="gru", help="(gru)")
    parser.add_argument("--units", type=integer_between(1, 1_024), default=64, help="(64)")
    parser.add_argument("--epochs", type=integer_between(1, 1_000), default=6, help="(6)")
    parser.add_argument(
        "--format", default=",".join(FORMATS), metavar="NAMES", help="as of `python -m export`"
    )
    parser.add_argument("--data", type=Path, help="the folder of Fashion-MNIST, if it is not found")
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts/rows"), help="a folder")
    options = parser.parse_args(arguments)
    options.artifacts.mkdir(parents=True, exist_ok=True)
    right = train(options.cell, options.units, options.epochs, options.data, options.artifacts)
    export = [
        *(sys.executable, "-m", "export", "--model", str(options.artifacts / "model.keras")),
        *("--calibration", str(options.artifacts / "calibration.npz")),
        *("--artifacts", str(options.artifacts), "--format", options.format),
    ]
    code = subprocess.run(export, check=False).returncode
    test = options.artifacts / "test.npz"
    found = dict(accuracies(options.artifacts, test))
    print(f"{'Keras':<28} {right:.2%} of the test examples")
    for name, (accuracy, size_bytes) in found.items():
        lost = f"{100 * (accuracy - right):+.2f} points"
        print(f"{name:<28} {accuracy:.2%}, {lost}, {size_bytes:,} bytes")
    print(f"Times: python -m benchmark --artifacts {options.artifacts} --data {test}")
    behind = [name for name, (accuracy, _) in found.items() if accuracy < right - MOST_LOST]
    if behind:
        print(f"more than {100 * MOST_LOST:g} points lost: {', '.join(behind)}", file=sys.stderr)
    return code or int(bool(behind))


def train(cell: str, units: int, epochs: int, data: Path | None, folder: Path) -> float:
    """Trains a network; writes it, examples to calibrate with, and those of the test.

    Returns:
        Its accuracy on the test examples, 0…1.
    """
    import keras
    import numpy as np

    from train.data.fashion_mnist import load_test, load_train

    keras.utils.set_random_seed(SEED)
    known, test = load_train(data), load_test(data)
    model = network(cell, units)
    model.compile(
        keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(sequences(known), known.labels, batch_size=128, epochs=epochs, verbose=2)
    model.save(folder / "model.keras")
    few = slice(CALIBRATION)
    np.savez(folder / "calibration.npz", x=sequences(known)[few], y=known.labels[few])
    np.savez(folder / "test.npz", x=sequences(test), y=test.labels)
    classes = model.predict(sequences(test), batch_size=500, verbose=0).argmax(axis=1)
    return float(np.mean(classes == test.labels))


def sequences(pictures: "LabelledImages") -> "np.ndarray":
    """Returns (N, 28, 28) float32 of 0…1: examples, steps, features."""
    return pictures.images.astype("float32") / 255


def network(cell: str, units: int) -> "keras.Model":
    """Returns an untrained network of one recurrent layer."""
    import keras

    rows = keras.Input((28, 28), name="rows")
    read = getattr(keras.layers, CELLS[cell])(units)(rows)
    return keras.Model(rows, keras.layers.Dense(10, activation="softmax", name="garment")(read))


def accuracies(exports: Path, test: Path) -> Iterable[tuple[str, tuple[float, int]]]:
    """Yields each export's name, its accuracy on test examples, 0…1, and its size in bytes."""
    import numpy as np

    from export.formats.table import FORMATS as KNOWN
    from export.manifest import read_manifest
    from export.runtimes.open import open_runner
    from export.runtimes.predict import predict

    with np.load(test) as content:
        x, labels = content["x"], content["y"]
    for name in KNOWN:
        path = exports / f"{name}.json"
        if path.is_file():
            manifest = read_manifest(path)
            with open_runner(manifest.runtime, manifest.artifact_path, threads=1) as runner:
                (outputs,) = predict(runner, {"rows": x}).values()
            accuracy = float(np.mean(outputs.argmax(axis=1) == labels))
            yield name, (accuracy, manifest.size_bytes)


if __name__ == "__main__":
    run_program(main)
