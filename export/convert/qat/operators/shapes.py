"""Operators that move values, and compute none."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import tensorflow as tf

from export.convert.qat.graph import Operator
from export.convert.qat.operators.products import each_call
from export.convert.qat.values import IN_256THS, TWICE, Value


def _moved(x: Value, data: tf.Tensor) -> Value:
    return Value(data=data, unit=x.unit, batched=x.batched)


def reshape(op: Operator, x: Value, *_: Value) -> Value:
    """RESHAPE, SQUEEZE, EXPAND_DIMS: the file says the shape of the result."""
    return _moved(x, tf.reshape(x.data, _shape(x, op)))


def transpose(op: Operator, x: Value, *_: Value) -> Value:
    """TRANSPOSE."""
    order = [int(axis) for axis in op.numbers(1)]
    return _moved(x, tf.transpose(x.data, [0, *(a + 1 for a in order)] if x.batched else order))


def strided_slice(op: Operator, x: Value, *_: Value) -> Value:
    """STRIDED_SLICE with stored places."""
    begins, ends, strides = (op.numbers(place) for place in (1, 2, 3))
    options, places = op.options, list[Any]()
    if options.ellipsisMask or options.newAxisMask or getattr(options, "offset", False):
        raise ValueError("STRIDED_SLICE adds dimensions")
    for axis, (begin, end, stride) in enumerate(zip(begins, ends, strides, strict=True)):
        bit = 1 << axis
        if options.shrinkAxisMask & bit:
            places.append(slice(int(begin), int(begin) + 1 or None))
            continue
        places.append(
            slice(
                None if options.beginMask & bit else int(begin),
                None if options.endMask & bit else int(end),
                int(stride),
            )
        )
    return _moved(x, tf.reshape(_at(x, places), _shape(x, op)))


def slice_(op: Operator, x: Value, *_: Value) -> Value:
    """SLICE with stored places."""
    pairs = zip(op.numbers(1), op.outputs[0].shape, strict=True)
    return _moved(x, _at(x, [slice(int(begin), int(begin) + size) for begin, size in pairs]))


def split(op: Operator, axis: Value, x: Value) -> list[Value]:
    """SPLIT."""
    return _split(op, x, int(op.numbers(0)))


def split_v(op: Operator, x: Value, *_: Value) -> list[Value]:
    """SPLIT_V."""
    return _split(op, x, int(op.numbers(2)))


def _split(op: Operator, x: Value, axis: int) -> list[Value]:
    place = _axis(x, axis, len(op.outputs[0].shape))
    sizes = [output.shape[axis] for output in op.outputs]
    return [_moved(x, part) for part in tf.split(x.data, sizes, place)]


def unpack(op: Operator, x: Value) -> list[Value]:
    """UNPACK."""
    place = _axis(x, op.options.axis, len(op.outputs[0].shape) + 1)
    return [_moved(x, part) for part in tf.unstack(x.data, len(op.outputs), place)]


def gather(op: Operator, x: Value, places: Value) -> Value:
    """GATHER: of a table that is stored, or of what is computed."""
    axis = op.options.axis % len(op.given(0).shape)
    indices = tf.cast(places.data, tf.int32)
    inner = int(op.options.batchDims)
    if x.batched and places.batched:
        return _moved(x, tf.gather(x.data, indices, axis=axis + 1, batch_dims=inner + 1))
    if x.batched:
        if inner:
            raise ValueError("GATHER has dimensions of a batch")
        return _moved(x, tf.gather(x.data, indices, axis=axis + 1))
    if places.batched and (axis or inner):
        raise ValueError("GATHER reads a table by another dimension than its first")
    data = tf.gather(x.data, indices, axis=axis, batch_dims=inner)
    return Value(data=data, unit=x.unit, batched=places.batched)


def embedding_lookup(op: Operator, places: Value, x: Value) -> Value:
    """EMBEDDING_LOOKUP."""
    data = tf.gather(x.data, tf.cast(places.data, tf.int32))
    return Value(data=data, unit=x.unit, batched=places.batched)


def pad(op: Operator, x: Value, _: Value, filling: Value | None = None) -> Value:
    """PAD, with zeros, and PADV2."""
    amounts = [list(map(int, pair)) for pair in op.numbers(1)]
    value = 0 if filling is None else tf.reshape(filling.real / x.unit, ())
    return _moved(
        x, tf.pad(x.data, [[0, 0], *amounts] if x.batched else amounts, constant_values=value)
    )


def mirror_pad(op: Operator, x: Value, _: Value) -> Value:
    """MIRROR_PAD."""
    amounts = [list(map(int, pair)) for pair in op.numbers(1)]
    mode = "REFLECT" if op.options.mode == 0 else "SYMMETRIC"
    return _moved(x, tf.pad(x.data, [[0, 0], *amounts] if x.batched else amounts, mode))


def tile(op: Operator, x: Value, _: Value) -> Value:
    """TILE."""
    times = [int(number) for number in op.numbers(1)]
    return _moved(x, tf.tile(x.data, [1, *times] if x.batched else times))


def broadcast_to(op: Operator, x: Value, _: Value) -> Value:
    """BROADCAST_TO."""
    shape = op.outputs[0].shape
    if not x.batched:
        return _moved(x, tf.broadcast_to(x.data, shape))
    sizes = x.data.shape[1:]
    data = tf.reshape(x.data, (-1, *[1] * (len(shape) - len(sizes)), *sizes))
    return _moved(x, tf.broadcast_to(data, (tf.shape(data)[0], *shape)))


def reverse(op: Operator, x: Value, _: Value) -> Value:
    """REVERSE_V2."""
    rank = len(op.given(0).shape)
    return _moved(x, tf.reverse(x.data, [_axis(x, int(a), rank) for a in op.numbers(1)]))


def depth_to_space(op: Operator, x: Value) -> Value:
    """DEPTH_TO_SPACE."""
    size = int(op.options.blockSize)
    return _moved(x, each_call(x, lambda images: tf.nn.depth_to_space(images, size)))


def space_to_depth(op: Operator, x: Value) -> Value:
    """SPACE_TO_DEPTH."""
    size = int(op.options.blockSize)
    return _moved(x, each_call(x, lambda images: tf.nn.space_to_depth(images, size)))


def space_to_batch(op: Operator, x: Value, *_: Value) -> Value:
    """SPACE_TO_BATCH_ND, within each call."""
    return _moved(x, _within(x, op, tf.space_to_batch))


def batch_to_space(op: Operator, x: Value, *_: Value) -> Value:
    """BATCH_TO_SPACE_ND, within each call."""
    return _moved(x, _within(x, op, tf.batch_to_space))


def _within(x: Value, op: Operator, compute: Any) -> tf.Tensor:
    """Returns what becomes of a file's batch: the calls stand beside the channels meanwhile."""
    blocks, amounts = op.numbers(1), op.numbers(2)
    if not x.batched:
        return compute(x.data, blocks, amounts)
    rank = x.data.shape.rank
    turned = tf.transpose(x.data, [*range(1, rank), 0])
    found = compute(turned, blocks, amounts)
    return tf.transpose(found, [rank - 1, *range(rank - 1)])


