"""An integer `.onnx` file beside the float model: what each operator adds to the error."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx

from export.convert.calibrate.calibration import onnx_values
from export.convert.mixed.probes.onnx_operators import DEQUANTIZE, QUANTIZE, operators_of, ranges_of
from export.convert.mixed.probes.operators import Probe
from export.convert.onnx.graph.arrange import bodies

PREFIX = "integer/"
OWN = "own/"


def probe_onnx(
    prepared: onnx.ModelProto, quantized: onnx.ModelProto, inputs: Mapping[str, np.ndarray]
) -> Probe:
    """Returns an integer file's operators, and what they do to some examples.

    Without graph optimizations, as those merge the operators that are looked at.

    Args:
        prepared: the float model that it was quantized from, with the same tensors.
        quantized: the file, of QDQ form.
        inputs: (N, …) by name.
    """
    operators = tuple(operators_of(prepared, quantized))
    outputs = [operator.output for operator in operators]
    probed, made = _with_exact_inputs(prepared, quantized, outputs)
    return Probe(
        operators=operators,
        ranges=ranges_of(quantized),
        exact=_exact_values(probed, made, _floats(prepared, operators), inputs),
        own=_own_values(quantized, outputs, inputs),
    )


def _floats(prepared: onnx.ModelProto, operators: tuple[Any, ...]) -> list[str]:
    made = {name for node in prepared.graph.node for name in node.output if name}
    made |= {value.name for value in prepared.graph.input}
    read = {name for operator in operators for name in (operator.output, *operator.inputs)}
    return sorted(made & read)


def _with_exact_inputs(
    prepared: onnx.ModelProto, quantized: onnx.ModelProto, outputs: list[str]
) -> tuple[onnx.ModelProto, dict[str, str]]:
    """Returns the float model with every integer operator beside it, given the float's values.

    And the values that these operators make, by the tensor of the float model that they should be.
    """
    model, graph = copy.deepcopy(prepared), quantized.graph
    floats = {value.name for value in model.graph.input}
    floats |= {name for node in model.graph.node for name in node.output}
    del model.opset_import[:]
    model.opset_import.extend(quantized.opset_import)
    for tensor in graph.initializer:
        added = model.graph.initializer.add()
        added.CopyFrom(tensor)
        added.name = PREFIX + tensor.name
    conversions: dict[str, onnx.NodeProto] = {}
    looped: set[str] = set()
    for node in graph.node:
        if any(True for _ in bodies(node)):  # whose own nodes read what is around it by name
            looped.update(node.output)
            continue
        beside = model.graph.node.add()
        beside.CopyFrom(node)
        beside.name = PREFIX + node.name if node.name else ""
        # what is no conversion's, and has the values of a float tensor, is that tensor itself
        beside.input[:] = [
            name if name in floats else PREFIX + name if name else "" for name in node.input
        ]
        beside.output[:] = [PREFIX + name if name else "" for name in node.output]
        if node.op_type == QUANTIZE:
            conversions[node.input[0]] = node
    made = {}
    for name in (name for name in outputs if name not in looped):
        there = PREFIX + name
        if name in conversions:
            node = conversions[name]
            scale = [PREFIX + each for each in node.input[1:]]
            model.graph.node.extend(
                [
                    onnx.helper.make_node(QUANTIZE, [there, *scale], [f"{there}/rounded"]),
                    onnx.helper.make_node(DEQUANTIZE, [f"{there}/rounded", *scale], [OWN + name]),
                ]
            )
            there = OWN + name
        made[name] = there
    return model, made


def _exact_values(
    probed: onnx.ModelProto,
    made: Mapping[str, str],
    floats: list[str],
    inputs: Mapping[str, np.ndarray],
) -> Iterator[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
    wanted = [*floats, *made.values()]
    for found in onnx_values(probed, wanted, inputs):
        exact = {name: found[name] for name in floats if found[name].dtype == np.float32}
        yield exact, {name: found[there] for name, there in made.items() if name in exact}


def _own_values(
    quantized: onnx.ModelProto, outputs: list[str], inputs: Mapping[str, np.ndarray]
) -> Iterator[dict[str, np.ndarray]]:
    of = {}  # by an operator's output, what is left of it once it is rounded
    rounded = {n.input[0]: n.output[0] for n in quantized.graph.node if n.op_type == QUANTIZE}
    real = {n.input[0]: n.output[0] for n in quantized.graph.node if n.op_type == DEQUANTIZE}
    for name in outputs:
        of[name] = real.get(rounded.get(name, ""), name)
    for found in onnx_values(quantized, sorted({*of.values()}), inputs):
        yield {name: found[there] for name, there in of.items()}
