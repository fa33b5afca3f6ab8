"""What the bytes of a `.tflite` file are: weights, scales, the graph, the rest."""

from export.convert.tflite.file.builder import REST, SCALES, WEIGHTS, built, unpack
from export.manifest import FileParts


def parts_of(content: bytes) -> FileParts:
    """Returns how many bytes of a file are what; it is written again, and counted as it is.

    Args:
        content: a file that `pack` has written.

    Raises:
        ValueError: it is not such a file.
    """
    builder = built(unpack(content), len(content))
    if builder.Offset() != len(content):
        raise ValueError(f"got a file of {len(content)} bytes, which is written as others")
    return FileParts(
        weights=builder.parts[WEIGHTS],
        scales=builder.parts[SCALES],
        graph=len(content) - builder.parts.total(),
        rest=builder.parts[REST],
    )