def converted(op: Operator, x: Value) -> Value:
    """QUANTIZE and DEQUANTIZE: the result gets its unit when it is stored."""
    given, made = op.given(0), op.outputs[0]
    if not (given.is_quantized and made.is_quantized):
        return x
    both = {given.dtype.itemsize, made.dtype.itemsize}
    return replace(x, rounding=IN_256THS if both == {1} else TWICE)


def _shape(x: Value, op: Operator) -> list[int]:
    shape = list(op.outputs[0].shape)
    return [-1, *shape] if x.batched else shape


def _at(x: Value, places: list[slice]) -> tf.Tensor:
    return x.data[(slice(None), *places)] if x.batched else x.data[tuple(places)]


def _axis(x: Value, axis: int, rank: int) -> int:
    return int(axis) % rank + int(x.batched)


SHAPES: dict[str, Callable[..., Any]] = {
    "BATCH_TO_SPACE_ND": batch_to_space,
    "BROADCAST_TO": broadcast_to,
    "DEPTH_TO_SPACE": depth_to_space,
    "DEQUANTIZE": converted,
    "EMBEDDING_LOOKUP": embedding_lookup,
    "EXPAND_DIMS": reshape,
    "GATHER": gather,
    "MIRROR_PAD": mirror_pad,
    "PAD": pad,
    "PADV2": pad,
    "QUANTIZE": converted,
    "RESHAPE": reshape,
    "REVERSE_V2": reverse,
    "SLICE": slice_,
    "SPACE_TO_BATCH_ND": space_to_batch,
    "SPACE_TO_DEPTH": space_to_depth,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "SQUEEZE": reshape,
    "STRIDED_SLICE": strided_slice,
    "TILE": tile,
    "TRANSPOSE": transpose,
    "UNPACK": unpack,
}
