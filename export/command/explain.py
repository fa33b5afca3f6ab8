"""`python -m export --explain`: which operators cost an integer file its accuracy, and why."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from export.layer_report import STEPS, LayerReport, Mixture, OperatorReport, Outcome
from export.manifest import FileParts, Manifest
from train.common.files.artifact import write_json

WORST = 5
EXPLORER_SUFFIX = ".explorer.json"
# Of Model Explorer's colours, from most error to least.
GRADIENT = ((0.0, "#c62828"), (0.5, "#fff59d"), (1.0, "#ffffff"))


def explained(
    name: str, manifest: Manifest | None, explain: Callable[[], LayerReport], folder: Path
) -> tuple[list[Path], str]:
    """Completes the report of a file by what each operator costs.

    Args:
        name: the format's.
        manifest: the file's; None of one that failed its checks.
        explain: tries the operators, which takes a while.
        folder: where to write the manifest, if the report is new, and what Model Explorer shows.

    Returns:
        What was written, and the report as text.
    """
    known = None if manifest is None else manifest.layers
    layers = known if known is not None and known.explained else explain()
    written = [folder / f"{name}{EXPLORER_SUFFIX}"]
    write_json(written[0], explorer_data(layers))
    if manifest is not None and layers != known:
        written.append(folder / manifest.path.name)
        write_json(written[1], replace(manifest, layers=layers).as_json())
    if manifest is None:
        return written, explanation(name, layers, None)
    return written, explanation(name, layers, manifest.mixture, manifest.parts)


def explanation(
    name: str, layers: LayerReport, mixture: Mixture | None, parts: FileParts | None = None
) -> str:
    """Returns what a file's report says, in lines: the file as a whole, and its worst operators.

    Args:
        name: the format's.
        layers: the report.
        mixture: what a mixed file leaves in float; None of others.
        parts: what its bytes are, where that is known.
    """
    exact = layers.float_outcome.accuracy
    lines = [
        f"{name}: {_score(layers.outcome)}"
        + ("" if exact is None else f", {100 * exact:.2f} % in float")
        + " on held-out examples"
    ]
    if parts is not None:
        lines.append(parts.text)
    if mixture is not None:
        lines.append(mixture.text)
    steps = [e.layer for e in layers.operators if e.operator in STEPS and not e.in_float]
    if steps:
        lines.append(
            f"{', '.join(steps)}: recurrent, computed in integers whatever else is left out or "
            "quantized alone"
        )
    if layers.io_alone is not None:
        lines.append(
            f"integer inputs and outputs, all operators in float: {_score(layers.io_alone)}"
        )
        if layers.io_cause:
            lines.append(f"   {layers.io_cause}")
    count = len(layers.operators) + layers.not_listed
    lines.append(f"{min(WORST, count)} of {count} operators, those that cost most first:")
    for number, each in enumerate(worst(layers)[:WORST], start=1):
        lines.append(f"{number}. {each.layer} ({each.operator}): {'; '.join(_costs(each))}")
        if each.cause:
            lines.append(f"   {each.cause}")
    return "\n".join(lines)


def worst(layers: LayerReport) -> list[OperatorReport]:
    """Returns the operators by the error that each adds at the outputs, most first.

    Where that is not known, by what it adds at its own output, or what has accumulated there.
    """

    def snr_db(each: OperatorReport) -> tuple[int, float]:
        if each.alone is not None:
            return 0, each.alone.snr_db
        if each.own_snr_db is not None:
            return 1, each.own_snr_db
        return 2, float("inf") if each.snr_db is None else each.snr_db

    return sorted(layers.operators, key=snr_db)


def _costs(each: OperatorReport) -> Iterator[str]:
    if each.alone is not None:
        yield f"quantized alone {_score(each.alone)}"
    if each.left_out is not None:
        yield f"left out {_score(each.left_out)}"
    if each.own_snr_db is not None:
        yield f"{each.own_snr_db:.1f} dB at its own output"
    if each.snr_db is not None:
        yield f"{each.snr_db:.1f} dB there in the file"


def _score(found: Outcome) -> str:
    ratio = f"{found.snr_db:.1f} dB"
    return ratio if found.accuracy is None else f"{100 * found.accuracy:.2f} %, {ratio}"


def explorer_data(layers: LayerReport) -> dict[str, Any]:
    """Returns a report as node data of Model Explorer: `GraphNodeData` of one graph.

    By the tensor, or the node, the signal-to-noise ratio in decibels at the model's outputs with
    this operator quantized alone, or at the operator's own output where that was not tried.
    https://github.com/google-ai-edge/model-explorer/blob/main/src/server/package/src/model_explorer/node_data_builder.py
    """
    alone = any(each.alone is not None for each in layers.operators)
    values = {
        each.name: (each.alone.snr_db if each.alone is not None else None)
        if alone
        else each.own_snr_db
        for each in layers.operators
    }
    return {
        "name": "SNR in dB, " + ("quantized alone" if alone else "added by the operator"),
        "results": {name: {"value": value} for name, value in values.items() if value is not None},
        "gradient": [{"stop": stop, "bgColor": colour} for stop, colour in GRADIENT],
    }
