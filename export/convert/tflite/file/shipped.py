"""What is in a `.tflite` file beside what it computes, taken out before it ships."""

from typing import Any

import numpy as np

from export.convert.tflite.file.builder import pack, unpack
from export.formats.settings import Settings
from export.formats.table import Format

UNNAMED = b""  # readers in Python crash at a tensor without a name


def shipped(content: bytes, entry: Format, settings: Settings) -> bytes:
    """Returns a finished file of a format as it is written beside its manifest."""
    if entry.family != "tflite" or settings.keep_metadata:
        return content
    return stripped(content)


def stripped(content: bytes) -> bytes:
    """Returns a file without what no runtime needs to run it.

    Inputs and outputs keep their names and order. What goes: the names of other tensors,
    the description, metadata, signatures, ranges that were calibrated with, shapes told twice,
    empty lists and buffers that nothing is in.

    Args:
        content: the file, which is finished.
    """
    tree = unpack(content)
    tree.description = tree.metadata = tree.metadataBuffer = tree.signatureDefs = None
    for number, graph in enumerate(tree.subgraphs):
        graph.name = None
        ends = () if number else {*map(int, graph.inputs), *map(int, graph.outputs)}
        for index, tensor in enumerate(graph.tensors):
            _strip_tensor(tensor, named=index in ends)
        for operator in graph.operators:
            for name in ("intermediates", "mutatingVariableInputs"):
                if _is_empty(getattr(operator, name)):
                    setattr(operator, name, None)
    _drop_empty_buffers(tree)
    return pack(tree, len(content))


def _strip_tensor(tensor: Any, *, named: bool) -> None:
    if not named:
        tensor.name = UNNAMED
    open_sizes = tensor.shapeSignature is not None and np.min(tensor.shapeSignature, initial=0) < 0
    if not open_sizes:
        tensor.shapeSignature = None
    found = tensor.quantization
    if found is not None:
        found.min = found.max = None
        if found.details is None and _is_empty(found.scale):
            tensor.quantization = None


def _drop_empty_buffers(tree: Any) -> None:
    """Leaves the buffers that tensors have, behind one without data, as the schema has it."""
    tensors = [tensor for graph in tree.subgraphs for tensor in graph.tensors]
    used = {int(tensor.buffer) for tensor in tensors}
    full = [
        number for number in sorted(used) if number and not _is_empty(tree.buffers[number].data)
    ]
    places = {old: new for new, old in enumerate(full, start=1)}
    tree.buffers = [tree.buffers[number] for number in (0, *full)]
    for tensor in tensors:
        tensor.buffer = places.get(int(tensor.buffer), 0)


def _is_empty(values: Any) -> bool:
    return values is None or len(values) == 0
