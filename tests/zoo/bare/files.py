"""What the bare converters make of a model: TensorFlow's and ONNX Runtime's, at their defaults.

Each is what their documentation shows in three lines, on the same calibration data as an export.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from onnxruntime.quantization import CalibrationDataReader, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

from export.model.loaded import LoadedModel
from tests.zoo.bare.matching import pairs

MOST_EXAMPLES = 500  # of the calibration data, as many as an export takes by default
MOST_IN_FLOAT = 0.05
STRICT, FLOATS, CHANNELS = (
    " of integers",
    " between floats",
    " per channel",
)  # kept to what our formats promise


class Examples(CalibrationDataReader):
    """Examples one by one, as ONNX Runtime's quantizer asks for them."""

    def __init__(self, examples: Iterator[dict[str, np.ndarray]]) -> None:
        """Takes what there is."""
        self._examples = examples

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Returns the next one, or None."""
        return next(self._examples, None)


@dataclass(frozen=True)
class Bare:
    """A model, for converters that know nothing of ours.

    Attributes:
        model: the model; its Keras model or SavedModel is what is converted.
        saved_model: the folder, where it is not held by Keras.
        inputs: calibration data (N, …) by the input's name.
        folder: an empty one.
    """

    model: LoadedModel
    saved_model: str
    inputs: Mapping[str, np.ndarray]
    folder: Path

    def make(self, name: str) -> bytes:
        """Returns the file that stands for a format; raises whatever a converter raises."""
        return MAKERS[name](self)

    def examples(self, names: Mapping[str, str]) -> Iterator[dict[str, np.ndarray]]:
        """Yields calibration examples by a file's own names of its inputs."""
        count = min(MOST_EXAMPLES, len(next(iter(self.inputs.values()))))
        for number in range(count):
            yield {own: self.inputs[name][number : number + 1] for own, name in names.items()}

    def tflite(self, **changes: Any) -> bytes:
        """Returns TensorFlow's file, with some of its converter's attributes set."""
        model = self.model.keras_model or self.model.tf_keras_model
        if model is not None and getattr(model, "inputs", None):
            converter = tf.lite.TFLiteConverter.from_keras_model(model)
        else:
            converter = tf.lite.TFLiteConverter.from_saved_model(self.exported)
        for name, value in changes.items():
            owner = converter.target_spec if name.startswith("supported") else converter
            setattr(owner, name, value)
        content: bytes = converter.convert()
        return content

    @cached_property
    def exported(self) -> str:
        """The model as a SavedModel, without which the converter takes no subclassed one."""
        if self.model.keras_model is None:
            return self.saved_model
        self.model.keras_model.export(self.folder / "exported", verbose=False)
        return str(self.folder / "exported")

    def tflite_integers(self, **changes: Any) -> bytes:
        """Returns it quantized by ranges of the calibration data."""
        names = self._tflite_names
        return self.tflite(
            optimizations=[tf.lite.Optimize.DEFAULT],
            representative_dataset=lambda: self.examples(names),
            **changes,
        )

    @cached_property
    def _tflite_names(self) -> dict[str, str]:
        """The name of the data by the signature's name of each input."""
        interpreter = tf.lite.Interpreter(model_content=self.tflite())
        runner = interpreter.get_signature_runner()
        given = {k: tuple(v["shape_signature"]) for k, v in runner.get_input_details().items()}
        found = pairs(given, {spec.name: spec.shape for spec in self.model.inputs})
        return {own: name for name, own in found.items()}

    @cached_property
    def onnx(self) -> Path:
        """The float32 ONNX file, by tf2onnx: Keras 3 calls it itself."""
        path = self.folder / "bare.onnx"
        if self.model.keras_model is not None:
            self.model.keras_model.export(path, format="onnx", verbose=False)
        elif self.model.tf_keras_model is not None:
            tf2onnx.convert.from_keras(self.model.tf_keras_model, output_path=str(path))
        else:
            loaded = tf.saved_model.load(self.saved_model)
            serve = loaded.signatures["serving_default"]
            specs = list(serve.structured_input_signature[1].values())
            function = tf.function(lambda *given: serve(*given), input_signature=specs)
            tf2onnx.convert.from_function(function, specs, output_path=str(path))
        return path

    @cached_property
    def prepared(self) -> Path:
        """The float32 ONNX file as ONNX Runtime's guide to quantization prepares it."""
        path = self.folder / "prepared.onnx"
        try:
            quant_pre_process(self.onnx, path)
        except Exception:  # noqa: BLE001 - the bare class is what symbolic inference raises
            quant_pre_process(self.onnx, path, skip_symbolic_shape=True)
        return path

    def onnx_dynamic(self) -> bytes:
        """Returns ONNX Runtime's file with weights of 8 bits."""
        path = self.folder / "dynamic.onnx"
        quantize_dynamic(self.prepared, path)
        return path.read_bytes()

    def onnx_static(self, **options: Any) -> bytes:
        """Returns its file with activations of 8 bits as well, by the least and largest values."""
        graph = onnx.load(self.prepared).graph
        given = {
            value.name: tuple(d.dim_value or None for d in value.type.tensor_type.shape.dim)
            for value in graph.input
        }
        found = pairs(given, {spec.name: spec.shape for spec in self.model.inputs})
        names = {own: name for name, own in found.items()}
        path = self.folder / "static.onnx"
        quantize_static(self.prepared, path, Examples(self.examples(names)), **options)
        return path.read_bytes()

    def onnx_integers(self, name: str) -> bytes:
        """Returns a quantized file, if its weights are integers.

        Raises:
            ValueError: ONNX Runtime's quantizers leave more than `MOST_IN_FLOAT` of them in float,
                as of recurrent operators, and of transposed convolutions.
        """
        content = self.make(name)
        sizes = Counter[int]()
        for tensor in onnx.load_from_string(content).graph.initializer:
            sizes[tensor.data_type] += math.prod(tensor.dims) if len(tensor.dims) > 1 else 0
        share = sizes[onnx.TensorProto.FLOAT] / max(1, sizes.total())
        if share > MOST_IN_FLOAT:
            raise ValueError(f"the quantizer leaves {share:.0%} of the weights in float")
        return content

    def onnx_float16(self, **options: Any) -> bytes:
        """Returns its file in half precision."""
        half = convert_float_to_float16(onnx.load(self.onnx), **options)
        return bytes(half.SerializeToString())


