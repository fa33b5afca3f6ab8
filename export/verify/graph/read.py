"""Reads the graph of an exported file of either family."""

from pathlib import Path

from export.verify.graph.contents import Graph
from export.verify.graph.onnx import read_onnx
from export.verify.graph.tflite import read_tflite


def read_graph(path: Path) -> Graph:
    """Returns the graph in a `.tflite` or `.onnx` file.

    Raises:
        ArtifactError: the file is not what its suffix says.
    """
    return read_tflite(path) if path.suffix == ".tflite" else read_onnx(path)
