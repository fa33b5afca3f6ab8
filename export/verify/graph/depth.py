"""How many layers with weights of their own a graph has in series: how often noise adds up.

Time steps of a recurrent layer that is written out multiply by the same weights again; their
roundings are the same ones, so a layer counts once on a path, however often it is passed. Gates
read the same values and are one layer.
"""

from collections.abc import Hashable, Iterable, Sequence

Layers = frozenset[Hashable]
Step = tuple[Sequence[Hashable], Sequence[Hashable], Layers]  # inputs, outputs, layers that it is


def longest_path(steps: Iterable[Step]) -> int:
    """Returns the most distinct layers on a path through a graph.

    Of several paths to a step only the one of most layers is followed, so it may be one too few.

    Args:
        steps: the operators in the order of execution: tensors that each reads, but for stored
            ones, and writes, and the weights it multiplies by (a loop: all that its body does).
    """
    steps = list(steps)
    same = _beside(steps)
    passed: dict[Hashable, Layers] = {}
    longest = 0
    for inputs, outputs, own in steps:
        layers = frozenset(_first(layer, same) for layer in own)
        before = max((passed.get(name, frozenset()) for name in inputs), key=len, default=layers)
        found = before | layers
        longest = max(longest, len(found))
        passed.update(dict.fromkeys(outputs, found))
    return longest


def _beside(steps: Sequence[Step]) -> dict[Hashable, Hashable]:
    """Returns for layers that read the same values as an earlier one which that is."""
    same: dict[Hashable, Hashable] = {}
    reads: dict[Hashable, Hashable] = {}
    for inputs, _, layers in steps:
        if len(inputs) == len(layers) == 1:
            (layer,) = layers
            first, other = (_first(x, same) for x in (reads.setdefault(inputs[0], layer), layer))
            if first != other:
                same[other] = first
    return same


def _first(layer: Hashable, same: dict[Hashable, Hashable]) -> Hashable:
    while layer in same:
        layer = same[layer]
    return layer
