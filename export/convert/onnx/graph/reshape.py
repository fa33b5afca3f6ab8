"""Stores the shapes that reshaping nodes are given, where inference knows them beforehand."""

import numpy as np
import onnx


def store_shapes(model: onnx.ModelProto) -> None:
    """Replaces shapes that are computed at run time, of which only the batch size is not known.

    Keras flattens to a shape that it computes of the batch's: seven nodes for a Flatten.
    """
    graph = model.graph
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    sizes = {
        value.name: [size.dim_value or -1 for size in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.output)
        if value.type.tensor_type.HasField("shape")
    }
    stored = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        found = sizes.get(node.output[0], [])
        if node.op_type != "Reshape" or node.input[1] in stored or found.count(-1) > 1 or not found:
            continue
        name = f"{node.output[0]}/shape"
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(found, np.int64), name))
        node.input[1] = name
