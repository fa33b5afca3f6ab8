"""An integer `.tflite` file beside its float twin: what each operator adds to the error."""

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.convert.calibrate.calibration import call_by_call
from export.convert.mixed.probes.operators import Probe, Range
from export.convert.mixed.probes.tflite_operators import (
    CODES,
    CONVERSIONS,
    DTYPES,
    STEPS,
    code_of,
    operators_of,
    stored_in,
)
from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.inputs_outputs import operator_code
from export.convert.tflite.recurrent.put_in import OUTPUT

SUFFIX = "/exact"
INSIDE = re.compile(OUTPUT.format(r"\d+/"))  # of a recurrent layer: counted in each file anew


def probe_tflite(twin: bytes, quantized: bytes, inputs: Mapping[str, np.ndarray]) -> Probe:
    """Returns an integer file's operators, and what they do to some examples.

    Args:
        twin: the float32 file that it was quantized from, with the same tensors.
        quantized: the file; the steps of its loops are not looked at.
        inputs: (N, …) by name.
    """
    before, after = unpack(twin), unpack(quantized)
    sources = _float_sources(before, after)
    probed, made = _with_exact_inputs(before, after, sources, len(twin) + len(quantized))
    quantized_tensors = _quantized(after, sources)
    ranges = {name: found for name, (_, found) in quantized_tensors.items()}
    places = {name: index for name, (index, _) in quantized_tensors.items()}
    return Probe(
        operators=tuple(operators_of(before, after, sources, ranges)),
        ranges=ranges,
        exact=_exact_values(probed, made, _computed(before), inputs),
        own=_own_values(quantized, places, inputs),
    )


def _float_sources(before: Any, after: Any) -> dict[int, str]:
    """Returns for tensors of the integer graph which of the float graph holds the same values.

    They bear the same names, but for those that conversions put in.
    """
    known: set[str] = {
        tensor.name.decode()
        for tensor in before.subgraphs[0].tensors
        if tensor.type not in DTYPES and not INSIDE.match(tensor.name.decode())
    }
    graph = after.subgraphs[0]
    found: dict[int, str] = {}
    maker = {int(i): operator for operator in graph.operators for i in operator.outputs}
    converted = {
        int(operator.inputs[0]): int(operator.outputs[0])
        for operator in graph.operators
        if code_of(after, operator) in CONVERSIONS
    }

    def named(index: int) -> str | None:
        name: str = graph.tensors[index].name.decode()
        return name if name in known else None

    def source(index: int) -> str | None:
        operator = maker.get(index)
        if operator is not None and code_of(after, operator) in CONVERSIONS:
            given = source(int(operator.inputs[0]))
            if given is not None:
                return given
        behind = converted.get(index)  # a float output has the name of what is turned into it
        return named(index) or (None if behind is None else named(behind))

    stored = stored_in(after)
    for index in range(len(graph.tensors)):
        name = source(index)
        if index not in stored and name is not None:
            found[index] = name
    return found


def _quantized(tree: Any, sources: Mapping[int, str]) -> dict[str, tuple[int, Range]]:
    """Returns the quantized tensors that hold the values of float ones, by these' names.

    Of several in different scales, the one that an operator makes.
    """
    graph = tree.subgraphs[0]
    found: dict[str, tuple[int, Range]] = {}
    converted = {
        int(i)
        for each in graph.operators
        if code_of(tree, each) in CONVERSIONS
        for i in each.outputs
    }
    computed = {*map(int, graph.inputs)} | {int(i) for o in graph.operators for i in o.outputs}
    for index in sorted(sources.keys() & computed, key=lambda index: (index in converted, index)):
        tensor = graph.tensors[index]
        how = tensor.quantization
        if tensor.type not in DTYPES or how is None or how.scale is None or len(how.scale) != 1:
            continue
        limits, zero = np.iinfo(DTYPES[tensor.type]), int(how.zeroPoint[0])
        low, high = ((limit - zero) * float(how.scale[0]) for limit in (limits.min, limits.max))
        found.setdefault(
            sources[index], (index, Range(low=low, high=high, step=float(how.scale[0])))
        )
    return found


