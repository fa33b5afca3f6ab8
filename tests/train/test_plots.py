from pathlib import Path

import numpy as np

from tests.conftest import synthetic
from train import plots
from train.data.fashion_mnist import LabelledImages


def test_plots_are_pictures(tmp_path: Path) -> None:
    sample = synthetic(200, seed=1)
    images = LabelledImages(images=sample.images, labels=sample.labels)
    names = [str(label) for label in range(10)]
    history = {name: [0.5, 0.6] for name in ("accuracy", "loss", "val_accuracy", "val_loss")}
    record = {"units": 32, "learning_rate": 1e-3, "epochs": 3, "validation_accuracy": 0.8}
    figures = {
        "articles": plots.articles(images, names),
        "learning-curves": plots.learning_curves(history),
        "trials": plots.trials([record, {**record, "validation_accuracy": None}]),
        "confusion": plots.confusion(np.eye(10, dtype=np.float32), np.arange(10), names),
    }
    for path in plots.save(figures, tmp_path):
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 5_000
    assert {path.stem for path in tmp_path.iterdir()} == set(figures)
