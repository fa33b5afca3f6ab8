"""Where each tensor stands: in the caller's buffers, or at an offset of one arena."""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from export.deploy.c.network import Network
from export.deploy.c.steps.step import Step

ORDERS = 200  # tried beyond the first that needs no more than what lives at once
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Span:
    """Memory that is needed from one step to another, both included."""

    first: int
    last: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Steps that are done again and again.

    Attributes:
        head: of the loop in C.
        first, last: its steps, both included.
        carried: tensors that each round finds changed, with what the round before made of them.
    """

    head: str
    first: int
    last: int
    carried: tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where everything stands.

    Attributes:
        places: by tensor: `input_0`, `output_0`, or the offset in the arena.
        scratch: the offset of each step's own memory, by step.
        copies: outputs by their place in the list, with the tensor they are a copy of.
        carries: by the last step of a loop, tensors that are copied there: to, from.
        arena_bytes: the arena's size.
        live_bytes: the most that lives at once, below which no arena can be.
        wide: whether something in it has 16 bits, and so begins at an even address.
    """

    places: Mapping[int, str | int]
    scratch: Mapping[int, int]
    copies: Mapping[int, int]
    carries: Mapping[int, Sequence[tuple[int, int]]]
    arena_bytes: int
    live_bytes: int
    wide: bool


def make_plan(
    network: Network,
    steps: Sequence[Step],
    same: Mapping[int, int],
    loops: Sequence[Rounds] = (),
) -> Plan:
    """Returns where the tensors of a program stand.

    Args:
        network: the file.
        steps: the program.
        same: tensors that are another one under another shape, or a part of one.
        loops: which steps are done again and again.
    """
    last = _last_uses(network, steps, same, loops)
    owner = {each: each for each in same.values()}
    owner |= {each: each for step in steps for each in (*step.inputs, *step.outputs)}
    owner |= {each: each for each in network.inputs}

    def root(tensor: int) -> int:
        tensor = same.get(tensor, tensor)
        while owner[tensor] != tensor:
            tensor = owner[tensor]
        return tensor

    carries: dict[int, list[tuple[int, int]]] = {}
    for loop in loops:
        for state, result in loop.carried:
            if root(state) == root(result):
                continue
            if _may_overwrite(steps, loop, root, state, result):
                last[root(state)] = max(last[root(state)], last[root(result)])
                owner[root(result)] = root(state)
            else:
                carries.setdefault(loop.last, []).append((state, result))
    outputs = [root(each) for each in network.outputs]
    for number, step in enumerate(steps):
        if not step.in_place:
            continue
        source, target = root(step.inputs[0]), step.outputs[0]
        if (
            source not in network.inputs
            and source not in outputs
            and target not in same
            and owner[target] == target
            and last[source] == number
            and network.tensors[source].nbytes == network.tensors[target].nbytes
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
    wide = any(network.tensors[each].dtype == "int16" for each in owner)
    wide = wide or any(step.wide_scratch for step in steps)
    spans: dict[tuple[str, int], Span] = {}
    for number, step in enumerate(steps):
        for each in step.outputs:
            key = ("tensor", root(each))
            if root(each) not in homes and key not in spans:
                size = network.tensors[root(each)].nbytes
                spans[key] = Span(first=number, last=max(number, last[root(each)]), size=size)
        if step.scratch:
            spans["scratch", number] = Span(first=number, last=number, size=step.scratch)
    if wide:  # of an even number of bytes each, all begin at even places
        spans = {key: replace(span, size=span.size + span.size % 2) for key, span in spans.items()}
    offsets, size = place(spans)
    found = {
        each: homes[root(each)] if root(each) in homes else offsets["tensor", root(each)]
        for each in {*owner, *same}
    }
    return Plan(
        places=found,
        scratch={number: at for (kind, number), at in offsets.items() if kind == "scratch"},
        copies=copies,
        carries=carries,
        arena_bytes=size + int(wide),  # an odd address is passed over
        live_bytes=most_alive(spans.values()),
        wide=wide,
    )


def _may_overwrite(
    steps: Sequence[Step], loop: Rounds, root: Callable[[int], int], state: int, result: int
) -> bool:
    """Returns whether what a round makes of a state may stand where the state does.

    It may if nothing reads the state any more once it is written.
    """
    inside = range(loop.first, loop.last + 1)
    made = [n for n in inside if root(result) in map(root, steps[n].outputs)]
    states = {root(kept) for kept, _ in loop.carried}
    if not made or root(result) in states:
        return False
    first = made[0]
    for number in inside:
        if root(state) not in map(root, steps[number].inputs):
            continue
        step = steps[number]
        at_once = step.in_place and [root(each) for each in step.inputs].index(root(state)) == 0
        if number > first or (number == first and not at_once):
            return False
    return True


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


def _last_uses(
    network: Network, steps: Sequence[Step], same: Mapping[int, int], loops: Sequence[Rounds]
) -> dict[int, int]:
    """Returns the last step that reads each tensor; outputs are read after all.

    What a loop reads and does not make itself is read until its last round.
    """
    last: dict[int, int] = {}
    first: dict[int, int] = {}
    for number, step in enumerate(steps):
        for each in step.outputs:
            last.setdefault(same.get(each, each), number)
            first.setdefault(same.get(each, each), number)
        for each in step.inputs:
            last[same.get(each, each)] = number
    for loop in loops:
        for number in range(loop.first, loop.last + 1):
            for each in (*steps[number].inputs, *steps[number].outputs):
                tensor = same.get(each, each)
                if first.get(tensor, -1) < loop.first:
                    last[tensor] = max(last[tensor], loop.last)
        for pair in loop.carried:
            for each in pair:
                tensor = same.get(each, each)
                last[tensor] = max(last.get(tensor, 0), loop.last + 1)
    for each in network.outputs:
        last[same.get(each, each)] = len(steps)
    return last
