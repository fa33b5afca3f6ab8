"""What a step of the generated program is, whichever operator it computes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from export.deploy.c.network import Network, NoKernelError, Operator, Tensor

ROWS = 4  # whose weights stand side by side, four by four


@dataclass(frozen=True, kw_only=True)
class Array:
    """A constant: its name in C, integers (n,), whether it begins at a word.

    A `wide` one is to have 16 bits where it is read.
    """

    name: str
    values: np.ndarray
    aligned: bool = False
    wide: bool = False


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the program.

    Attributes:
        title: what it does, for a comment.
        code: statements; `{t7}` is where tensor 7 stands, `{scratch}` memory of its own.
        kernels: the kernels it calls, by file, each after those that it needs.
        arrays: its constants.
        inputs, outputs: the computed tensors that it reads and writes.
        scratch: bytes that it needs besides.
        wide_scratch: whether these hold values of 16 bits.
        in_place: whether its first output may stand where its first input does.
    """

    title: str
    code: str
    kernels: tuple[str, ...] = ()
    arrays: tuple[Array, ...] = ()
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    scratch: int = 0
    wide_scratch: bool = False
    in_place: bool = False


def title(network: Network, operator: Operator) -> str:
    """Returns an operator's name with the shapes of what it reads and makes."""
    found = [network.tensors[i] for i in operator.inputs if i >= 0]
    given = " + ".join(shape(tensor) for tensor in found if tensor.data is None)
    return f"{operator.name}: {given} -> {shape(network.tensors[operator.outputs[0]])}"


def shape(tensor: Tensor) -> str:
    """Returns a tensor's sizes without the batch, as `28x28x1`."""
    return "x".join(map(str, tensor.shape[1:] or tensor.shape)) or "1"


def of_each_picture(network: Network, step: Step) -> Step:
    """Returns a step, made for one picture, for all of a batch, as TimeDistributed makes one."""
    source, target = step.inputs[0], step.outputs[0]
    batch = network.tensors[source].shape[0]
    if batch == 1:
        return step
    code = step.code
    for tensor in (source, target):
        size = network.tensors[tensor].size // batch
        code = code.replace(f"{{t{tensor}}}", f"({{t{tensor}}} + each * {size})")
    return replace(step, code=f"for (int each = 0; each < {batch}; each++) {{\n{code}\n}}")


def braces(numbers: Sequence[object]) -> str:
    """Returns what initializes a structure or an array: of numbers, names, braces."""
    return "{" + ", ".join(map(str, numbers)) + "}"


def side_by_side(rows: np.ndarray) -> np.ndarray:
    """Returns weights (rows, n) int8 in the order in which `dot.c` reads them."""
    count, n = rows.shape
    whole, groups = count - count % ROWS, n - n % ROWS
    blocks = rows[:whole].reshape(-1, ROWS, n)
    fours = (
        blocks[:, :, :groups].reshape(len(blocks), ROWS, groups // ROWS, ROWS).transpose(0, 2, 1, 3)
    )
    rest = blocks[:, :, groups:]
    parts = [
        fours.reshape(len(blocks), ROWS * groups),
        rest.reshape(len(blocks), ROWS * (n - groups)),
    ]
    packed = np.concatenate(parts, axis=1).reshape(-1)
    return np.concatenate([packed, rows[whole:].reshape(-1)]).astype(np.int8)


def unsupported(operator: Operator, what: str = "") -> NoKernelError:
    """Returns the error of an operator that no kernel here computes."""
    return NoKernelError(f"there is no kernel for {operator.name}{what and ' ' + what}")