def _with_exact_inputs(
    before: Any, after: Any, sources: Mapping[int, str], size_bytes: int
) -> tuple[bytes, dict[str, str]]:
    """Returns the float model with every integer operator beside it, given the float's values.

    And the tensors that these operators write, by the float tensor that they should equal.
    """
    tree, graph = copy.copy(before), copy.copy(before.subgraphs[0])
    tree.subgraphs = [graph, *before.subgraphs[1:]]
    tree.buffers, tree.operatorCodes = list(before.buffers), list(before.operatorCodes)
    graph.tensors, graph.operators = list(graph.tensors), list(graph.operators)
    floats: dict[str, int] = {
        tensor.name.decode(): place for place, tensor in enumerate(graph.tensors)
    }
    stored = stored_in(after)
    place_of: dict[int, int] = {}
    made: dict[str, str] = {}

    def added(index: int, name: str) -> int:
        tensor = copy.copy(after.subgraphs[0].tensors[index])
        tensor.name, tensor.buffer = name.encode(), 0
        if index in stored:
            tree.buffers.append(after.buffers[after.subgraphs[0].tensors[index].buffer])
            tensor.buffer = len(tree.buffers) - 1
        graph.tensors.append(tensor)
        return len(graph.tensors) - 1

    def given(index: int) -> int:
        """Returns the place of a tensor that an operator reads: stored, or the float's, rounded."""
        if index < 0 or index in place_of:
            return place_of.get(index, -1)
        tensor = after.subgraphs[0].tensors[index]
        place = floats.get(sources.get(index, ""), -1)
        if index in stored or tensor.type in DTYPES:
            place = added(index, f"{index}{SUFFIX}")
        place_of[index] = place
        if index not in stored and tensor.type in DTYPES:
            rounding = schema.OperatorT()
            rounding.opcodeIndex = operator_code(tree, CODES.QUANTIZE)
            rounding.inputs = np.asarray([floats[sources[index]]], np.int32)
            rounding.outputs = np.asarray([place], np.int32)
            graph.operators.append(rounding)
        return place

    first = len(tree.operatorCodes)
    tree.operatorCodes += list(after.operatorCodes)
    for operator in after.subgraphs[0].operators:
        reads = [int(i) for i in operator.inputs]
        writes = [int(i) for i in operator.outputs]
        known = all(i < 0 or i in stored or i in sources for i in reads)
        integer = any(after.subgraphs[0].tensors[i].type in DTYPES for i in writes)
        if code_of(after, operator) in (*CONVERSIONS, *STEPS) or not known or not integer:
            continue
        beside = copy.copy(operator)
        beside.opcodeIndex = first + operator.opcodeIndex
        beside.inputs = np.asarray([given(i) for i in reads], np.int32)
        places = [added(i, f"{sources.get(i, i)}{SUFFIX}") for i in writes]
        beside.outputs = np.asarray(places, np.int32)
        graph.operators.append(beside)
        made |= {sources[i]: f"{sources[i]}{SUFFIX}" for i in writes if i in sources}
    return pack(tree, size_bytes), made


def _computed(tree: Any) -> set[str]:
    """Returns the tensors that hold values: the inputs, and what operators write."""
    graph = tree.subgraphs[0]
    places = {*map(int, graph.inputs)} | {
        int(index) for operator in graph.operators for index in operator.outputs
    }
    names = {graph.tensors[place].name.decode() for place in places if place >= 0}
    return {name for name in names if not INSIDE.match(name)}


def _exact_values(
    probed: bytes, made: Mapping[str, str], floats: set[str], inputs: Mapping[str, np.ndarray]
) -> Iterator[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
    interpreter, tensors = _interpreter(probed)
    found = {name: tensors[made_by] for name, made_by in made.items() if made_by in tensors}
    wanted = {
        name: details
        for name, details in tensors.items()
        if name in floats and details["dtype"] == np.float32
    }
    for _ in _each(interpreter, inputs):
        yield (
            {name: interpreter.get_tensor(details["index"]) for name, details in wanted.items()},
            {name: _real(interpreter, details) for name, details in found.items()},
        )


def _own_values(
    quantized: bytes, places: Mapping[str, int], inputs: Mapping[str, np.ndarray]
) -> Iterator[dict[str, np.ndarray]]:
    interpreter, _ = _interpreter(quantized)
    details = {each["index"]: each for each in interpreter.get_tensor_details()}
    wanted = {name: details[place] for name, place in places.items() if place in details}
    for _ in _each(interpreter, inputs):
        yield {name: _real(interpreter, found) for name, found in wanted.items()}


def _interpreter(model: bytes) -> tuple[Any, dict[str, Any]]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=model,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    return interpreter, {each["name"]: each for each in interpreter.get_tensor_details()}


def _each(interpreter: Any, inputs: Mapping[str, np.ndarray]) -> Iterator[None]:
    """Runs example by example, real inputs rounded to what an integer file takes."""
    given = {details["name"]: details for details in interpreter.get_input_details()}
    batch = int(interpreter.get_input_details()[0]["shape"][0])
    for example in call_by_call(inputs, batch):
        for name, values in example.items():
            scale, zero = given[name]["quantization"]
            if scale and values.dtype.kind == "f" and given[name]["dtype"] != np.float32:
                limits = np.iinfo(given[name]["dtype"])
                rounded = np.clip(np.rint(values / scale) + zero, limits.min, limits.max)
                values = rounded.astype(given[name]["dtype"])
            interpreter.set_tensor(given[name]["index"], values)
        interpreter.invoke()
        yield


def _real(interpreter: Any, details: Any) -> np.ndarray:
    values: np.ndarray = interpreter.get_tensor(details["index"])
    scale, zero = details["quantization"]
    if not scale or values.dtype == np.float32:
        return values
    real: np.ndarray = (values.astype(np.float32) - zero) * np.float32(scale)
    return real
