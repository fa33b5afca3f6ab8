"""Operators without weights: of single values, over windows and rows."""

import math
from typing import Any

import numpy as np

from export.deploy.c.network import BYTES, Network, Operator
from export.deploy.c.steps.numbers import factor, limits
from export.deploy.c.steps.step import (
    Array,
    Step,
    braces,
    of_each_picture,
    title,
    unsupported,
)
from export.runtimes.runner import missing_operator


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
    (in_h, in_w, n), (out_h, out_w) = given.shape[1:], output.shape[1:3]
    if (kernel, steps) == ((2, 2), (2, 2)) and 2 * out_h <= in_h and 2 * out_w <= in_w:
        window, name, kernels = "", "pool_fours", ["narrow", "pool_fours"]
        code = f"{in_w * n}, {n}, {out_h}, {out_w}"
    else:
        numbers = [*given.shape[1:], *output.shape[1:], *kernel, *steps, 1, 1, *pad, 1, 0]
        code, name, kernels = "&at", "pool", ["narrow", "window", "pool"]
        window = f"static const MODEL_FLASH struct model_window at = {braces(numbers)};\n"
    step = Step(
        title=title(network, operator),
        code=f"{window}model_{name}({{t{operator.inputs[0]}}}, {{t{operator.outputs[0]}}}, "
        f"{code}, {average}, {low}, {high});",
        kernels=tuple(kernels),
        inputs=operator.inputs[:1],
        outputs=operator.outputs,
    )
    return of_each_picture(network, step)


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
    step = Step(
        title=title(network, operator),
        code=f"model_resize_bilinear({{t{operator.inputs[0]}}}, {{t{operator.outputs[0]}}}, "
        f"{numbers});",
        kernels=("resize_bilinear",),
        inputs=operator.inputs[:1],
        outputs=operator.outputs,
    )
    return of_each_picture(network, step)


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
        kernels=("narrow", "powers", "softmax"),
        inputs=operator.inputs,
        outputs=operator.outputs,
        in_place=True,
    )


def computed(network: Network, operator: Operator) -> list[int]:
    """Returns the inputs that are no constants."""
    return [i for i in operator.inputs if i >= 0 and network.tensors[i].data is None]


def table(network: Network, operator: Operator) -> Step:
    """Returns an operator on single values as a table of LiteRT's results for all of them.

    Args:
        network: the file.
        operator: it reads one tensor, and maybe constants of one value.

    Raises:
        ArtifactError: LiteRT has no such kernel for values of 8 bits.
    """
    (source,) = computed(network, operator)
    given, output = network.tensors[source], network.tensors[operator.outputs[0]]
    sizes = [network.tensors[i].size for i in operator.inputs if i != source]
    if given.shape != output.shape or any(size != 1 for size in sizes):
        raise unsupported(operator)
    if not {given.dtype, output.dtype} <= set(BYTES):
        raise unsupported(operator, f"of {given.dtype}")
    values = _results(network, operator)
    array = Array(name=f"layer_{operator.place}_table", values=values)
    ends = f"{{t{source}}}, {{t{operator.outputs[0]}}}"
    return Step(
        title=title(network, operator),
        code=f"model_table({ends}, {given.size}, {array.name});",
        kernels=("table",),
        arrays=(array,),
        inputs=(source,),
        outputs=operator.outputs,
        in_place=True,
    )


def _results(network: Network, operator: Operator) -> np.ndarray:
    """Returns what an operator makes of all 256 values, by the unsigned value of the input.

    Of LiteRT's reference kernel; where there is none, of its only one.
    """
    from ai_edge_litert.interpreter import OpResolverType

    try:
        return _run_alone(network, operator, OpResolverType.BUILTIN_REF)
    except (RuntimeError, ValueError) as error:
        if missing_operator(str(error)) is None or not _may_be_replaced(network, operator):
            raise unsupported(operator) from error
    try:
        found = _run_alone(network, operator, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    except (RuntimeError, ValueError) as error:
        raise unsupported(operator) from error
    network.unproven[operator.place] = found
    return found


def _may_be_replaced(network: Network, operator: Operator) -> bool:
    """Returns whether `proof.provable` can put a look-up in an operator's place."""
    ends = (*operator.inputs, *operator.outputs)
    own = operator in network.graphs[0].operators
    return own and len(ends) == 2 and all(network.tensors[each].dtype == "int8" for each in ends)


def _run_alone(network: Network, operator: Operator, kernels: Any) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    given = network.tensors[computed(network, operator)[0]]
    values = np.arange(256, dtype=np.uint8).view(given.dtype).reshape(1, 256)
    interpreter = Interpreter(
        model_content=_alone(network, operator), experimental_op_resolver_type=kernels
    )
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(source["index"], values)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(target["index"])).reshape(-1).view(np.int8)


def _alone(network: Network, operator: Operator) -> bytes:
    """Returns a `.tflite` file with nothing but an operator, on 256 values."""
    import copy

    import flatbuffers

    model: Any = copy.copy(network.model)
    graph = copy.copy(model.subgraphs[0])
    places = {tensor: new for new, tensor in enumerate((*operator.inputs, *operator.outputs))}
    tensors = [copy.copy(network.stored[tensor]) for tensor in places]
    ends = [places[computed(network, operator)[0]], places[operator.outputs[0]]]
    for end in ends:
        tensors[end].shape, tensors[end].shapeSignature, tensors[end].buffer = [1, 256], None, 0
    alone = copy.copy(operator.stored)
    model.operatorCodes = [model.operatorCodes[alone.opcodeIndex]]
    alone.opcodeIndex = 0
    alone.inputs = [places[tensor] for tensor in operator.inputs]
    alone.outputs = [places[tensor] for tensor in operator.outputs]
    model.buffers = [model.buffers[0], *(model.buffers[each.buffer] for each in tensors)]
    for number, tensor in enumerate(tensors):
        tensor.buffer = 0 if number in ends else number + 1
    graph.tensors, graph.operators = tensors, [alone]
    graph.inputs, graph.outputs = ends[:1], ends[1:]
    model.subgraphs, model.signatureDefs, model.metadata = [graph], [], []
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
