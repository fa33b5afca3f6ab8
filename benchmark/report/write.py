"""The reports `benchmark.*`: pure functions of `benchmark.json` and the images."""

from pathlib import Path

import numpy as np

from benchmark.report.card import card_text
from benchmark.report.page.html import page_html
from benchmark.report.tables import csv_text, markdown_text
from benchmark.results.run import Run

REPORTS = CSV_FILE, MARKDOWN_FILE, PAGE_FILE, CARD_FILE = (
    *("benchmark.csv", "benchmark.md", "benchmark.html", "benchmark.card.md"),
)


def write_reports(run: Run, images: np.ndarray | None, folder: Path) -> list[Path]:
    """Writes the reports into a folder and returns their paths.

    Args:
        run: what `benchmark.json` holds.
        images: the test images, in the order of the predictions, as `evaluation.are_pictures`
            takes them; None where the data is none.
        folder: an existing one.
    """
    texts = {
        CSV_FILE: csv_text(run),
        MARKDOWN_FILE: markdown_text(run),
        PAGE_FILE: page_html(run, images),
        CARD_FILE: card_text(run),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]
