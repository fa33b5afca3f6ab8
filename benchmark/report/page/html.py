"""The page that people forward: one HTML file that needs nothing else."""

import base64
import hashlib
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmark.report.figures import interval, microseconds, number, signed
from benchmark.report.page.charts.candidates import candidates_picture
from benchmark.report.page.charts.classes import class_map
from benchmark.report.page.charts.distributions import latency_distributions
from benchmark.report.page.charts.flips import MAX_SHOWN, flips
from benchmark.report.page.charts.layers import layer_pictures
from benchmark.report.page.charts.plot import accuracy_plot
from benchmark.report.tables import (
    OTHER_COLUMNS,
    OTHER_LEGEND,
    npu_table,
    npu_title,
    other_rows,
)
from benchmark.report.text import (
    EMULATED,
    RUNTIMES,
    best_passing,
    columns,
    facts,
    verdict_counts,
)
from benchmark.results.run import Run
from train.common.errors import ArtifactError

TEMPLATES = Path(__file__).parent / "templates"
MARKS = {"pass": "✓", "inconclusive": "?", "fail": "✗", "error": "!"}


def page_html(run: Run, images: np.ndarray | None) -> str:
    """Returns the page.

    Args:
        run: what was found.
        images: the test images, in the order of the predictions; None where the data is none.
    """
    templates = _templates()
    script = templates.get_template("sort.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    fastest, smallest = best_passing(run.results)
    emulated = run.environment.emulated
    return templates.get_template("page.html").render(
        script_sha256=digest,
        run=run,
        emulated=EMULATED if emulated else None,
        recommendation=run.recommendation,
        recommended={found.name for found in run.recommendations},
        rows=run.results,
        total=run.total,
        measure=run.measure,
        columns=columns(run.measure),
        others=other_rows(run.results),
        other_columns=OTHER_COLUMNS,
        other_legend=OTHER_LEGEND,
        npu=npu_table(run) if run.npu else [],
        npu_title=npu_title(run),
        counts=verdict_counts(run.results),
        marks=MARKS,
        fastest=None if emulated else fastest,
        smallest=smallest,
        pareto={name for found in run.recommendations for name in found.pareto},
        facts=facts(run),
        plot=accuracy_plot(run),
        distributions=latency_distributions(run),
        layers=layer_pictures(run),
        candidates=candidates_picture(run.source.candidates),
        class_map=class_map(run),
        flips=flips(run, images),
        has_pictures=images is not None,
        max_shown=MAX_SHOWN,
    )


def plot_svg(run: Run) -> str:
    """Returns the picture of all rows as an SVG file of its own.

    Raises:
        ArtifactError: no row was measured.
    """
    plot = accuracy_plot(run)
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
        number=number,
        signed=signed,
        interval=interval,
        microseconds=microseconds,
        runtimes=RUNTIMES,
    )
    return found
