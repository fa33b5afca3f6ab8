"""Operators that only move values: each is a copy from places to places, as loops."""

from collections.abc import Sequence

import numpy as np

from export.deploy.c.network import Network, Operator, Tensor
from export.deploy.c.steps.step import Step, title, unsupported

# The same values in the same order: no step at all.
SAME = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
Places = tuple[np.ndarray, np.ndarray]


def concatenation(network: Network, operator: Operator) -> Step:
    """Returns several tensors one behind the other, or packed along a new axis."""
    output = network.tensors[operator.outputs[0]]
    to = _places(output)
    axis = operator.options.axis % len(output.shape)
    parts, start = [], 0
    for index in operator.inputs:
        tensor = network.tensors[index]
        if tensor.data is not None:
            raise unsupported(operator, "with a constant")
        size = 1 if operator.name == "PACK" else tensor.shape[axis]
        part = np.take(to, range(start, start + size), axis)
        parts.append((index, part.reshape(tensor.shape), _places(tensor)))
        start += size
    return _step(network, operator, [(i, operator.outputs[0], w, r) for i, w, r in parts])


def split(network: Network, operator: Operator) -> Step:
    """Returns parts of a tensor, or its slices along an axis, each as one of its own."""
    index = operator.inputs[1 if operator.name == "SPLIT" else 0]
    given = network.tensors[index]
    if operator.name == "UNPACK":
        axis = operator.options.axis % len(given.shape)
    else:
        at = network.tensors[operator.inputs[0 if operator.name == "SPLIT" else 2]].data
        if at is None:
            raise unsupported(operator, "along a computed axis")
        axis = int(at.reshape(-1)[0]) % len(given.shape)
    copies, start = [], 0
    for made in operator.outputs:
        tensor = network.tensors[made]
        size = 1 if operator.name == "UNPACK" else tensor.shape[axis]
        read = np.take(_places(given), range(start, start + size), axis).reshape(tensor.shape)
        copies.append((index, made, _places(tensor), read))
        start += size
    return _step(network, operator, copies)


def selection(network: Network, operator: Operator) -> Step:
    """Returns a slice, a transposition, a repetition or another order of one tensor's values."""
    output = network.tensors[operator.outputs[0]]
    read = read_places(network, operator)
    write = _places(output).reshape(read.shape)
    return _step(network, operator, [(operator.inputs[0], operator.outputs[0], write, read)])


def read_places(network: Network, operator: Operator) -> np.ndarray:
    """Returns the places of its input that a slice, a transposition or the like reads, in order."""
    given = network.tensors[operator.inputs[0]]
    stored = [network.tensors[i].data for i in operator.inputs[1:]]
    numbers = [[int(n) for n in data.flat] for data in stored if data is not None]
    if len(numbers) < len(stored):
        raise unsupported(operator, "with computed numbers")
    return _read(operator, _places(given), numbers)


def pad(network: Network, operator: Operator) -> Step:
    """Returns a tensor with a border of one value."""
    given = network.tensors[operator.inputs[0]]
    output = network.tensors[operator.outputs[0]]
    widths = network.tensors[operator.inputs[1]].data
    if widths is None:
        raise unsupported(operator, "with computed numbers")
    value = output.zero_point
    if len(operator.inputs) > 2:
        border = network.tensors[operator.inputs[2]].data
        if border is None:
            raise unsupported(operator, "with a computed value")
        value = int(border.reshape(-1)[0])
    inside = tuple(
        slice(int(before), int(before) + size)
        for (before, _), size in zip(widths, given.shape, strict=True)
    )
    copy = (operator.inputs[0], operator.outputs[0], _places(output)[inside], _places(given))
    fill = f"memset({{t{operator.outputs[0]}}}, {value}, {output.size});\n"
    return _step(network, operator, [copy], before=fill)


