"""LiteRT (TensorFlow Lite's runtime) on one of its sets of CPU kernels."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from export.runtimes.runner import Runner, Values, load_error, pack, unpack
from train.common.command.native_output import captured_native_output
from train.common.tensors import TensorSpec

# The delegate that LiteRT applies by default, its own optimized kernels, its plain ones.
KERNELS = {
    "xnnpack": "AUTO",
    "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}


class LiteRTRunner(Runner):
    """A `.tflite` file in LiteRT's interpreter; a mode is a set of kernels."""

    modes = tuple(KERNELS)

    def __enter__(self) -> Self:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        try:
            with captured_native_output():  # it announces its delegate from C++
                interpreter = Interpreter(
                    model_path=str(self._path),
                    num_threads=self._threads,
                    experimental_op_resolver_type=OpResolverType[KERNELS[self._mode]],
                )
                interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise load_error("LiteRT", self._path, str(error)) from error
        input_details, output_details = (
            interpreter.get_input_details(),
            interpreter.get_output_details(),
        )
        self.inputs = tuple(map(_tensor_spec, input_details))
        self.outputs = tuple(map(_tensor_spec, output_details))
        self._interpreter = interpreter
        given = [details["index"] for details in input_details]
        wanted = [details["index"] for details in output_details]
        self._given = given
        self.invoke = (
            _one_to_one(interpreter, given[0], wanted[0])
            if len(given) == len(wanted) == 1
            else _many_to_many(interpreter, given, wanted)
        )
        return self

    def __exit__(self, *details: object) -> None:
        del self._interpreter, self.invoke

    def resize(self, batch: int) -> None:
        """Makes an open batch dimension `batch` wide."""
        for index, spec in zip(self._given, self.inputs, strict=True):
            self._interpreter.resize_tensor_input(index, (batch, *spec.shape[1:]))
        with captured_native_output():
            self._interpreter.allocate_tensors()

    def operators(self) -> tuple[list[str], list[str]] | None:
        """Returns the file's operators and those of them that no delegate took.

        None where this LiteRT lists its operators in another way; the method that lists them is
        not part of its public interface.
        """
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        with captured_native_output():
            plain = Interpreter(
                model_path=str(self._path),
                experimental_op_resolver_type=OpResolverType["BUILTIN_WITHOUT_DEFAULT_DELEGATES"],
            )
        if not hasattr(plain, "_get_ops_details"):
            return None
        names = [operator["op_name"] for operator in plain._get_ops_details()]
        listed = self._interpreter._get_ops_details()
        if [operator["op_name"] for operator in listed[: len(names)]] != names:
            return None
        taken = delegated(listed[: len(names)], listed[len(names) :])
        return names, [name for index, name in enumerate(names) if index not in taken]


def delegated(
    operators: Sequence[Mapping[str, Any]], delegates: Sequence[Mapping[str, Any]]
) -> set[int]:
    """Returns the positions of the operators that delegates run.

    LiteRT keeps operators in its list that a delegate replaced, and lists the delegates after
    them. A delegate runs what lies between the tensors that it reads and those that it writes.

    Args:
        operators: the file's, each with the numbers of its `inputs` and `outputs`.
        delegates: the same of the delegates.
    """
    maker = {int(made): i for i, operator in enumerate(operators) for made in operator["outputs"]}
    found: set[int] = set()
    for delegate in delegates:
        given = set(map(int, delegate["inputs"]))
        wanted = list(map(int, delegate["outputs"]))
        while wanted:
            tensor = wanted.pop()
            index = None if tensor in given else maker.get(tensor)
            if index is not None and index not in found:
                found.add(index)
                wanted += map(int, operators[index]["inputs"])
    return found


def _one_to_one(interpreter: Any, given: int, wanted: int) -> Callable[[Values], Values]:
    set_tensor, get_tensor, run = (
        interpreter.set_tensor,
        interpreter.get_tensor,
        interpreter.invoke,
    )

    def invoke(value: Values) -> Values:
        set_tensor(given, value)
        run()
        result: np.ndarray = get_tensor(wanted)
        return result

    return invoke


def _many_to_many(
    interpreter: Any, given: Sequence[int], wanted: Sequence[int]
) -> Callable[[Values], Values]:
    def invoke(values: Values) -> Values:
        for index, value in zip(given, unpack(values), strict=True):
            interpreter.set_tensor(index, value)
        interpreter.invoke()
        return pack([interpreter.get_tensor(index) for index in wanted])

    return invoke


def _tensor_spec(details: dict[str, Any]) -> TensorSpec:
    scale, zero_point = details["quantization"]
    return TensorSpec(
        name=details["name"],
        # -1 in the signature marks a dimension that any size fits
        shape=tuple(None if size < 0 else int(size) for size in details["shape_signature"]),
        dtype=np.dtype(details["dtype"]).name,
        scale=float(scale) if scale else None,
        zero_point=int(zero_point) if scale else None,
    )
