"""What turns raw data into a model's inputs, declared once and recorded.

numpy is imported where it is needed, because the command line parses preprocessing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from train.common.errors import ToolkitError
from train.common.tensors import TensorSpec

if TYPE_CHECKING:
    import numpy as np

Factor = float | tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """What turns raw values into a model's input: `raw * scale + offset`, as float32.

    Both are one number, or one for each index of the last axis, as of the channels of a picture.
    """

    scale: Factor
    offset: Factor

    def apply(self, raw: "np.ndarray") -> "np.ndarray":
        """Returns the model's input, float32, of the shape of `raw`."""
        import numpy as np

        scale, offset = np.asarray(self.scale, np.float32), np.asarray(self.offset, np.float32)
        found: np.ndarray = raw.astype(np.float32) * scale + offset
        return found

    def then(self, other: "Preprocessing") -> "Preprocessing":
        """Returns what both come to, this one first."""
        import numpy as np

        scale, offset = np.multiply(self.scale, other.scale), np.multiply(self.offset, other.scale)
        return Preprocessing(scale=_factor(scale), offset=_factor(offset + other.offset))


def _factor(values: "np.ndarray") -> Factor:
    return tuple(map(float, values)) if values.ndim else float(values)


RAW = Preprocessing(scale=1.0, offset=0.0)
# By the name of the input; one that is not there takes raw values as they are.
InputPreprocessing = Mapping[str, Preprocessing]


def check_names(asked: Iterable[str], names: Sequence[str]) -> None:
    """Raises a ToolkitError where `--preprocess` names an input that is none of these."""
    for name in asked:
        if name and name not in names:
            raise ToolkitError(
                f"--preprocess: got input {name!r}, expected one of {', '.join(names)}"
            )


def preprocess(
    raw: "Mapping[str, np.ndarray]", how: InputPreprocessing, specs: Sequence[TensorSpec] = ()
) -> "dict[str, np.ndarray]":
    """Returns a model's inputs of raw values, both by the input's name.

    Args:
        raw: (N, …) by name.
        how: what raw values become.
        specs: the model's inputs; what is not preprocessed becomes of their dtype, where given.
    """
    import numpy as np

    dtypes = {spec.name: spec.dtype for spec in specs}
    return {
        name: how[name].apply(values) if name in how else np.asarray(values, dtypes.get(name))
        for name, values in raw.items()
    }
