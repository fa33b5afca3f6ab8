"""What a user may ask of a format beyond its name, and what of it matters to which format."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from export.formats.calibration import methods_of
from export.formats.table import FORMATS, UNTUNED, Format
from train.common.environment import read_environment
from train.common.errors import ToolkitError

DEFAULT_CALIBRATION_SAMPLES = 500
# The sparsest that passes verification is made: what a wide layer bears ruins a narrow one.
DEFAULT_SPARSITIES = (0.6, 0.4, 0.2)
# How ONNX files store weights of 8 bits, the cheapest for most kernels first. On x86-64 without
# VNNI, sums of products with signed ones overflow; with unsigned ones, or 7 bits, they never do.
SIGNED_WEIGHTS = ("int8 per tensor", "int8 per channel")
SAFE_WEIGHTS = ("uint8 per tensor", "uint8 per channel", "7-bit per channel")
# By the processor that they are for: the one that the export runs on, any, one with VNNI (or Arm).
THIS_CPU = "this"
WEIGHT_SCHEMES = {
    THIS_CPU: (*SIGNED_WEIGHTS, *SAFE_WEIGHTS),
    "any": SAFE_WEIGHTS,
    "vnni": (*SIGNED_WEIGHTS, *SAFE_WEIGHTS[:2]),
}
# Of TFLite int4 files: how many of the weights keep 8 bits, the smallest kernels first, until the
# file passes verification.
INT8_SHARES = (1 / 16, 1 / 4, 1 / 2)
# What becomes of recurrent layers: what is best for the format, one operator, a loop, or all steps
# written out.
RECURRENT = ("auto", "fused", "loop", "unrolled")
DEFAULT_CLUSTERS = 16
# Of mixed formats: the accuracy that may be lost, as much as the benchmark's default, and the share
# of the multiplications that may stay in float.
DEFAULT_MAX_DROP = 0.01
DEFAULT_MAX_FLOAT_SHARE = 0.3
DEFAULT_OPSET = 18
# ONNX Runtime computes half precision in float32 on CPUs, between casts; what has a newer opset's
# definition as a function, such as LeakyRelu of 16 and Relu of 18, it takes apart first: 1.4 times
# the time of a small network, and 2 to 4 dB less.
HALF_PRECISION_OPSET = 15
DEFAULT_EPOCHS = {"qat": 3, "pruned": 6, "clustered": 2}


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What the command line asked for; None leaves a format its default.

    Attributes:
        batch: `1` or `dynamic`.
        io: dtype of input and output of integer TFLite models.
        sparsity: share of weights that pruning sets to zero, 0…1.
        clusters: how many distinct weights clustering leaves in each layer.
        calibration_samples: how many training images calibrate.
        calibration_method: how ranges come from them; `auto` tries all that the converter has.
        opset: the ONNX operator set.
        target_cpu: what processor weights of ONNX files are stored for, of `WEIGHT_SCHEMES`.
        epochs: epochs of each fine-tuning step.
        recurrent: what becomes of recurrent layers, of `RECURRENT`.
        max_drop: most accuracy that a mixed format may lose, 0…1.
        max_float_share: share of the multiplications that it may leave in float, 0…1.
        keep_metadata: whether a `.tflite` file keeps what no runtime needs to run it.
    """

    batch: str | None = None
    io: str | None = None
    sparsity: float | None = None
    clusters: int | None = None
    calibration_samples: int | None = None
    calibration_method: str | None = None
    opset: int | None = None
    target_cpu: str | None = None
    epochs: int | None = None
    recurrent: str | None = None
    max_drop: float | None = None
    max_float_share: float | None = None
    keep_metadata: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options that matter to one format, resolved; None where one does not matter.

    `batch` is None where any batch size fits. `sparsities` and `int8_shares` are tried in order
    until one passes verification; of `weight_schemes` the best on held-out examples is kept.
    `float_operators` names what is to stay in float, as the converter knows it.
    """

    batch: int | None
    io_dtype: str
    sparsities: tuple[float, ...]
    weight_schemes: tuple[str, ...]
    int8_shares: tuple[float, ...]
    clusters: int | None
    calibration_samples: int | None
    calibration_methods: tuple[str, ...]
    opset: int | None
    target_cpu: str | None
    epochs: int | None
    recurrent: str = RECURRENT[0]
    max_drop: float | None = None
    max_float_share: float | None = None
    keep_metadata: bool = False
    float_operators: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Returns the settings that matter as a JSON object, for the manifest."""
        values = {key: value for key, value in asdict(self).items() if value not in (None, ())}
        values["batch"] = "dynamic" if self.batch is None else self.batch
        values.pop("weight_schemes", None)  # which follow from the target
        if self.recurrent == RECURRENT[0]:  # as in files of before that was an option
            del values["recurrent"]
        if not self.keep_metadata:
            del values["keep_metadata"]
        for name in ("calibration_methods", "sparsities", "int8_shares"):
            if name in values:
                values[name] = list(values[name])
        if self.target_cpu == THIS_CPU:  # on another, a file is not up to date
            values["target_cpu"] = f"{THIS_CPU}: {read_environment().byte_products}"
        return values


