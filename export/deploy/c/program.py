"""An integer file's operators as steps of a program."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from export.deploy.c import layers, moves, values
from export.deploy.c.network import Network, Operator
from export.deploy.c.plan import Plan, make_plan
from export.deploy.c.steps import Step, unsupported

STEPS: dict[str, Callable[[Network, Operator], Step]] = {
    "FULLY_CONNECTED": layers.fully_connected,
    "CONV_2D": layers.conv_2d,
    "DEPTHWISE_CONV_2D": layers.depthwise_conv_2d,
    "TRANSPOSE_CONV": layers.transpose_conv,
    "AVERAGE_POOL_2D": values.pool,
    "MAX_POOL_2D": values.pool,
    "MEAN": values.mean,
    "SUM": values.mean,
    "RESIZE_BILINEAR": values.resize_bilinear,
    "REDUCE_MAX": values.extreme,
    "REDUCE_MIN": values.extreme,
    "SOFTMAX": values.softmax,
    **dict.fromkeys(values.VALUES, values.pairwise),
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
