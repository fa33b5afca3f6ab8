"""`benchmark.card.md`: a model card, whose front matter the Hugging Face Hub accepts.

After Mitchell et al. 2019 (Model Cards for Model Reporting, FAT*): what the model is, what it was
trained on, how it was measured and with what result, by class too, and its limits. Front matter:
https://github.com/huggingface/hub-docs/blob/main/modelcard.md
"""

import json
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from benchmark.judge.scoring.metrics import MISSING, Metric
from benchmark.report.figures import interval, number
from benchmark.report.tables import escaped, table_lines
from benchmark.report.text import columns, facts, verdict_counts
from benchmark.results.row import Row
from benchmark.results.run import Run

# What the Hub calls the metrics, https://huggingface.co/metrics
HUB_METRICS: dict[Metric, str] = {
    "accuracy": "accuracy",
    "top-5": "accuracy",
    "auc": "roc_auc",
    "mae": "mae",
    "rmse": "rmse",
    "r2": "r_squared",
}
# The files' formats, which are tags there, and the data set, by its id.
TAGS = {"litert": "tflite", "onnxruntime": "onnx", "keras": "keras"}
DATASETS = {"Fashion-MNIST": "zalando-datasets/fashion_mnist"}
LIMITS = (
    "Accuracies and their intervals speak of examples drawn like the test data, and of no others.",
    "Latencies are of the machine named above, one thread unless a row says otherwise; ratios "
    "carry over to similar processors, microseconds do not.",
    "Verdicts are by the limits named above, which are those of this run.",
)


def card_text(run: Run) -> str:
    """Returns the card as Markdown after YAML front matter."""
    return "\n".join([*_front_matter(run), "", *_body(run)]) + "\n"


def _front_matter(run: Run) -> Iterator[str]:
    """Yields YAML: the keys of the Hub's, every value as JSON, which is YAML too."""
    content = metadata(run)
    yield "---"
    for key, value in content.items():
        yield f"{key}: {json.dumps(value, ensure_ascii=False)}"
    yield "---"


def metadata(run: Run) -> dict[str, Any]:
    """Returns what the front matter says, as a JSON object."""
    measure, training = run.measure, run.source.training
    task = {"classes": "classification", "binary": "classification"}.get(
        measure.kind, "regression" if measure.labelled else "other"
    )
    if measure.examples == "images" and task == "classification":
        task = "image-classification"
    name = training.dataset if training else "test data of a custom model"
    dataset = {"name": name, "type": DATASETS.get(name, "custom"), "split": "test"}
    runtimes = dict.fromkeys(row.runtime for row in run.results)
    tags = [TAGS[runtime] for runtime in runtimes if runtime in TAGS]
    found: dict[str, Any] = {"tags": [*tags, "edge"]}
    if task == "image-classification":
        found["pipeline_tag"] = task
    if training:
        found["datasets"] = [DATASETS.get(name, name)]
    metrics = [
        {
            "type": HUB_METRICS[measure.metric],
            "value": row.value,
            "name": f"{measure.notation.name}, {row.name}",
        }
        for row in run.results
        if row.value is not None
    ]
    if metrics and measure.labelled:
        found["metrics"] = [HUB_METRICS[measure.metric]]
        result = {"task": {"type": task}, "dataset": dataset, "metrics": metrics}
        found["model-index"] = [{"name": _title(run), "results": [result]}]
    return found


def _title(run: Run) -> str:
    return PurePath(run.source.file or "model").stem or "model"


def _body(run: Run) -> Iterator[str]:
    counts = ", ".join(f"{count} {name}" for name, count in verdict_counts(run.results).items())
    yield f"# {escaped(_title(run))}, exported for devices"
    yield ""
    for found in run.recommendations:
        yield f"Take **{escaped(found.name)}**: {escaped(found.reason)}"
        yield ""
    yield f"{len(run.results)} rows, verdicts: {counts}. Measured by `python -m benchmark`."
    yield from ("", "## Trained on", "")
    yield from _training(run)
    yield from ("", "## Measured how", "")
    yield from (f"- {title}: {escaped(text)}" for title, text in facts(run).items())
    yield from ("", "## Exports", "")
    yield from table_lines(run)
    yield ""
    yield from (f"- {name}: {meaning}" for name, meaning in columns(run.measure).items())
    yield from _classes(run)
    yield from ("", "## Limits", "")
    yield from (f"- {limit}" for limit in LIMITS)
    yield from (
        f"- {escaped(row.name)}: {row.verdict}: {escaped(reason)}"
        for row in run.results
        for reason in row.reasons
    )
    yield from ("", "## Hashes", "", "SHA-256 of each file and of the test data:", "")
    yield from _hashes(run)


def _training(run: Run) -> Iterator[str]:
    found = run.source.training
    if found is None:
        yield "Not known here: no record of the training is beside the exports."
        return
    yield (
        f"{escaped(found.dataset)}: {found.examples:,} examples, {found.validation:,} more to "
        f"choose by; data SHA-256 `{found.sha256}`. Recipe {escaped(found.recipe)}, "
        f"{found.epochs} epochs, seed {found.seed}. The test data chose none of it in that run; "
        "some of the recipe's defaults were developed with test accuracies in view."
    )


def _classes(run: Run) -> Iterator[str]:
    """Yields a table of the classes, of the row to take and of the Keras model."""
    row = _told_by_class(run)
    if row is None or not row.classes:
        return
    names = run.data.classes
    yield from ("", "## By class", "", f"Of {escaped(row.name)}, in percent:", "")
    yield "| class | examples | accuracy | Keras | points lost, 95 % |"
    yield "|---|--:|--:|--:|--:|"
    for label, found in row.classes.items():
        known = label.isdecimal() and int(label) < len(names)
        cells = (
            names[int(label)] if known else label,
            f"{found.total:,}",
            number(found.correct / found.total, 2, 100) if found.total else MISSING,
            number((found.correct + found.lost - found.gained) / found.total, 2, 100)
            if found.total
            else MISSING,
            interval(found.drop_ci95, 2, 100),
        )
        yield f"| {' | '.join(map(escaped, cells))} |"


def _told_by_class(run: Run) -> Row | None:
    """Returns the row to take; where there is none, the first that was measured."""
    wanted = run.recommendation.name if run.recommendation else ""
    measured = [row for row in run.results if row.classes]
    return next((row for row in measured if row.name == wanted), next(iter(measured), None))


def _hashes(run: Run) -> Iterator[str]:
    yield f"- {escaped(run.source.file or 'the Keras model')}: `{run.source.sha256}`"
    files = {row.file: row.sha256 for row in run.results if row.file and row.sha256}
    yield from (f"- {escaped(name)}: `{sha256}`" for name, sha256 in files.items())
    yield f"- test data, {run.total:,} {run.measure.examples}: `{run.data.sha256}`"
