"""What is asked of a network's cost, what is measured, and what is answered."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from export.deploy.cores.target import Target, board_named
from train.common.files.decode import Decoder

Form = Literal["tflite-int8", "c", "tflm", "onnx-int8"]
Need = Literal["flash", "ram", "latency"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A model whose cost is asked for.

    Attributes:
        model: the file: a Keras model in any form, or a `.tflite` or `.onnx` file made of it.
        format: in which it would be exported.
        board: by its key or name, or a core's name; None for this machine.
        needs: what is to be measured; the file's size and the multiplications always are.
        inputs: an `.npz` with inputs (N, …) by name, preprocessed; None for random ones.
    """

    model: Path
    format: Form
    board: str | None = None
    needs: tuple[Need, ...] = ("flash", "ram", "latency")
    inputs: Path | None = None

    @property
    def target(self) -> Target | None:
        """The board; raises as `board_named`."""
        return None if self.board is None else board_named(self.board)


def request_of(content: Any) -> Request:
    """Returns the request in a JSON object.

    Raises:
        ArtifactError: a key is missing or not what it should be; it is named.
    """
    decoder = Decoder(remedy="send model, format, board, needs and inputs")
    return decoder.decode(Request, content, "request")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A file that is not verified.

    Attributes:
        path: the `.tflite` or `.onnx` file.
        examples: (N, …) by the input's name, what calibrated it.
        multiplications: with weights, of one inference; None where TFLite's file tells none.
    """

    path: Path
    examples: Mapping[str, np.ndarray]
    multiplications: int | None


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a network costs, whatever its weights; None where that was not asked for or is unknown.

    Attributes:
        format: the format.
        file_bytes: of the `.tflite` or `.onnx` file; of `c` and `tflm` the one they are made of.
        flash_bytes: what it takes of flash, or of a disk.
        ram_bytes: what it takes of RAM.
        latency_us: of one inference.
        multiplications: with weights, of one inference.
        instructions: of one inference on an emulated core; on ATmega its cycles.
        detail: where the bytes go, and how it was measured.
    """

    format: str
    file_bytes: int
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    latency_us: float | None = None
    multiplications: int | None = None
    instructions: int | None = None
    detail: Mapping[str, int | str]

    def as_json(self) -> dict[str, Any]:
        """Returns it as a JSON object."""
        return asdict(self)
