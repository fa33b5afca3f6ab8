"""The table of export formats.

A name is `<family>-<scheme>`, the same string in the CLI, the file stem, the manifest, the
results and the README. Adding a TFLite variant is one entry here.
"""

from dataclasses import dataclass
from typing import Literal

Family = Literal["tflite", "onnx"]
Runtime = Literal["litert", "onnxruntime"]
Weights = Literal["float32", "float16", "int8", "int4"]
Activations = Literal["float32", "float16", "dynamic", "int8", "int16"]
Dtype = Literal["float32", "int16", "int8", "uint8"]
Recipe = Literal["pruned", "clustered", "qat"]

BITS_PER_WEIGHT: dict[Weights, int] = {"float32": 32, "float16": 16, "int8": 8, "int4": 4}
RUNTIMES: dict[Family, Runtime] = {"tflite": "litert", "onnx": "onnxruntime"}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far a file may be from its Keras model on held-out training images.

    Attributes:
        agreement: least share of images on which it predicts the model's class, 0…1.
        accuracy_drop: most accuracy it may lose, 0…1.
        max_abs_error: largest difference of any output to the model's, 0…1.
        snr_db: least signal-to-noise ratio of its outputs, the model's being the signal.
        cosine: least mean cosine similarity of its outputs to the model's, -1…1.
    """

    agreement: float
    accuracy_drop: float
    max_abs_error: float
    snr_db: float
    cosine: float


LOSSLESS = Limits(
    agreement=0.999, accuracy_drop=0.002, max_abs_error=1e-4, snr_db=80, cosine=0.99999
)
HALF = Limits(agreement=0.997, accuracy_drop=0.005, max_abs_error=0.1, snr_db=40, cosine=0.9999)
# Of weights of 8 bits, whatever the activations: a file that keeps more of them is not to be
# refused for what a coarser one of the same weights may do.
BYTE = Limits(agreement=0.97, accuracy_drop=0.01, max_abs_error=0.6, snr_db=18, cosine=0.99)
NIBBLE = Limits(agreement=0.93, accuracy_drop=0.015, max_abs_error=0.9, snr_db=10, cosine=0.97)
RETRAINED = Limits(agreement=0.93, accuracy_drop=0.01, max_abs_error=1.0, snr_db=10, cosine=0.97)


@dataclass(frozen=True, kw_only=True)
class Format:
    """One way to store the model for a device.

    Attributes:
        name: the format's name everywhere.
        weights: precision of the stored weights.
        activations: precision of the values between operators; `dynamic` is int8 with ranges
            found at run time, input by input.
        recipes: what the model is fine-tuned with before it is converted, in this order.
        limits: what verification demands of it.
        suits: what hardware it is for.
    """

    name: str
    weights: Weights
    activations: Activations
    recipes: tuple[Recipe, ...] = ()
    limits: Limits
    suits: str

    @property
    def family(self) -> Family:
        """The family in its name; it decides suffix and runtime."""
        return "tflite" if self.name.startswith("tflite-") else "onnx"

    @property
    def suffix(self) -> str:
        """The file's suffix."""
        return f".{self.family}"

    @property
    def runtime(self) -> Runtime:
        """The runtime that runs it."""
        return RUNTIMES[self.family]

    @property
    def calibrated(self) -> bool:
        """Whether a representative dataset fixes the ranges of its activations."""
        return self.activations in ("int8", "int16")

    @property
    def mixed(self) -> bool:
        """Whether operators that lose too much as integers stay in float."""
        return self.name.endswith(MIXED)

    @property
    def in_browser(self) -> str:
        """How LiteRT.js or ONNX Runtime Web run it: as it is, or with another option."""
        if self.io_dtypes[0] == "float32":
            return "yes"
        return "with --io float32" if "float32" in self.io_dtypes else "no"

    @property
    def io_dtypes(self) -> tuple[Dtype, ...]:
        """The dtypes that input and output can have, the default first."""
        if self.family == "tflite" and self.mixed:
            return ("float32", "int8", "uint8")  # a device that computes in float anyway
        if self.family == "tflite" and self.activations == "int8":
            return ("int8", "uint8", "float32")
        if self.family == "tflite" and self.activations == "int16":
            return ("int16", "float32")
        return ("float32",)


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format(
            name="tflite-float32",
            weights="float32",
            activations="float32",
            limits=LOSSLESS,
            suits="any CPU; the reference for the other TFLite formats",
        ),
        Format(
            name="tflite-float16",
            weights="float16",
            activations="float32",
            limits=HALF,
            suits="GPUs and CPUs with half-precision arithmetic; half the flash",
        ),
        Format(
            name="tflite-dynamic",
            weights="int8",
            activations="dynamic",
            limits=BYTE,
            suits="CPUs, without calibration data; a quarter of the flash",
        ),
        Format(
            name="tflite-int8",
            weights="int8",
            activations="int8",
            limits=BYTE,
            suits="microcontrollers, NPUs, DSPs and CPUs; no float arithmetic at all",
        ),
        Format(
            name="tflite-int8-mixed",
            weights="int8",
            activations="int8",
            limits=BYTE,
            suits="CPUs, where tflite-int8 loses too much: the fewest operators stay in float",
        ),
        Format(
            name="tflite-int16x8",
            weights="int8",
            activations="int16",
            limits=BYTE,
            suits="DSPs and microcontrollers that need more than int8 carries; slow on CPUs",
        ),
        Format(
            name="tflite-int8-qat",
            weights="int8",
            activations="int8",
            recipes=("qat",),
            limits=RETRAINED,
            suits="as tflite-int8, where post-training quantization costs too much accuracy",
        ),
        Format(
            name="tflite-int8-pruned",
            weights="int8",
            activations="int8",
            recipes=("pruned",),
            limits=RETRAINED,
            suits="as tflite-int8, where the file is compressed for storage or download",
        ),
        Format(
            name="tflite-int8-clustered",
            weights="int8",
            activations="int8",
            recipes=("clustered",),
            limits=RETRAINED,
            suits="as tflite-int8, compressed files; NPUs that decompress weight palettes",
        ),
        Format(
            name="tflite-int8-pruned-clustered",
            weights="int8",
            activations="int8",
            recipes=("pruned", "clustered"),
            limits=RETRAINED,
            suits="as tflite-int8, the smallest compressed file",
        ),
        Format(
            name="tflite-int4",
            weights="int4",
            activations="int8",
            limits=NIBBLE,
            suits="as tflite-int8, with dense and convolution kernels in 4 bits but for small ones "
            "and the last; about an eighth of the flash",
        ),
        Format(
            name="onnx-float32",
            weights="float32",
            activations="float32",
            limits=LOSSLESS,
            suits="any machine that ONNX Runtime runs on",
        ),
        Format(
            name="onnx-float16",
            weights="float16",
            activations="float16",
            limits=HALF,
            suits="GPUs and NPUs with half-precision arithmetic; half the disk",
        ),
        Format(
            name="onnx-dynamic",
            weights="int8",
            activations="dynamic",
            limits=BYTE,
            suits="CPUs, without calibration data; a quarter of the disk",
        ),
        Format(
            name="onnx-int8",
            weights="int8",
            activations="int8",
            limits=BYTE,
            suits="x86-64, best with VNNI, and ARM with dot product; a quarter of the disk",
        ),
        Format(
            name="onnx-int8-mixed",
            weights="int8",
            activations="int8",
            limits=BYTE,
            suits="as onnx-int8, where that loses too much: the fewest operators stay in float",
        ),
    )
}

MIXED = "-mixed"
# What a quantization-aware trained model is without the training.
UNTUNED = "tflite-int8"
