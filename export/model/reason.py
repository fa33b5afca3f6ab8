"""Why a library could not load, convert or run a model, in one line."""

import re

MAX_REASON = 200
# How converters name the operator that they stumble over.
OPERATOR_PATTERNS = (
    re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op"),
    re.compile(r"not yet supported for op: '(\w+)'"),
    re.compile(r"[Oo]p (?:type )?'?(\w+)'? (?:is )?not (?:supported|implemented)"),
)
# TFLite's, with 16-bit activations, of token ids: its calibrator sees floats only.
NO_RANGE = re.compile(r"Max and min for dynamic tensors should be recorded.*tensor (\w+)")
# Keras's, of a layer or function that is not its own.
CUSTOM = re.compile(
    r"(?:Could not locate (?:class|function)|Unknown [a-z ]+:) '?([\w>.]+)'?", re.ASCII
)
# Keras nests its messages, the cause last, and appends the whole configuration to each.
INNER = "Exception encountered: "
NOISE = re.compile(r"\s*(?:\.? ?Full object config: .*|using config=\{.*)$")


def reason_of(error: BaseException) -> str:
    """Returns the reason in an error of Keras, TensorFlow, a converter or a runtime.

    With what to do where that is known; else the first line of its message, shortened.
    """
    text = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
    custom = CUSTOM.search(text)
    if custom:
        return (
            f"it uses {custom[1]}, which is not of Keras; name the module that defines it with "
            "--custom-objects"
        )
    operators = sorted({name for pattern in OPERATOR_PATTERNS for name in pattern.findall(text)})
    if operators:
        return f"it has no way to convert the operator {', '.join(operators)}"
    no_range = NO_RANGE.search(text)
    if no_range:
        return f"it takes no integers as they are, such as {no_range[1]}"
    text = text.rpartition(INNER)[2].strip()
    line = (NOISE.sub("", text.splitlines()[0]) if text else "") or type(error).__name__
    return line if len(line) <= MAX_REASON else line[: MAX_REASON - 1] + "…"
