"""`python -m tests.zoo.memory MODEL.keras FOLDER`: what TensorFlow itself does of an export.

It loads a model, saves it, converts it for TFLite, and freezes it as tf2onnx wants it, with nothing
of ours: the memory of this process is what an export cannot do without.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf
from tf2onnx.tf_loader import from_function


def main(arguments: Sequence[str]) -> int:
    """Does it."""
    model = keras.models.load_model(arguments[0], compile=False)
    saved = Path(arguments[1], "bare")
    model.export(saved, verbose=False)
    tf.lite.TFLiteConverter.from_saved_model(str(saved)).convert()
    signature = [tf.TensorSpec((None, *each.shape[1:]), each.dtype) for each in model.inputs]
    function = tf.function(model.call).get_concrete_function(*signature)
    from_function(
        function,
        [each.name for each in function.inputs if each.dtype != tf.resource],
        [each.name for each in function.outputs],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
