"""An integer file's operators as steps of a program."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from export.deploy.c import layers, moves, pairs, reductions, values
from export.deploy.c.network import Network, Operator
from export.deploy.c.plan import Plan, make_plan
from export.deploy.c.steps import Step, unsupported
from train.common.errors import ArtifactError

STEPS: dict[str, Callable[[Network, Operator], Step]] = {
    "FULLY_CONNECTED": layers.fully_connected,
    "CONV_2D": layers.conv_2d,
    "DEPTHWISE_CONV_2D": layers.depthwise_conv_2d,
    "TRANSPOSE_CONV": layers.transpose_conv,
    "AVERAGE_POOL_2D": values.pool,
    "MAX_POOL_2D": values.pool,
    "MEAN": reductions.mean,
    "SUM": reductions.mean,
    "RESIZE_BILINEAR": values.resize_bilinear,
    "REDUCE_MAX": reductions.extreme,
    "REDUCE_MIN": reductions.extreme,
    "SOFTMAX": values.softmax,
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
    "SPACE_TO_DEPTH": moves.selection,
    "DEPTH_TO_SPACE": moves.selection,
}
# What LiteRT computes on single values; others it has are tried, too.
NOT_ON_SINGLE_VALUES = ("BATCH_MATMUL", "GATHER", "ARG_MAX", "ARG_MIN", "TOPK_V2")


class Program:
    """An integer file as a program.

    Attributes:
        network: the file.
        steps: what is done, in order.
        plan: where the tensors stand.
    """

    def __init__(self, path: Path) -> None:
        """Reads a file.

        Raises:
            ArtifactError: an operator or a type has no kernel here; it is named.
        """
        self.network = Network(path)
        check_shapes(path, self.network)
        same: dict[int, int] = {}
        self.steps: list[Step] = []
        for operator in self.network.operators:
            if operator.name in moves.SAME:
                source = operator.inputs[0]
                same[operator.outputs[0]] = same.get(source, source)
                continue
            step = self._step(operator)
            self.steps.append(
                replace(step, inputs=tuple(same.get(each, each) for each in step.inputs))
            )
        self.plan: Plan = make_plan(self.network, self.steps, same)

    def _step(self, operator: Operator) -> Step:
        make = STEPS.get(operator.name)
        if make is not None:
            return make(self.network, operator)
        if len(operator.inputs) != 1 or operator.name in NOT_ON_SINGLE_VALUES:
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
        raise ArtifactError(f"c: LiteRT refuses {path}: {error}") from error
    found = {
        each["index"]: tuple(map(int, each["shape"])) for each in interpreter.get_tensor_details()
    }
    for index, tensor in enumerate(network.tensors):
        if found.get(index, tensor.shape) != tensor.shape:
            raise ArtifactError(
                f"c: {path}: got {tensor.name!r} of shape {tensor.shape}, expected "
                f"{found[index]} by the operator that makes it; export it again"
            )
