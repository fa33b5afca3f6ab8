"""Loops that count: WHILE operators whose number of rounds the file says."""

from dataclasses import dataclass
from math import prod

from export.deploy.c.network import Graph, Network, Operator, number
from train.common.errors import ArtifactError

WAY_OUT = "write recurrent layers out with --recurrent unrolled"
LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"


@dataclass(frozen=True, kw_only=True)
class Loop:
    """A WHILE that counts.

    Attributes:
        operator: the WHILE.
        body: what a round computes.
        place: which of its inputs counts.
        rounds: the counter's values, round by round.
    """

    operator: Operator
    body: Graph
    place: int
    rounds: range

    @property
    def counter(self) -> str:
        """The name in C of what counts."""
        return f"step_{self.operator.place}"

    @property
    def head(self) -> str:
        """The head of the loop in C."""
        first, end, by = self.rounds.start, self.rounds.stop, self.rounds.step
        name, sign = self.counter, "<" if by > 0 else ">"
        move = {1: f"{name}++", -1: f"{name}--"}.get(by, f"{name} += {by}")
        return f"for (int {name} = {first}; {name} {sign} {end}; {move})"

    @property
    def round(self) -> str:
        """The number of the round in C, from 0 on."""
        first, by = self.rounds.start, self.rounds.step
        passed = self.counter if first == 0 else f"({self.counter} - ({first}))"
        return (
            passed if by == 1 else f"{passed} / {by}" if by != -1 else f"({first} - {self.counter})"
        )


def counted(network: Network, operator: Operator) -> Loop:
    """Returns a WHILE as a loop that counts.

    Raises:
        ArtifactError: it does not count, or what it counts to is computed.
    """
    condition, body = (
        network.graphs[number]
        for number in (operator.options.condSubgraphIndex, operator.options.bodySubgraphIndex)
    )
    places = {tensor: place for place, tensor in enumerate(condition.inputs)}
    for each in condition.operators:
        if len(condition.operators) > 1 or each.name not in ("LESS", "GREATER_EQUAL"):
            break
        place, limit = places.get(each.inputs[0]), number(network, each.inputs[1])
        if place is None or limit is None or each.outputs != condition.outputs:
            break
        start = number(network, operator.inputs[place])
        by = _added(network, body, place)
        if start is None or by is None or (by > 0) != (each.name == "LESS"):
            break
        rounds = range(start, limit if by > 0 else limit - 1, by)
        return Loop(operator=operator, body=body, place=place, rounds=rounds)
    raise ArtifactError(
        f"got a loop that counts no steps, {network.tensors[operator.outputs[0]].name!r}, "
        f"expected one whose number of steps the file says; {WAY_OUT}"
    )


def _added(network: Network, body: Graph, place: int) -> int | None:
    """Returns what each round adds to its counter; None if it does something else to it."""
    for each in body.operators:
        if each.outputs == (body.outputs[place],) and each.name == "ADD":
            found = number(network, each.inputs[1])
            return found if each.inputs[0] == body.inputs[place] and found else None
    return None


def multiplications(network: Network) -> int:
    """Returns how many multiplications with weights one inference takes, with loops."""
    return _of(network, network.graphs[0])


def _of(network: Network, graph: Graph) -> int:
    total = 0
    for each in graph.operators:
        if each.name == "WHILE":
            loop = counted(network, each)
            total += len(loop.rounds) * _of(network, loop.body)
        elif each.name == LSTM:
            steps = network.tensors[each.inputs[0]].shape[1]
            total += steps * sum(network.tensors[i].size for i in each.inputs[1:9])
        elif each.name in ("CONV_2D", "FULLY_CONNECTED", "DEPTHWISE_CONV_2D"):
            shape = network.tensors[each.inputs[1]].shape
            fan_in = prod(shape[1:-1] if each.name == "DEPTHWISE_CONV_2D" else shape[1:])
            total += network.tensors[each.outputs[0]].size * fan_in
    return total
