"""Changes to a graph of layers and what lies between them: weights, biases, products and sums."""

import numpy as np
import onnx

from export.convert.onnx.graph.arrange import reads, rename
from export.convert.onnx.graph.layers import Shape, Weights

PRODUCT, SUM = "Mul", "Add"
INVERSE = {"Div": PRODUCT, "Sub": SUM}


class GraphEditor:
    """A model's graph, where its values come from and go to, and ways to change it.

    Attributes:
        graph: the graph.
        inputs, outputs: the names of the graph's.
        shapes: of values, as far as they are known.
        stored: the constants by name.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        """Takes a model, which is changed."""
        self.graph = model.graph
        self.inputs = {value.name for value in model.graph.input}
        self.outputs = {value.name for value in model.graph.output}
        inferred = onnx.shape_inference.infer_shapes(model).graph
        self.shapes: dict[str, Shape] = {
            value.name: tuple(size.dim_value or None for size in value.type.tensor_type.shape.dim)
            for value in (*inferred.input, *inferred.value_info, *inferred.output)
            if value.type.tensor_type.HasField("shape")
        }
        self.stored = {tensor.name: tensor for tensor in self.graph.initializer}
        self._count = 0

    def operand(self, node: onnx.NodeProto) -> str:
        """Returns the one of a node's two inputs that is not stored."""
        return str(node.input[node.input[0] in self.stored])

    def constant(self, node: onnx.NodeProto) -> np.ndarray | None:
        """Returns by what a node multiplies or what it adds, (1, …); None if it does neither."""
        places = [place for place, name in enumerate(node.input) if name in self.stored]
        inverse = node.op_type in INVERSE
        if len(places) != 1 or not (inverse or node.op_type in (PRODUCT, SUM)):
            return None
        stored = self.stored[node.input[places[0]]]
        shape = self.shapes.get(self.operand(node))
        if stored.data_type != onnx.TensorProto.FLOAT or not shape or inverse > places[0]:
            return None
        found = onnx.numpy_helper.to_array(stored).astype(np.float64)
        if found.ndim > len(shape) or (node.op_type == "Div" and not found.all()):
            return None
        found = found.reshape((1,) * (len(shape) - found.ndim) + found.shape)
        fits = all(own in (1, size) for own, size in zip(found.shape, shape, strict=True))
        if not fits or found.shape[0] != 1:
            return None
        if node.op_type == "Div":
            return 1 / found
        return -found if node.op_type == "Sub" else found

    def maker(self, value: str) -> onnx.NodeProto | None:
        """Returns what makes a value that only one node reads; None for any other."""
        readers = self.readers(value)
        if len(readers) != 1 or value in self.outputs:
            return None
        return next((node for node in self.graph.node if value in node.output), None)

    def readers(self, value: str) -> list[onnx.NodeProto]:
        """Returns the nodes that read what a value holds, each as often as it does."""
        found = [(node, name) for node in self.graph.node for name in reads(node)]
        return [node for node, name in found if name == value and node.op_type != "Shape"]

    def bypass(self, node: onnx.NodeProto, value: str) -> None:
        """Gives the readers of a node's output another value; an output keeps its name."""
        made = node.output[0]
        if made in self.outputs:
            node.op_type = "Identity"
            node.input[:] = [value]
            return
        rename(self.graph, {made: value})
        self.graph.node.remove(node)

    def axes(self, node: onnx.NodeProto) -> np.ndarray | None:
        """Returns a node's second input, if that is stored."""
        found = [self.stored[name] for name in node.input[1:2] if name in self.stored]
        return onnx.numpy_helper.to_array(found[0]) if found else None

    def weights(self, node: onnx.NodeProto) -> Weights:
        """Returns a layer's weights."""
        return Weights(node, onnx.numpy_helper.to_array(self.stored[node.input[1]]))

    def bias(self, node: onnx.NodeProto, size: int) -> np.ndarray:
        """Returns a layer's bias, (size,) float64; zeros if it has none."""
        if len(node.input) < 3 or not node.input[2]:
            return np.zeros(size)
        stored = onnx.numpy_helper.to_array(self.stored[node.input[2]])
        return np.broadcast_to(stored.astype(np.float64).ravel(), size)

    def set_bias(self, node: onnx.NodeProto, bias: np.ndarray) -> None:
        """Gives a layer a bias, unless it has none and needs none."""
        if len(node.input) > 2 or bias.any():
            node.input[:] = [*node.input[:2], ""]
            self.store(node, 2, bias)

    def make_sum(self, node: onnx.NodeProto, constant: np.ndarray) -> None:
        """Makes a node a sum of its one value and a constant."""
        value = self.operand(node)
        node.op_type = SUM
        node.input[:] = [value, ""]
        varies = [axis for axis, size in enumerate(constant.shape) if size > 1]
        # no leading ones: ONNX Runtime's quantizer takes the first axis of a bias for its channels
        self.store(node, 1, constant.reshape(constant.shape[min(varies, default=-1) :]))

    def store(self, node: onnx.NodeProto, place: int, values: np.ndarray) -> None:
        """Stores a constant, float32, as one of a node's inputs."""
        name = self.new_name(node.output[0])
        tensor = onnx.numpy_helper.from_array(values.astype(np.float32), name)
        self.graph.initializer.append(tensor)
        self.stored[name] = tensor
        node.input[place] = name

    def new_name(self, base: str) -> str:
        """Returns a name that nothing has."""
        self._count += 1
        return f"{base}/folded_{self._count}"
