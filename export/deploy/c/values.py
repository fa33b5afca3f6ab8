"""Operators without weights: of single values, of two operands, over windows and rows."""

import math
from typing import Any

import numpy as np

from export.deploy.c.network import Network, Operator, Tensor
from export.deploy.c.numbers import factor, limits
from export.deploy.c.steps import Array, Step, title, unsupported

# What an output is, of operands a and b without their zero points.
VALUES = {
    "ADD": "a + b",
    "SUB": "a - b",
    "MUL": "a * b",
    "MAXIMUM": "a > b ? a : b",
    "MINIMUM": "a < b ? a : b",
    "PRELU": "(a < 0 ? model_scale(a * b, at->multiplier, at->shift) "
    ": model_scale(a, at->x_multiplier, at->x_shift)) + at->zero",
}
EXACT = ("MAXIMUM", "MINIMUM")  # whose operands have the output's scale
SUM_SHIFT = 20  # bits that sums have behind the point


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
    sizes, steps = _broadcast(operator, output, a, b)
    activation = getattr(operator.options, "fusedActivationFunction", 0)
    low, high = limits(activation, output)
    factors = _factors(operator.name, a, b, output)
    numbers = [
        *(_braces(each) for each in (sizes, *steps)),
        *(a.zero_point, b.zero_point, output.zero_point, low, high),
        *(multiplier for multiplier, _ in factors),
        *(shift for _, shift in factors),
    ]
    constant = b.data is not None
    kernel = f"elementwise:{name}{'_constant' if constant else ''}"
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
        kernels=(*(() if operator.name in EXACT else ("scale",)), "narrow", "pair", kernel),
        arrays=arrays,
        inputs=(first,) if constant else (first, second),
        outputs=operator.outputs,
        in_place=a.size == output.size,
    )


def kernel_text(template: str, kernel: str) -> str:
    """Returns the kernel of an operator on two tensors, made of their common template."""
    name = kernel.removeprefix("elementwise:")
    kind = name.removesuffix("_constant")
    operator = {"sub_from": "SUB"}.get(kind, kind.upper())
    value = "b - a" if kind == "sub_from" else VALUES[operator]
    a, b = ("*p", "*q") if operator in EXACT else ("*p - at->x_zero", "*q - at->z_zero")
    if operator in ("ADD", "SUB"):
        a, b = (
            f"model_scale((int32_t)((uint32_t)({v}) << {SUM_SHIFT}), at->{n}_multiplier, "
            f"at->{n}_shift)"
            for v, n in ((a, "x"), (b, "z"))
        )
    if operator not in (*EXACT, "PRELU"):
        value = f"model_scale({value}, at->multiplier, at->shift) + at->zero"
    texts = {
        "NAME": name,
        "FLASH": "MODEL_FLASH" if name.endswith("_constant") else "",
        "A": a,
        "B": b,
        "VALUE": value,
    }
    for key, text in texts.items():
        template = template.replace(f"@{key}@", text)
    return template.replace("const  int8_t", "const int8_t")


def _factors(name: str, a: Tensor, b: Tensor, output: Tensor) -> list[tuple[int, int]]:
    if name in EXACT:
        return [(0, 0)] * 3
    if name in ("MUL", "PRELU"):
        # in float32, as kernels/mul.cc and kernels/activations.cc have it
        scale = a.scales[0] * b.scales[0] / output.scales[0]
        own = factor(float(a.scales[0] / output.scales[0])) if name == "PRELU" else (0, 0)
        return [own, (0, 0), factor(float(scale))]
    twice = 2 * max(a.scale, b.scale)
    result = twice / ((1 << SUM_SHIFT) * output.scale)
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


def _braces(numbers: list[int]) -> str:
    return "{" + ", ".join(map(str, numbers)) + "}"


