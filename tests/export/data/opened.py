"""What the tests of opening data share: what is wanted, and one-line refusals."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from export.data.open import open_samples
from export.data.wanted import Wanted
from train.common.errors import DataError
from train.common.samples import Samples
from train.common.tensors import TensorSpec


def spec(name: str, *shape: int | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec(name=name, shape=(None, *shape), dtype=dtype)


# One input of four values, three classes.
INPUT, OUTPUT = spec("values", 4), spec("classes", 3)


def wanted(
    *inputs: TensorSpec,
    outputs: tuple[TensorSpec, ...] = (OUTPUT,),
    image_size: tuple[int, int] | None = None,
) -> Wanted:
    return Wanted(
        inputs=inputs or (INPUT,),
        outputs=outputs,
        option="--data",
        image_size=image_size,
    )


def opened(source: Path | str, what: Wanted, tmp_path: Path) -> Samples:
    """Opens a source with a staging folder beside it."""
    staging = tmp_path / "staging"
    staging.mkdir(exist_ok=True)
    return open_samples(str(source), what, staging)


def opened_or_refused(source: Path, tmp_path: Path) -> Samples | None:
    """Opens damaged data: None if it is refused, which has to be in one line."""
    try:
        return opened(source, wanted(), tmp_path)
    except DataError as error:
        message = str(error)
    assert "\n" not in message
    return None


@contextmanager
def refused(message: str) -> Iterator[None]:
    """Expects a DataError of one line that names the option and holds `message`, literally."""
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        yield
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("--data ")
