"""`benchmark.csv`, `.md` and `.html`: pure functions of `benchmark.json` and the images. Light."""

from pathlib import Path

import numpy as np

from benchmark.reports.page import page_html
from benchmark.reports.tables import csv_text, markdown_text
from benchmark.reports.words import Json

PAGE_FILE = "benchmark.html"


def write_reports(content: Json, images: np.ndarray, folder: Path) -> list[Path]:
    """Writes the three reports into a folder and returns their paths.

    Args:
        content: of `benchmark.json`, as read or as to be written.
        images: (N, …), the test images, in the order of the predictions.
        folder: an existing one.
    """
    texts = {
        "benchmark.csv": csv_text(content),
        "benchmark.md": markdown_text(content),
        PAGE_FILE: page_html(content, images),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]
