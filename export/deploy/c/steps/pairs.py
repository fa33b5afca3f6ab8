"""Operators on two tensors, made of one template: sums, products, extremes, PReLU."""

import numpy as np

from export.deploy.c.network import Network, Operator, Tensor
from export.deploy.c.steps.numbers import factor, limits
from export.deploy.c.steps.step import Array, Step, braces, title, unsupported
from export.deploy.c.steps.weights.packing import PLAIN

# What an output is, of operands a and b without their zero points.
VALUES = {
    "ADD": "a + b",
    "SUB": "a - b",
    "MUL": "a * b",
    "SQUARED_DIFFERENCE": "(a - b) * (a - b)",
    "MAXIMUM": "a > b ? a : b",
    "MINIMUM": "a < b ? a : b",
    "PRELU": "(a < 0 ? model_scale(a * b, at->multiplier, at->shift) "
    ": model_scale(a, at->x_multiplier, at->x_shift)) + at->zero",
}
EXACT = ("MAXIMUM", "MINIMUM")  # whose operands have the output's scale
WIDE = "_16"  # what the names of kernels of 16-bit values have behind the operator's
SUM_SHIFT = {False: 20, True: 15}  # bits that sums have behind the point, by whether they are wide
SQUARE, SQUARE_SHIFT = "SQUARED_DIFFERENCE", 7  # and squared differences, before the square
SCALED = ("ADD", "SUB", SQUARE)  # whose operands are brought to one scale


def pairwise(network: Network, operator: Operator) -> Step:
    """Returns an operator on two tensors, one of which may be a constant, or be repeated."""
    a, b = (network.tensors[i] for i in operator.inputs)
    output = network.tensors[operator.outputs[0]]
    first, second = operator.inputs
    name = operator.name.lower()
    if a.data is not None:
        a, b, first, second = b, a, second, first
        if operator.name == "SUB":
            name = "sub_from"
    wide = {each.dtype for each in (a, b, output)} == {"int16"}
    if not wide and "int16" in (a.dtype, b.dtype, output.dtype):
        raise unsupported(operator, "of 8 and 16 bits")
    if wide and getattr(operator.options, "potScaleInt16", False):
        raise unsupported(operator, "of 16 bits in units that are powers of two")
    sizes, steps = _broadcast(operator, output, a, b)
    activation = getattr(operator.options, "fusedActivationFunction", 0)
    low, high = limits(activation, output)
    factors = _factors(operator.name, a, b, output)
    numbers = [
        *(braces(each) for each in (sizes, *steps)),
        *(a.zero_point, b.zero_point, output.zero_point, low, high),
        *(multiplier for multiplier, _ in factors),
        *(shift for _, shift in factors),
    ]
    constant = b.data is not None
    in_flash = constant and network.optimize != PLAIN  # which may be a memory of its own
    kernel = f"elementwise:{name}{WIDE if wide else ''}{'_constant' if in_flash else ''}"
    arrays: tuple[Array, ...] = ()
    other = f"{{t{second}}}"
    if b.data is not None:
        arrays = (Array(name=f"layer_{operator.place}_values", values=b.data.reshape(-1)),)
        other = arrays[0].name
    return Step(
        title=title(network, operator),
        code="static const MODEL_FLASH struct model_pair at = "
        f"{{{', '.join(map(str, numbers))}}};\n"
        f"{kernel.replace('elementwise:', 'model_')}({{t{first}}}, {other}, "
        f"{{t{operator.outputs[0]}}}, &at);",
        kernels=(
            *(() if operator.name in EXACT else ("scale",)),
            "narrow16" if wide else "narrow",
            "pair",
            kernel,
        ),
        arrays=arrays,
        inputs=(first,) if constant else (first, second),
        outputs=operator.outputs,
        in_place=a.size == output.size,
    )


def kernel_text(template: str, kernel: str) -> str:
    """Returns the kernel of an operator on two tensors, made of their common template."""
    name = kernel.removeprefix("elementwise:")
    kind = name.removesuffix("_constant")
    bits, kind = ("16" if kind.endswith(WIDE) else "8"), kind.removesuffix(WIDE)
    operator = {"sub_from": "SUB"}.get(kind, kind.upper())
    value = "b - a" if kind == "sub_from" else VALUES[operator]
    a, b = ("*p", "*q") if operator in EXACT else ("*p - at->x_zero", "*q - at->z_zero")
    if operator in SCALED:
        left = SQUARE_SHIFT if operator == SQUARE else SUM_SHIFT[bits == "16"]
        a, b = (
            f"model_scale((int32_t)((uint32_t)({v}) << {left}), at->{n}_multiplier, at->{n}_shift)"
            for v, n in ((a, "x"), (b, "z"))
        )
    if operator not in (*EXACT, "PRELU"):
        value = f"model_scale({value}, at->multiplier, at->shift) + at->zero"
    texts = {
        "NAME": name,
        "BITS": bits,
        "NARROW": "model_narrow16" if bits == "16" else "model_narrow",
        "FLASH": "MODEL_FLASH" if name.endswith("_constant") else "",
        "A": a,
        "B": b,
        "VALUE": value,
    }
    for key, text in texts.items():
        template = template.replace(f"@{key}@", text)
    return template.replace("const  int", "const int")


def _factors(name: str, a: Tensor, b: Tensor, output: Tensor) -> list[tuple[int, int]]:
    if name in EXACT:
        return [(0, 0)] * 3
    if name in ("MUL", "PRELU"):
        # in float32, as kernels/mul.cc and kernels/activations.cc have it
        scale = a.scales[0] * b.scales[0] / output.scales[0]
        own = factor(float(a.scales[0] / output.scales[0])) if name == "PRELU" else (0, 0)
        return [own, (0, 0), factor(float(scale))]
    twice = 2 * max(a.scale, b.scale)
    if name == SQUARE:
        result = twice * twice / float((1 << 2 * SQUARE_SHIFT) * output.scales[0])
        return [factor(a.scale / twice), factor(b.scale / twice), factor(result)]
    shift = SUM_SHIFT[output.dtype == "int16"]
    result = twice / ((1 << shift) * output.scale)
    return [factor(a.scale / twice), factor(b.scale / twice), factor(result)]


def _broadcast(
    operator: Operator, output: Tensor, a: Tensor, b: Tensor
) -> tuple[list[int], list[list[int]]]:
    """Returns three sizes, and the steps of both operands along them."""
    whole = output.shape or (1,)
    index = [
        np.broadcast_to(np.arange(each.size).reshape(each.shape), whole).reshape(whole)
        for each in (a, b)
    ]
    dims: list[tuple[int, list[int]]] = []
    for axis, size in enumerate(whole):
        if size == 1:
            continue
        steps = [int(np.take(i, 1, axis).flat[0] - i.flat[0]) for i in index]
        if dims and all(old == step * size for old, step in zip(dims[-1][1], steps, strict=True)):
            dims[-1] = (dims[-1][0] * size, steps)
        else:
            dims.append((size, steps))
    if len(dims) > 3:
        raise unsupported(operator, f"of shapes {a.shape} and {b.shape}")
    dims = [(1, [0, 0])] * (3 - len(dims)) + dims
    return [size for size, _ in dims], [[steps[i] for _, steps in dims] for i in (0, 1)]
