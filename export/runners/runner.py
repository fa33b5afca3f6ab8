"""What every runner is: a context manager that loads one model and runs it. Light."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np

from export.manifest import TensorSpec


class Runner(ABC):
    """A model with one input and one output; the runtime is imported on entering.

    Attributes, once entered:
        input: what the file says of its input.
        output: what the file says of its output.
        invoke: runs one inference, numpy in → numpy out; the value has the input's dtype and a
            shape that fits it. A function and no method: at three microseconds an inference, a
            method's look-ups would be seen in the benchmark.
    """

    input: TensorSpec
    output: TensorSpec
    invoke: Callable[[np.ndarray], np.ndarray]

    @abstractmethod
    def __enter__(self) -> Self:
        """Loads the model."""

    @abstractmethod
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Lets the model go."""

    def resize(self, batch: int) -> None:
        """Makes an open batch dimension `batch` wide; nothing to do where any size fits."""
        return

    def invoke_each(self, values: np.ndarray) -> np.ndarray:
        """Returns the stored outputs, (N, …), of `values` (N, 1, …) run one by one, N ≥ 1."""
        return np.concatenate([self.invoke(value) for value in values])
