"""Whether a quantized file is larger than the same model in float32, and why."""

from collections import Counter
from pathlib import Path

from export.convert.candidates.trials import convert
from export.convert.source import SourceModel
from export.convert.tflite.file.shipped import shipped
from export.formats.settings import ExportOptions, Settings, resolve
from export.formats.table import FORMATS, Format
from export.manifest import Observation
from export.verify.graph.read import read_graph
from export.verify.size import LARGER, listed
from train.common.errors import ToolkitError

FLOAT_BYTES = 4
MOST_NAMED = 4  # operators


def larger_than_float32(
    entry: Format, settings: Settings, path: Path, source: SourceModel
) -> list[Observation]:
    """Returns that a file is larger than its family's float32 file, if it is, and by what.

    Args:
        entry: the file's format.
        settings: its options.
        path: the file.
        source: the model.
    """
    size = path.stat().st_size
    plain = FORMATS[f"{entry.family}-float32"]
    # the float32 file of a model is hardly smaller than its weights
    if entry.weights == "float32" or size <= source.weight_count() * FLOAT_BYTES:
        return []
    batch = "dynamic" if settings.batch is None else str(settings.batch)
    asked = ExportOptions(
        batch=batch,
        opset=settings.opset,
        recurrent=settings.recurrent,
        keep_metadata=settings.keep_metadata or None,
    )
    resolved = resolve([plain], asked)[plain.name]
    try:
        content = shipped(convert(plain, resolved, None, source), plain, resolved)
    except ToolkitError:
        return []
    if size <= len(content):
        return []
    other = source.folder / f"plain{plain.suffix}"
    other.write_bytes(content)
    own, before = (read_graph(file) for file in (path, other))
    more = Counter(own.operators) - Counter(before.operators)
    named = dict(more.most_common(MOST_NAMED))
    text = (
        f"{len(content) / 1000:.1f} kB as float32: {own.stored_bytes / 1000:.1f} kB of constants "
        f"instead of {before.stored_bytes / 1000:.1f}, {len(own.operators)} operators instead of "
        f"{len(before.operators)}"
    )
    return [Observation(name=LARGER, value=f"{text}, more {listed(named)}" if named else text)]
