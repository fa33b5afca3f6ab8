"""Which operators TFLM has, and what its resolver calls them."""

from collections.abc import Iterable

from train.common.errors import ArtifactError

# TFLite's names of the operators in TFLM's tensorflow/lite/micro/micro_mutable_op_resolver.h;
# without its custom operators, which no converter here makes.
OPERATORS = frozenset(
    {
        *("ABS", "ADD", "ADD_N", "ARG_MAX", "ARG_MIN", "ASSIGN_VARIABLE", "AVERAGE_POOL_2D"),
        *("BATCH_MATMUL", "BATCH_TO_SPACE_ND", "BROADCAST_ARGS", "BROADCAST_TO", "CALL_ONCE"),
        *("CAST", "CEIL", "CONCATENATION", "CONV_2D", "COS", "CUMSUM", "DEPTHWISE_CONV_2D"),
        *("DEPTH_TO_SPACE", "DEQUANTIZE", "DIV", "ELU", "EMBEDDING_LOOKUP", "EQUAL", "EXP"),
        *("EXPAND_DIMS", "FILL", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "FULLY_CONNECTED", "GATHER"),
        *("GATHER_ND", "GREATER", "GREATER_EQUAL", "HARD_SWISH", "IF", "L2_NORMALIZATION"),
        *("L2_POOL_2D", "LEAKY_RELU", "LESS", "LESS_EQUAL", "LOG", "LOGICAL_AND", "LOGICAL_NOT"),
        *("LOGICAL_OR", "LOGISTIC", "LOG_SOFTMAX", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM"),
        *("MIRROR_PAD", "MUL", "NEG", "NOT_EQUAL", "PACK", "PAD", "PADV2", "PRELU", "QUANTIZE"),
        *("READ_VARIABLE", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RESHAPE"),
        *("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "ROUND", "RSQRT"),
        *("SELECT_V2", "SHAPE", "SIN", "SLICE", "SOFTMAX", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH"),
        *("SPLIT", "SPLIT_V", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE"),
        *("SUB", "SUM", "SVDF", "TANH", "TRANSPOSE", "TRANSPOSE_CONV"),
        *("UNIDIRECTIONAL_SEQUENCE_LSTM", "UNPACK", "VAR_HANDLE", "WHILE", "ZEROS_LIKE"),
    }
)
# The resolver's methods that are not `Add` and the operator's words capitalized.
IRREGULAR = {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}


def add_methods(operators: Iterable[str]) -> dict[str, str]:
    """Returns the method that registers each operator of a graph, once each, in order.

    Args:
        operators: TFLite's names of them, repeated as they come.

    Raises:
        ArtifactError: TFLM has no such operator; it is named.
    """
    distinct = list(dict.fromkeys(operators))
    missing = [name for name in distinct if name not in OPERATORS]
    if missing:
        raise unsupported(*missing)
    regular = {name: "Add" + name.title().replace("_", "") for name in distinct}
    return {name: IRREGULAR.get(name, method) for name, method in regular.items()}


def unsupported(*operators: str) -> ArtifactError:
    """Returns the error of a model with operators that TFLM lacks."""
    return ArtifactError(
        f"tflm: TFLM has no operator {', '.join(operators)}, expected only those in "
        "export/deploy/microcontroller/operators.py; change the model's layers, or run it "
        "with LiteRT or ONNX Runtime"
    )
