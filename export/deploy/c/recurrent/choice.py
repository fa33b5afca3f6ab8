"""Which of two tensors, row by row: what masks do."""

import numpy as np

from export.deploy.c.network import BYTES, Network, Operator, Tensor
from export.deploy.c.steps.step import Array, Step, title, unsupported


def select(network: Network, operator: Operator) -> Step:
    """Returns the choice between two tensors, or numbers, for each row of values.

    Raises:
        ArtifactError: it chooses by what is computed, otherwise than by rows, or what is chosen is
            a constant of several values.
    """
    chosen, *given = operator.inputs
    output = network.tensors[operator.outputs[0]]
    rows = network.tensors[chosen].size
    known = network.tensors[chosen].data
    if known is None and not _by_rows(network.tensors[chosen], output):
        raise unsupported(operator, "otherwise than by rows")
    if known is not None and output.dtype not in BYTES:
        raise unsupported(operator, f"of {output.dtype}, by a constant")
    sources, fills = [], []
    for index in given:
        tensor = network.tensors[index]
        if tensor.data is None and (tensor.size != output.size or tensor.dtype != output.dtype):
            raise unsupported(operator, "of tensors that are repeated")
        fill = _fill(tensor)
        if tensor.data is not None and fill is None:
            raise unsupported(operator, "of constants that differ")
        sources.append("0" if fill is not None else f"(const int8_t *){{t{index}}}")
        fills.append(fill or 0)
    computed = [index for index in reversed(given) if network.tensors[index].data is None]
    target = f"(int8_t *){{t{operator.outputs[0]}}}"
    arrays: tuple[Array, ...] = ()
    if known is None:
        inputs, sizes = (*computed, chosen), [rows, output.nbytes // rows]
        start = f"model_select({{t{chosen}}}"
    else:
        bits, period = _bits(np.broadcast_to(known != 0, output.shape).reshape(-1))
        arrays = (Array(name=f"layer_{operator.place}_bits", values=bits),)
        inputs, sizes = tuple(computed), [output.size]
        start = f"model_select_known({arrays[0].name}, {period}"
    numbers = ", ".join(map(str, [*fills, *sizes]))
    return Step(
        title=title(network, operator),
        code=f"{start}, {', '.join(sources)}, {target}, {numbers});",
        kernels=("select" if known is None else "select_known",),
        arrays=arrays,
        inputs=inputs,
        outputs=operator.outputs,
        in_place=bool(computed),
    )


def _bits(chosen: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns yes and no, (n,) bool, as bits, and after how many they are the same again."""
    n = len(chosen)
    periods = (p for p in range(1, n + 1) if n % p == 0)
    period = next(p for p in periods if np.array_equal(chosen[p:], chosen[: n - p]))
    return np.packbits(chosen[:period], bitorder="little").view(np.int8), period


def _by_rows(chosen: Tensor, output: Tensor) -> bool:
    places = np.broadcast_to(np.arange(chosen.size).reshape(chosen.shape), output.shape)
    rows = np.repeat(np.arange(chosen.size), output.size // chosen.size)
    return chosen.dtype in BYTES and np.array_equal(places.reshape(-1), rows)


def _fill(tensor: Tensor) -> int | None:
    """Returns the byte that a constant consists of; None if it has several, or is computed."""
    if tensor.data is None:
        return None
    content = np.frombuffer(tensor.data.tobytes(), np.int8)
    return int(content[0]) if np.all(content == content[0]) else None
