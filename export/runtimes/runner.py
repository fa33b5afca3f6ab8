"""What every runner is: a context manager that loads one model and runs it."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from train.common.errors import ArtifactError, MissingOperatorError
from train.common.tensors import TensorSpec

# What goes into a model or comes out of it: the array itself where there is one, else all of them
# in the order of the specs. At three microseconds an inference, a tuple of one would be seen.
Values = np.ndarray | tuple[np.ndarray, ...]
MISSING_OPERATOR = re.compile(r"Didn't find op for builtin opcode '(\w+)'")


def pack(arrays: Sequence[np.ndarray]) -> Values:
    """Returns arrays, one for each input or output, as a runner takes and gives them."""
    return arrays[0] if len(arrays) == 1 else tuple(arrays)


def unpack(values: Values) -> tuple[np.ndarray, ...]:
    """Returns the arrays that `pack` made one value of."""
    return values if isinstance(values, tuple) else (values,)


class Runner(ABC):
    """A model; the runtime is imported on entering.

    Attributes:
        modes: how the runtime can run a file, its default first, the plainest last.

    Once entered:
        inputs: what the file says of its inputs, in its own order.
        outputs: what the file says of its outputs.
        invoke: runs one inference, numpy in → numpy out; values have the inputs' dtypes and shapes
            that fit them. A function and no method: at three microseconds an inference, a method's
            look-ups would be seen in the benchmark.
    """

    modes: ClassVar[tuple[str, ...]] = ()
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    invoke: Callable[[Values], Values]

    def __init__(self, path: Path, *, threads: int, mode: str | None = None) -> None:
        self._path, self._threads = path, threads
        self._mode = mode or next(iter(self.modes), "")

    @abstractmethod
    def __enter__(self) -> Self:
        """Loads the model."""

    @abstractmethod
    def __exit__(self, *details: object) -> None:
        """Lets the model go."""

    def resize(self, batch: int) -> None:
        """Makes an open batch dimension `batch` wide; nothing to do where any size fits."""
        return

    def invoke_each(self, values: Values) -> Values:
        """Returns the stored outputs of values run call by call, one call at least.

        Args:
            values: (calls, batch, …) each; the outputs are (calls * batch, …).
        """
        if isinstance(values, tuple):
            results = [self.invoke(feed) for feed in zip(*values, strict=True)]
        else:
            results = [self.invoke(feed) for feed in values]
        return pack([np.concatenate(found) for found in zip(*map(unpack, results), strict=True)])


@dataclass(frozen=True, kw_only=True)
class Timed:
    """How long calls took, in the process that made them, and what that process has taken.

    Attributes:
        durations_ns: of each call, by a clock beside it.
        cpu_s: of all its threads since it was asked the time before.
        preemptions: in that time.
    """

    durations_ns: list[int]
    cpu_s: float
    preemptions: int


class ProcessRunner(Runner):
    """A runner whose model is called in another process, which times it: messages take long.

    Once entered:
        load_ms: how long the model took to load, without the start of the process.
        empty_bytes: the largest resident set of the process before.
        peak_bytes: the same when calls were timed last.
    """

    load_ms: float
    empty_bytes: int
    peak_bytes: int

    @abstractmethod
    def time(self, values: Sequence[Values], *, samples: int, limit_ns: int) -> Timed:
        """Times calls beside the model.

        Args:
            values: given in turn, at least one.
            samples: how many calls, at most.
            limit_ns: after how long no further call is started, the first one aside.
        """

    @abstractmethod
    def pin(self, core: int) -> None:
        """Keeps the thread that calls the model on one core."""


def missing_operator(said: str) -> str | None:
    """Returns the operator that LiteRT or TFLM says it lacks; None if it says no such thing."""
    found = MISSING_OPERATOR.search(said)
    return found[1] if found else None


def load_error(runtime: str, path: Path, said: str) -> ArtifactError:
    """Returns the error of a runtime that refuses a file, with the first line of what it said."""
    message = f"{runtime} cannot load {path}: {said.strip().splitlines()[0]}"
    operator = missing_operator(said)
    if operator is None:
        return ArtifactError(message)
    return MissingOperatorError(message, operator=operator)