def pool(network: Network, operator: Operator) -> Step:
    """Returns average or maximum pooling."""
    given, output = network.tensors[operator.inputs[0]], network.tensors[operator.outputs[0]]
    options = operator.options
    kernel = (options.filterHeight, options.filterWidth)
    steps = (options.strideH, options.strideW)
    pad = [
        max(0, (out - 1) * step + k - size) // 2 if options.padding == 0 else 0
        for size, out, k, step in zip(
            given.shape[1:3], output.shape[1:3], kernel, steps, strict=True
        )
    ]
    low, high = limits(options.fusedActivationFunction, output)
    average = int(operator.name == "AVERAGE_POOL_2D")
    numbers = [*given.shape[1:], *output.shape[1:], *kernel, *steps, 1, 1, *pad, 1, 0]
    return Step(
        title=title(network, operator),
        code=f"static const MODEL_FLASH struct model_window at = {_braces(numbers)};\n"
        f"model_pool({{t{operator.inputs[0]}}}, {{t{operator.outputs[0]}}}, &at, {average}, "
        f"{low}, {high});",
        kernels=("narrow", "window", "pool"),
        inputs=operator.inputs[:1],
        outputs=operator.outputs,
    )


def resize_bilinear(network: Network, operator: Operator) -> Step:
    """Returns bilinear resizing."""
    given, output = network.tensors[operator.inputs[0]], network.tensors[operator.outputs[0]]
    aligned = int(operator.options.alignCorners)
    sizes = list(zip(given.shape[1:3], output.shape[1:3], strict=True))
    # ResizeBilinearInteger in kernels/internal/reference/resize_bilinear.h: 10 bits
    spans = [(a - aligned, max(b - aligned, 1)) if b > 1 else (a, b) for a, b in sizes]
    steps = [(1024 * a + b // 2) // b for a, b in spans]
    first = [step // 2 - 512 if operator.options.halfPixelCenters else 0 for step in steps]
    numbers = ", ".join(map(str, [*given.shape[1:], *output.shape[1:3], *steps, *first]))
    return Step(
        title=title(network, operator),
        code=f"model_resize_bilinear({{t{operator.inputs[0]}}}, {{t{operator.outputs[0]}}}, "
        f"{numbers});",
        kernels=("resize_bilinear",),
        inputs=operator.inputs[:1],
        outputs=operator.outputs,
    )


def mean(network: Network, operator: Operator) -> Step:
    """Returns the mean or the sum over axes that are next to each other."""
    given = network.tensors[operator.inputs[0]]
    output = network.tensors[operator.outputs[0]]
    outer, count, inner = _reduced(network, operator)
    multiplier, shift = factor(float(given.scales[0]) / float(output.scales[0]))
    if operator.name == "MEAN":  # QuantizedMeanOrSum in kernels/internal/reference/reduce.h
        bits = min(count.bit_length() - 1, 32, 31 + shift)
        multiplier, shift = (multiplier << bits) // count, shift - bits
    less = count * given.zero_point
    return Step(
        title=title(network, operator),
        code=f"model_mean({{t{operator.inputs[0]}}}, {{t{operator.outputs[0]}}}, {outer}, {count}, "
        f"{inner}, {less}, {multiplier}, {shift}, {output.zero_point});",
        kernels=("scale", "narrow", "mean"),
        inputs=operator.inputs[:1],
        outputs=operator.outputs,
    )


def extreme(network: Network, operator: Operator) -> Step:
    """Returns the largest or the smallest value over axes that are next to each other."""
    sizes = ", ".join(map(str, _reduced(network, operator)))
    sign = 1 if operator.name == "REDUCE_MAX" else -1
    return Step(
        title=title(network, operator),
        code=f"model_extreme({{t{operator.inputs[0]}}}, {{t{operator.outputs[0]}}}, {sizes}, "
        f"{sign});",
        kernels=("extreme",),
        inputs=operator.inputs[:1],
        outputs=operator.outputs,
    )


def _reduced(network: Network, operator: Operator) -> tuple[int, int, int]:
    """Returns the numbers of values before, along and behind the axes that are reduced."""
    given, axes = (network.tensors[i] for i in operator.inputs)
    if axes.data is None:
        raise unsupported(operator, "over computed axes")
    chosen = sorted({int(axis) % len(given.shape) for axis in axes.data.reshape(-1)})
    chosen = [axis for axis in chosen if given.shape[axis] > 1] or chosen[:1]
    if chosen != list(range(chosen[0], chosen[-1] + 1)):
        raise unsupported(operator, f"over axes {chosen}")
    ends = (chosen[0], chosen[-1] + 1)
    return (
        math.prod(given.shape[: ends[0]]),
        math.prod(given.shape[ends[0] : ends[1]]),
        math.prod(given.shape[ends[1] :]),
    )


def softmax(network: Network, operator: Operator) -> Step:
    """Returns softmax over the last axis."""
    given = network.tensors[operator.inputs[0]]
    n = given.shape[-1]
    # PreprocessSoftmaxScaling and CalculateInputRadius, kernels/internal/quantization_util.cc
    real = min(operator.options.beta * given.scale * (1 << 26), (1 << 31) - 1.0)
    multiplier, shift = factor(real)
    least = -math.floor(31 * (1 << 26) / (1 << shift))
    return Step(
        title=title(network, operator),
        code=f"model_softmax({{t{operator.inputs[0]}}}, {{t{operator.outputs[0]}}}, "
        f"{given.size // n}, {n}, {multiplier}, {shift}, {max(least, -256)});",
        kernels=("narrow", "softmax"),
        inputs=operator.inputs,
        outputs=operator.outputs,
        in_place=True,
    )


def table(network: Network, operator: Operator) -> Step:
    """Returns an operator on single values as a table of LiteRT's results for all of them.

    Raises:
        ArtifactError: LiteRT has no such kernel for values of 8 bits.
    """
    given, output = network.tensors[operator.inputs[0]], network.tensors[operator.outputs[0]]
    if given.shape != output.shape:
        raise unsupported(operator)
    values = _results(network, operator)
    array = Array(name=f"layer_{operator.place}_table", values=values)
    source, target = f"{{t{operator.inputs[0]}}}", f"{{t{operator.outputs[0]}}}"
    return Step(
        title=title(network, operator),
        code=f"model_table({source}, {target}, {given.size}, {array.name});",
        kernels=("table",),
        arrays=(array,),
        inputs=operator.inputs,
        outputs=operator.outputs,
        in_place=True,
    )


def _results(network: Network, operator: Operator) -> np.ndarray:
    """Returns what an operator makes of all 256 values, by the unsigned value of the input."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    given = network.tensors[operator.inputs[0]]
    values = np.arange(256, dtype=np.uint8).view(given.dtype).reshape(1, 256)
    try:
        interpreter = Interpreter(
            model_content=_alone(network, operator),
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        )
        interpreter.allocate_tensors()
        (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
        interpreter.set_tensor(source["index"], values)
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        raise unsupported(operator) from error
    return np.asarray(interpreter.get_tensor(target["index"])).reshape(-1).view(np.int8)


def _alone(network: Network, operator: Operator) -> bytes:
    """Returns a `.tflite` file with nothing but an operator, on 256 values."""
    import copy

    import flatbuffers

    model: Any = copy.copy(network.model)
    graph = copy.copy(model.subgraphs[0])
    ends = [copy.copy(graph.tensors[i]) for i in (operator.inputs[0], operator.outputs[0])]
    for tensor in ends:
        tensor.shape, tensor.shapeSignature, tensor.buffer = [1, 256], None, 0
    alone = copy.copy(graph.operators[operator.place])
    alone.inputs, alone.outputs, alone.opcodeIndex = [0], [1], 0
    model.operatorCodes = [model.operatorCodes[graph.operators[operator.place].opcodeIndex]]
    graph.tensors, graph.operators = ends, [alone]
    graph.inputs, graph.outputs = [0], [1]
    model.subgraphs, model.signatureDefs, model.metadata = [graph], [], []
    model.buffers = model.buffers[:1]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
