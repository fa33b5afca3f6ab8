"""Calling a C program from Python."""

from pathlib import Path

import numpy as np
import pytest

from export.deploy.c.host import build
from export.runtimes.c import CRunner
from train.common.tensors import TensorSpec

SOURCE = """\
#include <stdint.h>
#include <string.h>
void model_run({parameters}) {{ {body} }}
"""


def spec(name: str, *shape: int | None) -> TensorSpec:
    return TensorSpec(name=name, shape=shape, dtype="int8", scale=None, zero_point=None)


@pytest.mark.parametrize("count", [1, 2])
def test_inputs_of_other_sizes_are_refused_before_c_reads_them(count: int, tmp_path: Path) -> None:
    inputs = [spec(f"in{i}", None, 3) for i in range(count)]
    text = SOURCE.format(
        parameters=", ".join([*(f"const int8_t *a{i}" for i in range(count)), "int8_t *y"]),
        body=" ".join([*(f"(void)a{i};" for i in range(count)), "memcpy(y, a0, 3);"]),
    )
    (tmp_path / "model.c").write_text(text, encoding="ascii")
    library = build(tmp_path, tmp_path / "host", inputs, [spec("out", 1, 3)])
    with CRunner(library, threads=1) as runner:
        given = np.array([[1, -2, 3]], np.int8)
        whole = (given,) * count if count > 1 else given
        made = runner.invoke(whole)
        np.testing.assert_array_equal(made, given)
        runner.invoke((-given,) * count if count > 1 else -given)
        np.testing.assert_array_equal(made, given)  # a copy: the next call leaves it alone
        short = given[:, :2]
        with pytest.raises(ValueError, match=r"bytes, expected "):
            runner.invoke((given, short) if count > 1 else short)