def _read(operator: Operator, places: np.ndarray, numbers: list[list[int]]) -> np.ndarray:
    """Returns from which place each value of the output comes, possibly with more axes."""
    options, shape = operator.options, places.shape
    match operator.name:
        case "TRANSPOSE":
            return places.transpose(numbers[0])
        case "SLICE":
            starts, sizes = numbers
            ends = [s + n if n >= 0 else None for s, n in zip(starts, sizes, strict=True)]
            return places[tuple(map(slice, starts, ends))]
        case "STRIDED_SLICE" if not (options.ellipsisMask or options.newAxisMask):
            chosen: list[slice | int] = []
            for axis, (start, end, step) in enumerate(zip(*numbers, strict=True)):
                bit = 1 << axis
                if options.shrinkAxisMask & bit:
                    chosen.append(start)
                    continue
                first = None if options.beginMask & bit else start
                chosen.append(slice(first, None if options.endMask & bit else end, step))
            return places[tuple(chosen)]
        case "TILE":
            return _repeated(places, numbers[0], inside=False)
        case "RESIZE_NEAREST_NEIGHBOR" if not options.alignCorners:
            factors = [1, numbers[0][0] // shape[1], numbers[0][1] // shape[2], 1]
            if [f * n for f, n in zip(factors[1:3], shape[1:3], strict=True)] == numbers[0]:
                return _repeated(places, factors, inside=True)
        case "REVERSE_V2":
            return np.flip(places, tuple(numbers[0]))
        case "SPACE_TO_DEPTH" | "DEPTH_TO_SPACE":
            n, h, w, c = shape
            b = options.blockSize
            if operator.name == "SPACE_TO_DEPTH":
                return places.reshape(n, h // b, b, w // b, b, c).transpose(0, 1, 3, 2, 4, 5)
            return places.reshape(n, h, w, b, b, c // b // b).transpose(0, 1, 3, 2, 4, 5)
    raise unsupported(operator, f"of shape {shape}")


def _repeated(places: np.ndarray, factors: Sequence[int], *, inside: bool) -> np.ndarray:
    """Returns places repeated along each axis, value by value (`inside`) or as a whole."""
    shape: list[int] = []
    whole: list[int] = []
    for size, times in zip(places.shape, factors, strict=True):
        shape += [size, 1] if inside else [1, size]
        whole += [size, times] if inside else [times, size]
    return np.broadcast_to(places.reshape(shape), whole)


def _places(tensor: Tensor) -> np.ndarray:
    return np.arange(tensor.size).reshape(tensor.shape)


def _step(
    network: Network,
    operator: Operator,
    copies: Sequence[tuple[int, int, np.ndarray, np.ndarray]],
    before: str = "",
) -> Step:
    loops = [
        _loops(operator, f"{{t{source}}}", f"{{t{target}}}", write, read)
        for source, target, write, read in copies
    ]
    return Step(
        title=title(network, operator),
        code=before + "\n".join(loops),
        inputs=tuple(dict.fromkeys(source for source, *_ in copies)),
        outputs=operator.outputs,
    )


def _loops(
    operator: Operator, source: str, target: str, write: np.ndarray, read: np.ndarray
) -> str:
    """Returns loops that copy from the places `read` to the places `write`."""
    dims = _dimensions(operator, write, read)
    run = 1
    if dims and dims[-1][1:] == (1, 1):
        run = dims.pop()[0]
    names = [f"i{depth}" for depth in range(len(dims))]
    at = [
        " + ".join(
            [
                base,
                *(
                    f"{n} * {step}"
                    for n, (_, *steps) in zip(names, dims, strict=True)
                    if (step := steps[which])
                ),
            ]
        )
        for which, base in (
            (0, f"{target} + {int(write.flat[0])}"),
            (1, f"{source} + {int(read.flat[0])}"),
        )
    ]
    lines = [
        f"{'    ' * depth}for (int {name} = 0; {name} < {size}; {name}++) {{"
        for depth, (name, (size, *_)) in enumerate(zip(names, dims, strict=True))
    ]
    inner = "    " * len(dims)
    at = [each.replace(" + 0", "", 1) for each in at]
    copy = f"memcpy({at[0]}, {at[1]}, {run});" if run > 1 else f"*({at[0]}) = *({at[1]});"
    lines.append(inner + copy)
    lines += ["    " * depth + "}" for depth in reversed(range(len(dims)))]
    return "\n".join(lines)


def _dimensions(
    operator: Operator, write: np.ndarray, read: np.ndarray
) -> list[tuple[int, int, int]]:
    """Returns (size, step of the target, step of the source) of as few loops as will do."""
    dims: list[tuple[int, int, int]] = []
    for axis, size in enumerate(write.shape):
        if size == 1:
            continue
        steps = [int(np.take(p, 1, axis).flat[0] - p.flat[0]) for p in (write, read)]
        if dims and dims[-1][1:] == (steps[0] * size, steps[1] * size):
            dims[-1] = (dims[-1][0] * size, steps[0], steps[1])
        else:
            dims.append((size, steps[0], steps[1]))
    for places, which in ((write, 1), (read, 2)):
        found = np.full(1, places.flat[0])
        for dim in dims:
            found = (found[:, None] + np.arange(dim[0]) * dim[which]).reshape(-1)
        if not np.array_equal(found, places.reshape(-1)):
            raise unsupported(operator, f"of shape {places.shape}")
    return dims
