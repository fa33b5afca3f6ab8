"""The page that people forward: one HTML file that needs nothing else. Light."""

import base64
import hashlib
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmark.judge.metrics import measure_of
from benchmark.report.charts.classes import class_map
from benchmark.report.charts.distributions import latency_distributions
from benchmark.report.charts.flips import MAX_SHOWN, flips
from benchmark.report.charts.plot import accuracy_plot
from benchmark.report.others import OTHER_COLUMNS, OTHER_LEGEND, other_rows
from benchmark.report.text import (
    EMULATED,
    RUNTIMES,
    Json,
    best_passing,
    columns,
    drop_of,
    facts,
    interval,
    is_emulated,
    microseconds,
    number,
    pareto_names,
    total_of,
    value_of,
    verdict_counts,
)
from train.common.errors import ArtifactError

TEMPLATES = Path(__file__).parent / "templates"
MARKS = {"pass": "✓", "inconclusive": "?", "fail": "✗", "error": "!"}


def page_html(content: Json, images: np.ndarray | None) -> str:
    """Returns the page.

    Args:
        content: of `benchmark.json`.
        images: the test images, in the order of the predictions; None where the data is none.
    """
    templates = _templates()
    script = templates.get_template("sort.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    fastest, smallest = best_passing(content["results"])
    emulated = is_emulated(content)
    return templates.get_template("page.html").render(
        script_sha256=digest,
        content=content,
        emulated=EMULATED if emulated else None,
        recommendation=content.get("recommendation"),
        rows=content["results"],
        total=total_of(content),
        measure=measure_of(content),
        columns=columns(measure_of(content)),
        value_of=value_of,
        drop_of=drop_of,
        others=other_rows(content["results"]),
        other_columns=OTHER_COLUMNS,
        other_legend=OTHER_LEGEND,
        counts=verdict_counts(content["results"]),
        marks=MARKS,
        fastest=None if emulated else fastest,
        smallest=smallest,
        pareto=pareto_names(content),
        facts=facts(content),
        plot=accuracy_plot(content),
        distributions=latency_distributions(content),
        class_map=class_map(content),
        flips=flips(content, images),
        has_pictures=images is not None,
        max_shown=MAX_SHOWN,
    )


def plot_svg(content: Json) -> str:
    """Returns the picture of all rows as an SVG file of its own.

    Raises:
        ArtifactError: no row was measured.
    """
    plot = accuracy_plot(content)
    if plot is None:
        raise ArtifactError("no row was measured, so there is no plot; run `python -m benchmark`")
    return _templates().get_template("plot.svg").render(plot=plot, standalone=True)


def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals.update(
        number=number, interval=interval, microseconds=microseconds, runtimes=RUNTIMES
    )
    return found