def resolve(
    formats: Sequence[Format], options: ExportOptions, own_batch: int | None = None
) -> dict[str, Settings]:
    """Returns the settings of each format by name.

    An option applies to the formats that it matters to.

    Args:
        formats: the formats.
        options: what was asked for.
        own_batch: the batch that the model declares, if any, which holds where none is asked for.

    Raises:
        ToolkitError: an option was given that matters to none of the formats.
    """
    for field in fields(options):
        value = getattr(options, field.name)
        if value is not None and not any(_takes(entry, field.name, value) for entry in formats):
            given = "" if value is True else f" {value}"
            raise ToolkitError(
                f"--{field.name.replace('_', '-')}{given} matters to none of "
                f"{', '.join(entry.name for entry in formats)}; leave it out or name a format "
                "that takes it (`python -m export --list`)"
            )
    return {entry.name: _settings(entry, options, own_batch) for entry in formats}


def untuned(settings: Settings) -> tuple[Format, Settings]:
    """Returns what a quantization-aware trained format is without training, with its settings."""
    entry, methods = FORMATS[UNTUNED], settings.calibration_methods
    options = ExportOptions(
        batch="dynamic" if settings.batch is None else str(settings.batch),
        io=settings.io_dtype,
        calibration_samples=settings.calibration_samples,
        calibration_method=None if len(methods) > 1 else methods[0],
        recurrent=settings.recurrent,
        keep_metadata=settings.keep_metadata or None,
    )
    return entry, _settings(entry, options)


def _takes(entry: Format, option: str, value: object) -> bool:
    """Returns whether an option's value matters to a format."""
    if option in ("batch", "recurrent"):
        return True
    if option == "io":
        return len(entry.io_dtypes) > 1 and value in entry.io_dtypes
    if option == "sparsity":
        return "pruned" in entry.recipes
    if option == "clusters":
        return "clustered" in entry.recipes
    if option == "calibration_samples":
        return entry.calibrated
    if option == "calibration_method":
        return value in methods_of(entry) or (value == "auto" and bool(methods_of(entry)))
    if option == "opset":
        return entry.family == "onnx"
    if option == "keep_metadata":
        return entry.family == "tflite"
    if option == "target_cpu":
        return _has_schemes(entry)
    if option in ("max_drop", "max_float_share"):
        return entry.mixed
    return bool(entry.recipes)  # epochs


def _has_schemes(entry: Format) -> bool:
    return entry.family == "onnx" and entry.weights == "int8"


def _settings(entry: Format, options: ExportOptions, own_batch: int | None = None) -> Settings:
    def chosen(option: str, default: Any) -> Any:
        value = getattr(options, option)
        return default if value is None or not _takes(entry, option, value) else value

    batch = chosen("batch", own_batch or ("1" if entry.family == "tflite" else "dynamic"))
    io_dtype = chosen("io", entry.io_dtypes[0])
    method = chosen("calibration_method", "auto")
    methods = methods_of(entry) if method == "auto" else (method,)
    target_cpu = chosen("target_cpu", THIS_CPU)
    opset = HALF_PRECISION_OPSET if entry.weights == "float16" else DEFAULT_OPSET
    sparsities = DEFAULT_SPARSITIES if options.sparsity is None else (options.sparsity,)
    return Settings(
        batch=None if batch == "dynamic" else int(batch),
        io_dtype=io_dtype,
        sparsities=sparsities if "pruned" in entry.recipes else (),
        weight_schemes=WEIGHT_SCHEMES[target_cpu] if _has_schemes(entry) else (),
        int8_shares=INT8_SHARES if entry.weights == "int4" else (),
        clusters=chosen("clusters", DEFAULT_CLUSTERS) if "clustered" in entry.recipes else None,
        calibration_samples=chosen("calibration_samples", DEFAULT_CALIBRATION_SAMPLES)
        if entry.calibrated
        else None,
        calibration_methods=methods,
        opset=chosen("opset", opset) if entry.family == "onnx" else None,
        target_cpu=target_cpu if _has_schemes(entry) else None,
        epochs=options.epochs if entry.recipes else None,
        recurrent=chosen("recurrent", RECURRENT[0]),
        max_drop=chosen("max_drop", DEFAULT_MAX_DROP) if entry.mixed else None,
        max_float_share=chosen("max_float_share", DEFAULT_MAX_FLOAT_SHARE) if entry.mixed else None,
        keep_metadata=chosen("keep_metadata", False),
    )
