"""Edits a `.tflite` flatbuffer after conversion: tensor names, buffer alignment."""

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

FILE_IDENTIFIER = b"TFL3"
ALIGNMENT_BYTES = 16  # `force_align` of Buffer.data in TFLite's schema


class AlignedBuffer(schema.BufferT):
    """A buffer that is written where the schema wants it.

    Python's flatbuffers ignores `force_align`, so what TensorFlow's converter writes (it ends
    in Python) lies on any multiple of 4: https://github.com/tensorflow/tflite-micro/pull/3177
    """

    def Pack(self, builder: Any) -> Any:  # noqa: N802 - overrides generated code
        """Writes the buffer, its data aligned."""
        data = None
        if self.data is not None and len(self.data):
            content = bytes(bytearray(self.data))
            builder.StartVector(1, len(content), ALIGNMENT_BYTES)
            builder.head -= len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


def name_tensors(model: bytes, *, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """Returns the model with its input and output tensors named as asked, buffers aligned.

    The converter keeps the names of the signature apart and calls the tensors themselves
    `serving_default_image:0` and `StatefulPartitionedCall_1:0`.
    """
    tree = schema.ModelT.InitFromPackedBuf(bytearray(model))
    graph = tree.subgraphs[0]
    for indices, names in ((graph.inputs, inputs), (graph.outputs, outputs)):
        for index, name in zip(indices, names, strict=True):
            graph.tensors[index].name = name
    for buffer in tree.buffers:
        if buffer.offset > 1:  # ai-edge-quantizer puts large data behind the flatbuffer
            buffer.data = np.frombuffer(model, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
        buffer.__class__ = AlignedBuffer
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), file_identifier=FILE_IDENTIFIER)
    return bytes(builder.Output())
