"""Pictures of the data, the search, the fit and the result."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from train.data.fashion_mnist import LabelledImages

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

ARTICLES_PER_CLASS = 10
DPI = 120
AXIS_UNITS = {"flash": "bytes", "ram": "bytes", "latency": "µs", "multiplications": "a picture"}


def articles(sample: LabelledImages, names: Sequence[str]) -> Figure:
    """Draws the first images of each class, one row per class.

    Args:
        sample: images (N, 28, 28) uint8 and labels (N,), at least ten of each class.
        names: the classes' names.
    """
    rows = [
        np.hstack(list(sample.images[sample.labels == label][:ARTICLES_PER_CLASS]))
        for label in range(len(names))
    ]
    figure, axis = plt.subplots(figsize=(9, 9))
    axis.imshow(255 - np.vstack(rows), cmap="gray", vmin=0, vmax=255)
    height = len(rows[0])
    axis.set_yticks([(row + 0.5) * height for row in range(len(names))], names)
    axis.set_xticks([])
    figure.tight_layout()
    return figure


def learning_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Draws accuracy and loss over the epochs, of training and held-out images."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    for axis, name in zip(axes, ("accuracy", "loss"), strict=True):
        epochs = range(1, len(history[name]) + 1)
        axis.plot(epochs, history[name], label="training (with dropout)")
        axis.plot(epochs, history[f"val_{name}"], label="held out")
        axis.set(xlabel="epoch", ylabel=name)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.tight_layout()
    return figure


def trials(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Draws every trial of a search: hidden units, learning rate, epochs and accuracy."""
    figure, axis = plt.subplots(figsize=(8, 5))
    scored = [record for record in records if record["validation_accuracy"] is not None]
    for rate in sorted({record["learning_rate"] for record in scored}):
        chosen = [record for record in scored if record["learning_rate"] == rate]
        axis.scatter(
            [record["units"] for record in chosen],
            [record["validation_accuracy"] * 100 for record in chosen],
            s=[20 * record["epochs"] for record in chosen],
            alpha=0.6,
            label=f"learning rate {rate:g}",
        )
    axis.set(xlabel="hidden units", ylabel="validation accuracy, %", title="area: epochs")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.tight_layout()
    return figure


def candidates(limits: Mapping[str, Any]) -> Figure:
    """Draws every network of a search for limits: accuracy against what it costs.

    Args:
        limits: the search's part of `model.json`.
    """
    kind, most = limits["axis"], limits["request"]["limits"]["most"]
    figure, axis = plt.subplots(figsize=(8, 5))
    trials, in_full = limits["trials"], limits["in_full"]
    for records, label, marker in ((trials, "short fit", "o"), (in_full, "in full", "*")):
        axis.scatter(
            [record["costs"][kind] for record in records],
            [record["validation_accuracy"] * 100 for record in records],
            s=[(20 if marker == "o" else 60) + 4 * record["epochs"] for record in records],
            marker=marker,
            alpha=0.6,
            label=f"{label} (area: epochs)" if marker == "o" else label,
        )
    best, front = 0.0, []
    for record in sorted([*trials, *in_full], key=lambda record: record["costs"][kind]):
        if record["validation_accuracy"] > best:
            best = record["validation_accuracy"]
            front.append((record["costs"][kind], best * 100))
    axis.step(*zip(*front, strict=True), where="post", alpha=0.5, label="front")
    rug = [cost for cost in limits["not_trained"] if cost is not None]
    low = axis.get_ylim()[0]
    axis.plot(rug, [low] * len(rug), "|", color="gray", label="weighed, not trained")
    if kind in most:
        axis.axvline(most[kind], color="firebrick", linestyle="--", label="limit")
    axis.set(xscale="log", xlabel=f"{kind}, {AXIS_UNITS[kind]}", ylabel="validation accuracy, %")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.tight_layout()
    return figure


def confusion(outputs: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> Figure:
    """Draws the confusion matrix, in percent of each true class.

    Args:
        outputs: (N, classes) float32.
        labels: (N,) integer classes.
        names: the classes' names.
    """
    counts = np.zeros((len(names), len(names)))
    np.add.at(counts, (labels, outputs.argmax(axis=1)), 1)
    shares = 100 * counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    figure, axis = plt.subplots(figsize=(8, 7))
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(*shares.shape):
        if shares[row, column] >= 0.05:
            color = "white" if shares[row, column] > 50 else "black"
            text = f"{shares[row, column]:.1f}"
            axis.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
    ticks = range(len(names))
    axis.set_xticks(ticks, names, rotation=45, ha="right")
    axis.set_yticks(ticks, names)
    axis.set(xlabel="predicted class", ylabel="true class", title="% of the true class")
    figure.tight_layout()
    return figure


def save(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Writes each figure as `<name>.png` into a folder and returns the files."""
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=DPI)
        plt.close(figure)
    return paths
