"""Where each tensor stands: in the caller's buffers, or at an offset of one arena."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from export.deploy.c.network import Network
from export.deploy.c.steps import Step

ORDERS = 200  # tried beyond the first that needs no more than what lives at once
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Span:
    """Memory that is needed from one step to another, both included."""

    first: int
    last: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where everything stands.

    Attributes:
        places: by tensor: `input_0`, `output_0`, or the offset in the arena.
        scratch: the offset of each step's own memory, by step.
        copies: outputs by their place in the list, with the tensor they are a copy of.
        arena_bytes: the arena's size.
        live_bytes: the most that lives at once, below which no arena can be.
    """

    places: Mapping[int, str | int]
    scratch: Mapping[int, int]
    copies: Mapping[int, int]
    arena_bytes: int
    live_bytes: int


def make_plan(network: Network, steps: Sequence[Step], same: Mapping[int, int]) -> Plan:
    """Returns where the tensors of a program stand.

    Args:
        network: the file.
        steps: the program.
        same: tensors that are another one under another shape.
    """
    last = _last_uses(network, steps, same)
    owner = {each: each for each in same.values()}
    owner |= {each: each for step in steps for each in (*step.inputs, *step.outputs)}
    owner |= {each: each for each in network.inputs}

    def root(tensor: int) -> int:
        tensor = same.get(tensor, tensor)
        while owner[tensor] != tensor:
            tensor = owner[tensor]
        return tensor

    outputs = [root(each) for each in network.outputs]
    for number, step in enumerate(steps):
        if not step.in_place:
            continue
        source, target = root(step.inputs[0]), step.outputs[0]
        if (
            source not in network.inputs
            and source not in outputs
            and last[source] == number
            and network.tensors[source].size == network.tensors[target].size
        ):
            owner[target] = source
            last[source] = last[target]
            outputs = [root(each) for each in network.outputs]
    homes: dict[int, str | int] = {each: f"input_{i}" for i, each in enumerate(network.inputs)}
    copies: dict[int, int] = {}
    for i, each in enumerate(outputs):
        if each in homes:
            copies[i] = network.outputs[i]
        else:
            homes[each] = f"output_{i}"
    spans: dict[tuple[str, int], Span] = {}
    for number, step in enumerate(steps):
        for each in step.outputs:
            key = ("tensor", root(each))
            if root(each) not in homes and key not in spans:
                size = network.tensors[each].size
                spans[key] = Span(first=number, last=max(number, last[root(each)]), size=size)
        if step.scratch:
            spans["scratch", number] = Span(first=number, last=number, size=step.scratch)
    offsets, size = place(spans)
    found = {
        each: homes[root(each)] if root(each) in homes else offsets["tensor", root(each)]
        for each in {*owner, *same}
    }
    return Plan(
        places=found,
        scratch={number: at for (kind, number), at in offsets.items() if kind == "scratch"},
        copies=copies,
        arena_bytes=size,
        live_bytes=most_alive(spans.values()),
    )


def place(spans: Mapping[tuple[str, int], Span]) -> tuple[dict[tuple[str, int], int], int]:
    """Returns an offset for each span so that none overlap, and the bytes of all.

    The largest first, each as low as it goes; then other orders until the bytes are the least that
    they can be. (Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference,
    2020, compare such orders.)
    """
    least = most_alive(spans.values())
    order = sorted(spans, key=lambda key: (-spans[key].size, spans[key].first, key))
    best, size = _lay_out(spans, order)
    generator = random.Random(SEED)  # noqa: S311 - the same plan every time
    for _ in range(ORDERS):
        if size <= least:
            break
        other = order.copy()
        for _ in range(1 + len(order) // 8):
            i, j = generator.randrange(len(order)), generator.randrange(len(order))
            other[i], other[j] = other[j], other[i]
        found, needed = _lay_out(spans, other)
        if needed <= size:
            best, size, order = found, needed, other
    return best, size


def most_alive(spans: Collection[Span]) -> int:
    """Returns the most bytes that live at one step."""
    steps = {span.first for span in spans}
    return max(
        (sum(s.size for s in spans if s.first <= step <= s.last) for step in steps), default=0
    )


def _lay_out(
    spans: Mapping[tuple[str, int], Span], order: Sequence[tuple[str, int]]
) -> tuple[dict[tuple[str, int], int], int]:
    offsets: dict[tuple[str, int], int] = {}
    for key in order:
        span, start = spans[key], 0
        taken = sorted(
            (offsets[k], offsets[k] + spans[k].size)
            for k in offsets
            if spans[k].first <= span.last and span.first <= spans[k].last
        )
        for low, high in taken:
            if start + span.size <= low:
                break
            start = max(start, high)
        offsets[key] = start
    return offsets, max((offsets[k] + spans[k].size for k in offsets), default=0)


def _last_uses(network: Network, steps: Sequence[Step], same: Mapping[int, int]) -> dict[int, int]:
    """Returns the last step that reads each tensor; outputs are read after all."""
    last: dict[int, int] = {}
    for number, step in enumerate(steps):
        for each in step.outputs:
            last.setdefault(same.get(each, each), number)
        for each in step.inputs:
            last[same.get(each, each)] = number
    for each in network.outputs:
        last[same.get(each, each)] = len(steps)
    return last
