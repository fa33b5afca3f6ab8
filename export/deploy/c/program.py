"""An integer file's operators as steps of a program."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from export.deploy.c.network import BYTES, Graph, Network, Operator
from export.deploy.c.plan import Plan, Rounds, make_plan
from export.deploy.c.recurrent import choice, ids, lstm, wide
from export.deploy.c.recurrent.loops import LSTM, counted
from export.deploy.c.recurrent.rounds import Body
from export.deploy.c.steps import matmul, moves, pairs, reductions, values
from export.deploy.c.steps.step import Array, Step, unsupported
from export.deploy.c.steps.weights import layers
from export.deploy.c.steps.weights.packing import SIZE
from train.common.errors import ArtifactError

STEPS: dict[str, Callable[[Network, Operator], Step]] = {
    **dict.fromkeys(
        ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"), layers.weighted
    ),
    "AVERAGE_POOL_2D": values.pool,
    "MAX_POOL_2D": values.pool,
    "MEAN": reductions.mean,
    "SUM": reductions.mean,
    "RESIZE_BILINEAR": values.resize_bilinear,
    "REDUCE_MAX": reductions.extreme,
    "REDUCE_MIN": reductions.extreme,
    "SOFTMAX": values.softmax,
    "BATCH_MATMUL": matmul.matmul,
    **dict.fromkeys(pairs.VALUES, pairs.pairwise),
    "CONCATENATION": moves.concatenation,
    "PACK": moves.concatenation,
    "SPLIT": moves.split,
    "SPLIT_V": moves.split,
    "UNPACK": moves.split,
    "PAD": moves.pad,
    "PADV2": moves.pad,
    **dict.fromkeys(
        ("TRANSPOSE", "SLICE", "STRIDED_SLICE", "TILE", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2"),
        moves.selection,
    ),
    **dict.fromkeys(("SELECT", "SELECT_V2"), choice.select),
    "SPACE_TO_DEPTH": moves.selection,
    "DEPTH_TO_SPACE": moves.selection,
}
# Those of 16-bit values.
WIDE: dict[str, Callable[[Network, Operator], Step]] = {
    "FULLY_CONNECTED": wide.fully_connected,
    "TANH": wide.activation,
    "LOGISTIC": wide.activation,
    "QUANTIZE": wide.quantize,
    **dict.fromkeys(("ADD", "SUB", "MUL"), pairs.pairwise),
    **dict.fromkeys(("SELECT", "SELECT_V2"), choice.select),
}
# What LiteRT computes on single values beside a constant; of one operand, any is tried.
BESIDE_A_NUMBER = (
    *("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"),
    *("LOGICAL_AND", "LOGICAL_OR"),
)
NOT_ON_SINGLE_VALUES = ("ARG_MAX", "ARG_MIN", "TOPK_V2")


class Program:
    """An integer file as a program.

    Attributes:
        network: the file.
        steps: what is done, in order.
        loops: which of these are done again and again.
        same: tensors that are another one under another shape, or a part of one.
        offsets: where such parts begin, in bytes, in C.
        plan: where the tensors stand.
    """

    def __init__(self, path: Path, optimize: str = SIZE) -> None:
        """Reads a file.

        Args:
            path: the file.
            optimize: `size` or `speed`, what weights are packed for.

        Raises:
            ArtifactError: an operator or a type has no kernel here; it is named.
        """
        self.network = Network(path, optimize)
        check_shapes(path, self.network)
        self.same: dict[int, int] = {}
        self.offsets: dict[int, str] = {}
        self.steps: list[Step] = []
        self.loops: list[Rounds] = []
        self._zeroed: set[int] = set()
        self._lookups = ids.Lookups(self.network, self.network.operators)
        self._filled: dict[int, Operator] = {}
        self._add(self.network.graphs[0], None)
        for operator in self._filled.values():
            raise unsupported(operator)
        self.plan: Plan = make_plan(self.network, self.steps, self.same, self.loops)

    @property
    def constants(self) -> list[Array]:
        """The constants of all steps, each once."""
        return list({array.name: array for step in self.steps for array in step.arrays}.values())

    def _add(self, graph: Graph, body: Body | None) -> None:
        skipped = self._lookups.skipped if body is None else body.skipped
        skipped = list(skipped)
        for operator in graph.operators:
            if operator in skipped:
                continue
            made = operator.outputs[0]
            step_of = None if body is None else body.row_offset(operator)
            if step_of is not None:
                self._alias(made, operator.inputs[0], step_of)
                continue
            if operator.name in moves.SAME or self._is_renamed(operator):
                self._alias(made, operator.inputs[0])
            elif operator.name in ("SPLIT", "SPLIT_V") and wide.is_wide(self.network, operator):
                for part, whole, start in wide.parts(self.network, operator):
                    self._alias(part, whole, str(start))
            elif operator.name == "WHILE" and body is None:
                self._add_loop(operator)
            elif operator.name == "FILL" and not self.network.stored[made].isVariable:
                self._filled[made] = operator  # which nothing but a loop takes, to write over it
            elif self.network.stored[made].isVariable:
                self._zero(operator)
            elif operator.name == LSTM:
                last = self._last_step(graph, made)
                skipped += [] if last is None else [last]
                self._check_states(operator)
                output = None if last is None else last.outputs[0]
                self.steps.append(lstm.lstm(self.network, operator, output))
            else:
                self.steps.append(self._step(operator))

    def _add_loop(self, operator: Operator) -> None:
        loop = counted(self.network, operator)
        body = Body(self.network, loop)
        for tensor, source in body.same.items():
            self._alias(tensor, source, body.offsets.get(tensor, ""))
        for tensor in body.overwritten:
            self._filled.pop(tensor, None)
        self.steps.append(body.begin)
        first = len(self.steps)
        self._add(loop.body, body)
        self.loops.append(
            Rounds(
                head=loop.head,
                first=first,
                last=len(self.steps) - 1,
                carried=tuple(body.carried),
            )
        )

    def _alias(self, tensor: int, source: int, offset: str = "") -> None:
        self.same[tensor] = self.same.get(source, source)
        found = [each for each in (self.offsets.get(source, ""), offset) if each]
        if found:
            self.offsets[tensor] = " + ".join(found)

    def _is_renamed(self, operator: Operator) -> bool:
        """Returns whether an operator turns yes and no into the numbers that they are stored as."""
        if operator.name != "CAST":
            return False
        given, made = (self.network.tensors[i] for i in (operator.inputs[0], operator.outputs[0]))
        return given.dtype == "bool" and made.dtype in ("int8", "uint8")

    def _zero(self, operator: Operator) -> None:
        """Takes note of a state that an operator sets to zero before an LSTM."""
        (state,), tensors = operator.outputs, self.network.tensors
        value = tensors[operator.inputs[-1]].data
        if (operator.name == "QUANTIZE" and operator.inputs[0] in self._zeroed) or (
            operator.name == "FILL"
            and value is not None
            and np.array_equal(value.reshape(-1), [tensors[state].zero_point])
        ):
            self._zeroed.add(state)
        else:
            raise unsupported(operator, "of a state")

    def _check_states(self, operator: Operator) -> None:
        states = {operator.inputs[at] for at in (lstm.H, lstm.C)}
        if not states <= self._zeroed:
            raise ArtifactError(
                "got an LSTM that keeps its states from call to call, expected one that begins "
                "with zeros; export the integer file again, with this toolkit"
            )
        self._zeroed -= states

    def _last_step(self, graph: Graph, sequence: int) -> Operator | None:
        """Returns the operator that reads the last step of a sequence, if none reads more."""
        readers = [each for each in graph.operators if sequence in each.inputs]
        if len(readers) != 1 or readers[0].name != "STRIDED_SLICE" or sequence in graph.outputs:
            return None
        size = self.network.tensors[sequence].size
        row = self.network.tensors[readers[0].outputs[0]].size
        places = moves.read_places(self.network, readers[0]).reshape(-1)
        last = self.network.tensors[sequence].shape[-1] == row
        return readers[0] if last and np.array_equal(places, range(size - row, size)) else None

    def _step(self, operator: Operator) -> Step:
        if wide.is_wide(self.network, operator):
            if operator.name not in WIDE:
                raise unsupported(operator, "of 16 bits")
            return WIDE[operator.name](self.network, operator)
        if operator.name == "GATHER":
            return self._lookups.step(operator)
        if ids.is_comparison(self.network, operator):
            return ids.comparison(self.network, operator)
        for index in (*values.computed(self.network, operator), *operator.outputs):
            tensor = self.network.tensors[index]
            if tensor.dtype not in BYTES:
                raise unsupported(operator, f"with {tensor.name!r} of {tensor.dtype}")
        make = STEPS.get(operator.name)
        if make is not None:
            return make(self.network, operator)
        alone = len(values.computed(self.network, operator)) == 1
        if len(operator.inputs) > 1 and (not alone or operator.name not in BESIDE_A_NUMBER):
            raise unsupported(operator)
        if operator.name in NOT_ON_SINGLE_VALUES:
            raise unsupported(operator)
        return values.table(self.network, operator)


def check_shapes(path: Path, network: Network) -> None:
    """Checks that a file's shapes are those that LiteRT finds its operators to make.

    Nothing else keeps a kernel within its memory.

    Raises:
        ArtifactError: a shape is another, or LiteRT refuses the file.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        interpreter = Interpreter(str(path), experimental_op_resolver_type=kernels)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ArtifactError(f"LiteRT refuses {path}: {error}") from error
    start = 0
    for number, graph in enumerate(network.model.subgraphs):
        found = {
            start + each["index"]: tuple(map(int, each["shape"]))
            for each in interpreter.get_tensor_details(number)
        }
        for index in range(start, start + len(graph.tensors)):
            tensor = network.tensors[index]
            if found.get(index, tensor.shape) != tensor.shape:
                raise ArtifactError(
                    f"{path}: got {tensor.name!r} of shape {tensor.shape}, expected "
                    f"{found[index]} by the operator that makes it; export it again"
                )
        start += len(graph.tensors)
