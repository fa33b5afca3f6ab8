"""What a model file must not hold unless its source is trusted.

A configuration (JSON) can carry Python bytecode, which both Keras and tf-keras unpack with
`marshal`, and tf-keras imports whatever module and calls whatever function it names. Keras 3
refuses that by `safe_mode`; tf-keras has no such thing for HDF5 files. A graph can read and
write files and call back into Python.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from train.common.errors import ArtifactError

TRUST = "--unsafe allows that, for a file whose source you trust"
# tf-keras's modules that hold what a model is made of, after `tf_keras.src.` or `keras.`.
MODEL_PARTS = {
    *("", "activations", "constraints", "engine", "initializers", "layers", "losses", "metrics"),
    *("mixed_precision", "models", "optimizers", "regularizers"),
}
# Layers of tf-keras that call a method which the file names.
CALLING_LAYERS = {"ClassMethod", "InstanceMethod", "InstanceProperty"}
# The parts of TensorFlow's API that only compute, from which a TFOpLambda layer may call.
COMPUTING = {
    *("__operators__", "bitwise", "dtypes", "experimental.numpy", "image", "linalg", "math"),
    *("math.special", "nn", "quantization", "random", "ragged", "signal", "sparse", "strings"),
}
NOT_COMPUTING = {
    *("Variable", "function", "load_library", "load_op_library", "numpy_function", "print"),
    *("py_function",),
}
# Operators with effects that stay inside the model: variables, tables, control flow, randomness.
CONTAINED = re.compile(
    r"VarHandleOp|_VarHandlesOp|ReadVariableOp|_ReadVariablesOp|Assign(Add|Sub)?VariableOp"
    r"|VarIsInitializedOp|VariableShape|DestroyResourceOp|DisableCopyOnRead"
    r"|Resource(Gather|Scatter|Apply|SparseApply|StridedSliceAssign|CountUpTo)\w*"
    r"|(Anonymous)?(Mutable)?(Dense)?HashTable\w*|LookupTable\w+"
    r"|InitializeTable(FromTextFile)?(V2)?|If|While|Case|StatefulPartitionedCall|TensorArray\w*"
    r"|Assert|CheckNumerics(V2)?|Empty|GuaranteeConst|CudnnRNN\w*|XlaCallModule|XlaLaunch"
    r"|Random(Crop|Gamma|Poisson|Shuffle|StandardNormal|Uniform|UniformInt)"
    r"|Stateful(RandomBinomial|StandardNormal|TruncatedNormal|Uniform)\w*|StatelessRandomGetAlg"
    r"|TruncatedNormal|ParameterizedTruncatedNormal|Multinomial|RngSkip|RngReadAndSkip"
)
# Operators that TensorFlow counts as free of effects although they reach outside the model.
REACHING_OUT = re.compile(
    r"ReadFile|MatchingFiles|PyFuncStateless|Reader\w*|Debug\w*|\w*Dataset\w*"
)


def check_config(path: str, config: object) -> None:
    """Checks that a model's configuration holds no code.

    Raises:
        ArtifactError: it does.
    """
    for part in _objects(config):
        kind = part.get("class_name")
        if kind == "__lambda__" or (kind == "Lambda" and not _is_named(part.get("config"))):
            raise ArtifactError(
                f"{path} holds a lambda, and loading it runs code from the file; {TRUST}"
            )
        for name, value in part.items():
            if value == "lambda" and str(name).endswith("_type"):
                raise ArtifactError(
                    f"{path} holds a lambda ({name}), and loading it runs code from the file; "
                    f"{TRUST}"
                )


def check_legacy_config(path: str, config: object, known: Iterable[str]) -> None:
    """Checks that a configuration lets tf-keras call nothing but the parts of a model.

    Args:
        path: the model, for messages.
        config: its configuration.
        known: the names of custom classes and functions, which tf-keras looks up before modules.

    Raises:
        ArtifactError: it names something else.
    """
    names = set(known)
    for part in _objects(config):
        kind, fields, module = part.get("class_name"), part.get("config"), part.get("module")
        called = str(fields.get("function", "")) if isinstance(fields, Mapping) else ""
        if kind in CALLING_LAYERS:
            raise ArtifactError(f"{path} holds a layer {kind}, which calls what it names; {TRUST}")
        if kind == "TFOpLambda" and not _computes(called):
            raise ArtifactError(
                f"{path} calls TensorFlow's {called!r}, expected functions that compute; {TRUST}"
            )
        looked_up = fields if kind == "function" else part.get("registered_name", kind)
        custom = isinstance(looked_up, str) and looked_up in names
        if isinstance(kind, str) and isinstance(module, str) and not custom:
            allowed = {"builtins"} if kind == "function" else MODEL_PARTS
            if _part_of_keras(module) not in allowed:
                raise ArtifactError(
                    f"{path} uses {kind} of the module {module!r}, expected layers of Keras; name "
                    "the module that defines it with --custom-objects"
                )


def check_operators(path: str, operators: Iterable[str]) -> None:
    """Checks that a graph computes and does nothing else.

    Raises:
        ArtifactError: an operator runs code, or reads or writes files, or is unknown.
    """
    from tensorflow.python.framework import op_def_registry

    for operator in sorted(set(operators)):
        known = op_def_registry.get(operator)
        if known is None:
            raise ArtifactError(f"{path} holds the operator {operator}, which TensorFlow lacks")
        effects = known.is_stateful and not CONTAINED.fullmatch(operator)
        if effects or REACHING_OUT.fullmatch(operator):
            raise ArtifactError(
                f"{path} holds the operator {operator}, which can run code or reach files outside "
                f"the model; {TRUST}"
            )


def _objects(config: object) -> Iterator[Mapping[str, Any]]:
    """Yields every JSON object in a configuration, however deep."""
    remaining = [config]
    while remaining:
        part = remaining.pop()
        if isinstance(part, Mapping):
            yield part
            remaining.extend(part.values())
        elif isinstance(part, list):
            remaining.extend(part)


def _is_named(fields: object) -> bool:
    """Returns whether a Lambda layer's function is given by its name."""
    function = fields.get("function") if isinstance(fields, Mapping) else None
    if isinstance(function, Mapping):
        return function.get("class_name") == "function"
    return isinstance(function, str)


def _computes(name: str) -> bool:
    name = name.removeprefix("compat.v1.")
    namespace, _, function = name.rpartition(".")
    return namespace in COMPUTING if namespace else function not in NOT_COMPUTING


def _part_of_keras(module: str) -> str | None:
    """Returns which part of Keras a module is in, "" of Keras itself, None if it is elsewhere."""
    if module == "builtins":
        return module
    package, *parts = [part for part in module.split(".") if part != "src"]
    if package not in ("keras", "tf_keras"):
        return None
    return parts[0] if parts else ""
