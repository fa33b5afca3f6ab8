"""SavedModel folders, by whatever wrote them.

A SavedModel is a graph, and loading it runs what initializes its tables: the file is read and
its operators are checked before TensorFlow opens it.
"""

import json
import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from export.model.keras.call import check_repeatable, full_precision, output_specs
from export.model.keras.precision import OTHERS
from export.model.loaded import SIGNATURE, LoadedModel, Tensors, traced
from export.model.reason import attempt, reason_of
from export.model.request import ModelRequest
from export.model.safety import check_operators
from export.model.signature import given_shapes, of_batch, unique, with_shapes
from train.common.errors import ArtifactError, ToolkitError
from train.common.tensors import TensorSpec


def open_saved_model(request: ModelRequest) -> LoadedModel:
    """Returns a SavedModel's signature `serving_default`, or its only one.

    Raises:
        ArtifactError: it is damaged, not by TensorFlow 2, or unsafe to load.
        ToolkitError: it has no such signature, or the shapes given contradict it.
    """
    path = request.path
    operators = _operators(Path(path))
    if not request.unsafe:
        check_operators(path, operators)
    loaded = attempt(partial(tf.saved_model.load, path))
    if isinstance(loaded, Exception):
        raise ArtifactError(
            f"{path} is not a SavedModel that can be loaded: {reason_of(loaded)}"
        ) from loaded
    signature = _signature(path, loaded.signatures)
    given = signature.structured_input_signature[1]
    own = {key: given[key] for key in in_order(given, _input_order(loaded))}
    output_order = _output_order(Path(path))
    names = dict(zip(own, unique(own), strict=True))
    specs = with_shapes([_spec(request, names[key], own[key]) for key in own], request.shapes)

    def call(tensors: Tensors) -> dict[str, tf.Tensor]:
        raw = signature(
            **{key: tf.cast(tensors[name], own[key].dtype) for key, name in names.items()}
        )
        keys = in_order(raw, output_order)
        outputs = unique(keys, names.values())
        return {name: full_precision(raw[key]) for name, key in zip(outputs, keys, strict=True)}

    batches = {spec.shape[0] for spec in own.values() if spec.shape.rank} - {None}
    batch = max(batches, default=None)
    try:
        graph = traced(call, specs, batch)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise ToolkitError(
            f"{path} fails on inputs {'; '.join(map(str, specs))}: {reason_of(error)}"
        ) from error
    check_repeatable(graph, path)
    return LoadedModel(
        path=path,
        inputs=of_batch(specs, batch),
        outputs=of_batch(output_specs(graph, path, batch), batch),
        call=call,
        variables=tuple((v.name.removesuffix(":0"), v) for v in signature.variables),
        resources=(loaded,),
        fixed_batch=batch,
    )


def in_order(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """Returns a signature's names, which it holds in none: as known, else by name.

    Numbers in names count as such: Keras calls its outputs output_0, …, output_10.
    """
    if set(known) == set(names):
        return list(known)
    return sorted(names, key=lambda name: [part.zfill(9) for part in re.split(r"(\d+)", name)])


def _input_order(loaded: Any) -> list[str]:
    """Returns the names of a Keras model's inputs in its order, from its other functions."""
    for name in ("serve", "__call__"):
        for function in getattr(getattr(loaded, name, None), "concrete_functions", ()):
            specs = tf.nest.flatten(function.structured_input_signature)
            return [spec.name for spec in specs if isinstance(spec, tf.TensorSpec)]
    return []


def _output_order(folder: Path) -> list[str]:
    """Returns the names of a Keras 2 model's outputs in its order, from what it left beside it."""
    from tf_keras.protobuf import saved_metadata_pb2

    metadata = saved_metadata_pb2.SavedMetadata()
    try:
        metadata.ParseFromString((folder / "keras_metadata.pb").read_bytes())
        config = json.loads(metadata.nodes[0].metadata)["config"]
        return [str(layer[0]) for layer in config["output_layers"]]
    except (OSError, DecodeError, ValueError, LookupError, TypeError):
        return []


def _signature(path: str, signatures: Any) -> Any:
    if SIGNATURE in signatures:
        return signatures[SIGNATURE]
    if len(signatures) != 1:
        raise ToolkitError(
            f"{path} has the signatures {', '.join(signatures) or '(none)'}, expected "
            f"{SIGNATURE!r} or a single one; save it again with model.export"
        )
    return next(iter(signatures.values()))


def _spec(request: ModelRequest, name: str, own: tf.TensorSpec) -> TensorSpec:
    shape = own.shape
    if shape.rank is None:
        given = given_shapes(request.shapes).get(name)
        if given is None:
            raise ToolkitError(
                f"{request.path} does not say what shape its input {name!r} has; give it with "
                f"--shape {name}=1,…"
            )
        shape = tf.TensorShape((None, *given[1:]))
    if shape.rank == 0:
        raise ToolkitError(f"{request.path}: input {name!r} has no batch dimension, expected one")
    dtype = "float32" if own.dtype.name in OTHERS else own.dtype.name
    return TensorSpec(name=name, shape=(None, *shape.as_list()[1:]), dtype=dtype)


def _operators(folder: Path) -> set[str]:
    """Returns the operators of all functions that loading and calling a SavedModel can run.

    Those are the ones that its objects refer to, and what these call. The rest of the graph
    writes and reads checkpoints, for TensorFlow 1.

    Raises:
        ArtifactError: the folder holds no SavedModel of TensorFlow 2.
    """
    content = saved_model_pb2.SavedModel()
    try:
        content.ParseFromString((folder / "saved_model.pb").read_bytes())
    except DecodeError as error:
        raise ArtifactError(f"{folder} is not a SavedModel, or a damaged one: {error}") from error
    operators: set[str] = set()
    for graph in content.meta_graphs:
        functions = {f.signature.name: f for f in graph.graph_def.library.function}
        remaining = [*graph.object_graph_def.concrete_functions]
        seen: set[str] = set()
        while remaining:
            name = remaining.pop()
            if name in seen or name not in functions:
                continue
            seen.add(name)
            for node in functions[name].node_def:
                called = [node.op, *_functions_in(node.attr.values())]
                remaining.extend(called)
                operators.add(node.op)
        operators -= set(functions)
    if not operators:
        raise ArtifactError(
            f"{folder} holds no functions of TensorFlow 2, expected a SavedModel that it wrote; "
            "load the model there and save it again with model.export"
        )
    return operators


def _functions_in(attributes: Any) -> list[str]:
    return [
        function.name
        for attribute in attributes
        for function in (attribute.func, *attribute.list.func)
        if function.name
    ]