MAKERS: dict[str, Callable[[Bare], bytes]] = {
    "tflite-float32": Bare.tflite,
    "tflite-float16": partial(
        Bare.tflite, optimizations=[tf.lite.Optimize.DEFAULT], supported_types=[tf.float16]
    ),
    "tflite-dynamic": partial(Bare.tflite, optimizations=[tf.lite.Optimize.DEFAULT]),
    "tflite-int8": Bare.tflite_integers,
    f"tflite-int8{STRICT}": partial(
        Bare.tflite_integers,
        supported_ops=[tf.lite.OpsSet.TFLITE_BUILTINS_INT8],
        inference_input_type=tf.int8,
        inference_output_type=tf.int8,
    ),
    "onnx-float32": lambda bare: bare.onnx.read_bytes(),
    "onnx-float16": Bare.onnx_float16,
    f"onnx-float16{FLOATS}": partial(Bare.onnx_float16, keep_io_types=True),
    "onnx-dynamic": Bare.onnx_dynamic,
    "onnx-int8": Bare.onnx_static,
    f"onnx-int8{CHANNELS}": partial(Bare.onnx_static, per_channel=True),
    f"onnx-dynamic{STRICT}": partial(Bare.onnx_integers, name="onnx-dynamic"),
    f"onnx-int8{STRICT}": partial(Bare.onnx_integers, name="onnx-int8"),
}
