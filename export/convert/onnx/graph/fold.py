"""Makes normalizations, a product and a sum with constants, part of the layers around them.

ONNX Runtime does so only where one follows a convolution at once. What is left has a quantization
of its own: Dense, BatchNormalization, Dense was larger as int8 than as float32.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import onnx

from export.convert.onnx.graph.arrange import reads
from export.convert.onnx.graph.editor import INVERSE, PRODUCT, SUM, GraphEditor
from export.convert.onnx.graph.layers import (
    POOLING,
    adds_everywhere,
    carried,
    carried_back,
    is_layer,
    vector,
)

Step = Callable[[], None]
# What is scaled by a positive number here is scaled by it there.
SCALED_ALIKE = ("Relu", "LeakyRelu", "MaxPool", "GlobalMaxPool")


def fold(model: onnx.ModelProto) -> None:
    """Folds products and sums with constants into layers, where that is exact but for rounding.

    Backwards into the layer that makes a value, a positive product also past a ReLU, so that what
    is quantized between two layers is normalized; else forwards into those that read it, past
    pooling and reshaping, but a sum not into a convolution that pads with zeros. What normalizes an
    input stays: one scale would have to hold columns of 0.3 and 60,000.
    """
    graph = _Folding(model)
    while any(graph.fold(node) for node in list(model.graph.node)):
        pass


class _Folding(GraphEditor):
    def fold(self, node: onnx.NodeProto) -> bool:
        """Folds a node if it is a product or sum with a constant, and says whether it did."""
        constant = self.constant(node)
        if constant is None:
            return False
        kind, value = INVERSE.get(node.op_type, node.op_type), self.operand(node)
        done = (self._scale if kind == PRODUCT else self._shift)(value, constant)
        if not done and (constant.size == 1 or not self._is_raw(value)):
            steps = self._forwards(node.output[0], kind, constant)
            for step in steps or ():
                step()
            done = bool(steps)
        if done:
            self.bypass(node, value)
        return done

    def _is_raw(self, value: str) -> bool:
        """Returns whether a value comes from an input with no layer, or table, in between."""
        if value in self.inputs:
            return True
        maker = next((node for node in self.graph.node if value in node.output), None)
        if maker is None or maker.input[0] in self.stored or is_layer(maker, self.stored):
            return False
        return any(self._is_raw(name) for name in reads(maker))

    def _scale(self, value: str, by: np.ndarray) -> bool:
        """Scales a value by changing what makes it, and says whether that is possible."""
        maker = self.maker(value)
        if maker is None:
            return False
        if is_layer(maker, self.stored):
            weights = self.weights(maker)
            scales = vector(by, maker, weights.outputs)
            if scales is not None:
                weights.scale_outputs(scales)
                self.store(maker, 1, weights.stored())
                self.set_bias(maker, self.bias(maker, weights.outputs) * scales)
            return scales is not None
        constant = self.constant(maker)
        if constant is not None and INVERSE.get(maker.op_type, maker.op_type) == SUM:
            scaled = self._scale(self.operand(maker), by)
            if scaled:
                self.make_sum(maker, constant * by)
            return scaled
        before = carried_back(maker, by, self.axes(maker))
        if before is not None:
            return self._scale(maker.input[0], before)
        alike = maker.op_type in SCALED_ALIKE and bool((by > 0).all())
        pools = maker.op_type in POOLING and math.prod(by.shape[2:]) != 1
        return alike and not pools and self._scale(maker.input[0], by)

    def _shift(self, value: str, by: np.ndarray) -> bool:
        """Adds to a value by changing what makes it, and says whether that is possible."""
        maker = self.maker(value)
        if maker is None:
            return False
        if is_layer(maker, self.stored) and maker.op_type != "MatMul":
            outputs = self.weights(maker).outputs
            added = vector(by, maker, outputs)
            if added is not None:
                self.set_bias(maker, self.bias(maker, outputs) + added)
            return added is not None
        before = carried_back(maker, by, self.axes(maker))
        if before is not None:
            return self._shift(maker.input[0], before)
        constant = self.constant(maker)
        if constant is None or INVERSE.get(maker.op_type, maker.op_type) != SUM:
            return False
        self.make_sum(maker, constant + by)
        return True

    def _forwards(self, value: str, kind: str, by: np.ndarray) -> list[Step] | None:
        """Returns what makes all readers of a value scale or shift it themselves.

        None if one of them cannot.
        """
        readers = self.readers(value)
        if value in self.outputs or len({reader.output[0] for reader in readers}) < len(readers):
            return None
        steps: list[Step] = []
        for reader in readers:
            if is_layer(reader, self.stored) and reader.input[0] == value:
                size = self.weights(reader).inputs
                numbers = vector(by, reader, size)
                if numbers is None or (kind == SUM and not adds_everywhere(reader)):
                    return None
                change = self._scale_inputs if kind == PRODUCT else self._shift_inputs
                steps.append(partial(change, reader, numbers))
                continue
            behind = self._carried(reader, value, kind, by)
            more = None if behind is None else self._forwards(reader.output[0], kind, behind)
            if more is None:
                return None
            steps += more
        return steps

    def _carried(
        self, node: onnx.NodeProto, value: str, kind: str, by: np.ndarray
    ) -> np.ndarray | None:
        extremes = node.op_type in ("MaxPool", "GlobalMaxPool")
        if node.input[0] != value or (extremes and kind == PRODUCT and not (by > 0).all()):
            return None
        shapes = self.shapes.get(value), self.shapes.get(node.output[0])
        return carried(node, by, shapes, self.axes(node))

    def _scale_inputs(self, node: onnx.NodeProto, by: np.ndarray) -> None:
        weights = self.weights(node)
        weights.scale_inputs(by)
        self.store(node, 1, weights.stored())

    def _shift_inputs(self, node: onnx.NodeProto, by: np.ndarray) -> None:
        weights = self.weights(node)
        added = weights.sums(by)
        if node.op_type != "MatMul":
            self.set_bias(node, self.bias(node, weights.outputs) + added)
            return
        made, shape = node.output[0], self.shapes.get(node.output[0]) or (None, weights.outputs)
        node.output[0] = self.new_name(made)
        self.shapes[node.output[0]] = shape
        total = self.graph.node.add()
        total.CopyFrom(onnx.helper.make_node(SUM, [node.output[0]], [made], f"{node.name}/sum"))
        self.make_sum(total, added.reshape((1,) * (len(shape) - 1) + (-1,)))
