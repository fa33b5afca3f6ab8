"""Numbers of words, and other ids of 32 bits: what looks up their rows, and what masks them."""

from export.deploy.c.network import Network, Operator, number
from export.deploy.c.steps.step import Array, Step, title, unsupported

COMPARISONS = {
    "EQUAL": "==",
    "NOT_EQUAL": "!=",
    "LESS": "<",
    "LESS_EQUAL": "<=",
    "GREATER": ">",
    "GREATER_EQUAL": ">=",
}


class Lookups:
    """The lookups of a network, each with the operators before it that let ids count from the end.

    Keras takes an id below zero as one from the end: LESS, ADD and SELECT, all of which the kernel
    does by itself.

    Attributes:
        skipped: these operators.
    """

    def __init__(self, network: Network, operators: tuple[Operator, ...]) -> None:
        """Finds them."""
        self._network = network
        self._ids: dict[int, int] = {}
        self.skipped: list[Operator] = []
        made_by = {each.outputs[0]: each for each in operators}
        for lookup in (each for each in operators if each.name == "GATHER"):
            chosen = made_by.get(lookup.inputs[1])
            if chosen is None or chosen.name not in ("SELECT", "SELECT_V2"):
                continue
            below, added, ids = chosen.inputs
            parts = [made_by.get(below), made_by.get(added)]
            rows = network.tensors[lookup.inputs[0]].shape[0]
            for part, name, expected in zip(parts, ("LESS", "ADD"), (0, rows), strict=True):
                if part is None or part.name != name or part.inputs[0] != ids:
                    break
                if number(network, part.inputs[1]) != expected:
                    break
            else:
                self._ids[lookup.inputs[1]] = ids
                self.skipped += [chosen, *(part for part in parts if part is not None)]

    def step(self, operator: Operator) -> Step:
        """Returns what looks up rows of a constant.

        Raises:
            ArtifactError: it looks up other than rows, or in what is computed.
        """
        network, options = self._network, operator.options
        table, ids = operator.inputs
        rows = network.tensors[table]
        found = self._ids.get(ids, ids)
        source = network.tensors[found]
        output = network.tensors[operator.outputs[0]]
        if rows.data is None or options.axis or options.batchDims or found not in network.inputs:
            raise unsupported(operator, "other than of rows of a constant by an input")
        if source.dtype != "int32" or rows.dtype != output.dtype or rows.data.itemsize != 1:
            raise unsupported(operator, f"of {rows.dtype} by {source.dtype}")
        array = Array(name=f"layer_{operator.place}_rows", values=rows.data.reshape(-1))
        count, size = rows.shape[0], rows.data.size // rows.shape[0]
        from_end = int(found != ids)
        return Step(
            title=title(network, operator),
            code=f"model_lookup({{t{found}}}, {{t{operator.outputs[0]}}}, {source.size}, "
            f"{array.name}, {count}, {size}, {from_end});",
            kernels=("lookup",),
            arrays=(array,),
            inputs=(found,),
            outputs=operator.outputs,
        )


def is_comparison(network: Network, operator: Operator) -> bool:
    """Returns whether an operator compares ids with a number."""
    return (
        operator.name in COMPARISONS
        and network.tensors[operator.inputs[0]].dtype == "int32"
        and network.tensors[operator.inputs[0]].data is None
    )


def comparison(network: Network, operator: Operator) -> Step:
    """Returns yes or no for each of an input's ids.

    Raises:
        ArtifactError: they are computed, or not compared with one number.
    """
    ids, other = operator.inputs
    found = number(network, other)
    if found is None or ids not in network.inputs:
        raise unsupported(operator, "of numbers of 32 bits that are computed")
    source, target = f"{{t{ids}}}", f"{{t{operator.outputs[0]}}}"
    value = str(found) if found > -(1 << 31) else "(-2147483647 - 1)"
    return Step(
        title=title(network, operator),
        code=f"for (unsigned i = 0; i < {network.tensors[ids].size}u; i++) {{\n"
        f"    {target}[i] = {source}[i] {COMPARISONS[operator.name]} {value};\n}}",
        inputs=(ids,),
        outputs=operator.outputs,
    )
