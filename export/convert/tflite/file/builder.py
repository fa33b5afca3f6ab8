"""Writes a `.tflite` file: nothing twice, no field between others that it does not fit."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import number_types

FILE_IDENTIFIER = b"TFL3"
ALIGNMENT_SHARE, ALIGNMENT_MOST = 16, 1 << 16  # room for it: a share of the file, and some bytes
ALIGNMENT_BYTES = 16  # `force_align` of Buffer.data in TFLite's schema
WEIGHTS, SCALES, REST = "weights", "scales", "rest"


class SharingBuilder(flatbuffers.Builder):
    """Writes equal vectors, strings and tables once, as flatbuffers allow, and counts bytes.

    Converters write each anew. A channel's zero point takes eight bytes, and they are all zero: a
    fifth of a small network. Fields are written by size: Python's flatbuffers writes them in the
    order of the schema, where a byte between offsets takes four.

    Attributes:
        parts: bytes of weights, scales and the rest; all others are the graph's.
    """

    def __init__(self, initial_size: int) -> None:
        super().__init__(initial_size)
        self.parts: Counter[str] = Counter()
        self._vectors: dict[tuple[str, bytes], int] = {}
        self._tables: dict[tuple[Any, ...], int] = {}
        self._fields: list[tuple[Any, int, Any, Any]] = []
        self._field_count = 0

    @contextmanager
    def counted(self, part: str) -> Iterator[None]:
        """Counts what is written within as a part, but for what is counted apart within it."""
        before = self.Offset() - self.parts.total()
        yield
        self.parts[part] += self.Offset() - self.parts.total() - before

    def Pad(self, n: int) -> None:
        """Writes zeros up to where the next item may lie."""
        super().Pad(n)
        self.parts[REST] += max(0, n)

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        """Returns where the vector lies, written now or before."""
        key = x.dtype.str, x.tobytes()
        if key not in self._vectors:
            self._vectors[key] = super().CreateNumpyVector(x)
        return self._vectors[key]

    def CreateString(self, s: bytes | str, encoding: str = "utf-8", errors: str = "strict") -> int:
        """Returns where the string lies, written now or before."""
        key = "string", s.encode(encoding, errors) if isinstance(s, str) else s
        if key not in self._vectors:
            with self.counted(REST):
                self._vectors[key] = super().CreateString(s, encoding, errors)
        return self._vectors[key]

    def StartObject(self, numfields: int) -> None:
        """Begins a table, which is written when it ends."""
        self._field_count, self._fields = numfields, []

    def PrependSlot(self, flags: Any, o: int, x: Any, d: Any) -> None:
        """Keeps a number for the table that has begun."""
        if x != d:
            self._fields.append((flags, o, x, d))

    def PrependUOffsetTRelativeSlot(self, o: int, x: int, d: int) -> None:
        """Keeps the place of what the table that has begun points to."""
        if x != d:
            self._fields.append((number_types.UOffsetTFlags, o, x, None))

    def EndObject(self) -> int:
        """Returns where the table lies, written now or before."""
        fields = sorted(self._fields, key=lambda field: (-field[0].bytewidth, field[1]))
        key = tuple((flags, slot, value) for flags, slot, value, _ in fields)
        if key not in self._tables:
            super().StartObject(self._field_count)
            for flags, slot, value, default in fields:
                if flags is number_types.UOffsetTFlags:
                    super().PrependUOffsetTRelativeSlot(slot, value, 0)
                else:
                    super().PrependSlot(flags, slot, value, default)
            self._tables[key] = super().EndObject()
        return self._tables[key]


class AlignedBuffer(schema.BufferT):
    """A buffer that is written where the schema wants it.

    Python's flatbuffers ignores `force_align`, so what TensorFlow's converter writes (it ends
    in Python) lies on any multiple of 4: https://github.com/tensorflow/tflite-micro/pull/3177
    """

    def Pack(self, builder: SharingBuilder) -> Any:
        """Writes the buffer, its data aligned."""
        data = None
        if self.data is not None and len(self.data):
            content = bytes(bytearray(self.data))
            builder.StartVector(1, len(content), ALIGNMENT_BYTES)
            with builder.counted(WEIGHTS):
                builder.head -= len(content)
                builder.Bytes[builder.head : builder.head + len(content)] = content
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


class MetadataBuffer(AlignedBuffer):
    """A buffer that no tensor has."""

    def Pack(self, builder: SharingBuilder) -> Any:
        """Writes the buffer, and counts it as metadata."""
        weights = builder.parts[WEIGHTS]
        with builder.counted(REST):
            place = super().Pack(builder)
            builder.parts[WEIGHTS] = weights
        return place


class CountedScales(schema.QuantizationParametersT):
    """Quantization parameters whose bytes are counted."""

    def Pack(self, builder: SharingBuilder) -> Any:
        """Writes them."""
        with builder.counted(SCALES):
            return super().Pack(builder)


class CountedMetadata(schema.MetadataT):
    """Metadata whose bytes are counted."""

    def Pack(self, builder: SharingBuilder) -> Any:
        """Writes it."""
        with builder.counted(REST):
            return super().Pack(builder)


class CountedSignature(schema.SignatureDefT):
    """A signature whose bytes are counted."""

    def Pack(self, builder: SharingBuilder) -> Any:
        """Writes it."""
        with builder.counted(REST):
            return super().Pack(builder)


def unpack(model: bytes) -> Any:
    """Returns a file as the objects of the schema, which can be changed."""
    tree = schema.ModelT.InitFromPackedBuf(model)
    tree.operatorCodes = tree.operatorCodes or []
    for part in tree.subgraphs:
        part.operators = part.operators or []  # None of a model that computes nothing
    return tree


def pack(tree: Any, size_bytes: int) -> bytes:
    """Returns a model of the schema's objects as a file.

    Args:
        tree: the model.
        size_bytes: about how large the file will be.
    """
    builder = built(tree, size_bytes)
    return bytes(memoryview(builder.Bytes)[builder.Head() :])


def built(tree: Any, size_bytes: int) -> SharingBuilder:
    """Returns what has written a model of the schema's objects, and counted its bytes."""
    _drop_unread_codes(tree)
    tensors = [tensor for graph in tree.subgraphs for tensor in graph.tensors]
    stored = {int(tensor.buffer) for tensor in tensors}
    for number, buffer in enumerate(tree.buffers):
        buffer.__class__ = AlignedBuffer if number in stored else MetadataBuffer
    counted = [
        (CountedScales, (tensor.quantization for tensor in tensors)),
        (CountedMetadata, tree.metadata or ()),
        (CountedSignature, tree.signatureDefs or ()),
    ]
    for kind, items in counted:
        for item in items:
            if item is not None:
                item.__class__ = kind
    # A builder that is full doubles, and what it hands out is a copy: twice the weights in memory.
    builder = SharingBuilder(size_bytes + size_bytes // ALIGNMENT_SHARE + ALIGNMENT_MOST)
    builder.Finish(tree.Pack(builder), file_identifier=FILE_IDENTIFIER)
    return builder


def _drop_unread_codes(tree: Any) -> None:
    """Removes operator codes that no operator has any more; interpreters look for their kernels."""
    operators = [operator for part in tree.subgraphs for operator in part.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    places = {old: new for new, old in enumerate(used)}
    tree.operatorCodes = [tree.operatorCodes[old] for old in used]
    for operator in operators:
        operator.opcodeIndex = places[operator.opcodeIndex]
