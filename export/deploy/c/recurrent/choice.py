"""Which of two tensors, row by row: what masks do."""

import numpy as np

from export.deploy.c.network import BYTES, Network, Operator, Tensor
from export.deploy.c.steps.step import Step, title, unsupported


def select(network: Network, operator: Operator) -> Step:
    """Returns the choice between two tensors, or numbers, for each row of values.

    Raises:
        ArtifactError: it chooses otherwise than by rows, or what is chosen is a constant of several
            values.
    """
    chosen, *given = operator.inputs
    output = network.tensors[operator.outputs[0]]
    rows = network.tensors[chosen].size
    if network.tensors[chosen].data is not None or not _by_rows(network.tensors[chosen], output):
        raise unsupported(operator, "by a constant, or otherwise than by rows")
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
    numbers = [*fills, rows, output.nbytes // rows]
    return Step(
        title=title(network, operator),
        code=f"model_select({{t{chosen}}}, {', '.join(sources)}, "
        f"(int8_t *){{t{operator.outputs[0]}}}, {', '.join(map(str, numbers))});",
        kernels=("select",),
        inputs=(*computed, chosen),
        outputs=operator.outputs,
        in_place=bool(computed),
    )


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
