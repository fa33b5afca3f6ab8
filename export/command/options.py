"""The options of `python -m export`."""

from pathlib import Path
from typing import TYPE_CHECKING

from export.command.argument_types import parse_preprocess, parse_scale, parse_size
from export.formats.calibration import CALIBRATION_METHODS
from export.formats.packages import (
    COMPILABLE,
    ETHOS_U,
    NPU,
    NPUS,
    OPTIMIZE,
    PACKAGED,
    TFLM,
    WASM,
    C,
)
from export.formats.select import ALL
from export.formats.settings import RECURRENT, WEIGHT_SCHEMES
from export.model.request import add_trust_options, parse_shape
from train.common.command.cli import (
    Parser,
    add_bundle_images,
    integer_between,
    names,
    number_between,
)

if TYPE_CHECKING:
    pass

DESCRIPTION = (
    "Converts a Keras model to TFLite and ONNX formats for devices, and verifies each file before "
    "it is written."
)
EXAMPLES = (
    ("--format all", "of the trained model"),
    ("--model my.keras --calibration photos/ --format all", "of your own"),
    ("--bundle edge.tar.gz", "for a device"),
)
MAX_SAMPLES = 1_000_000


def parser() -> Parser:
    """Returns the parser of the command's options."""
    found = Parser(prog="python -m export", description=DESCRIPTION, examples=EXAMPLES)
    add = found.group("what to export")
    add(
        "--format",
        action="append",
        default=[],
        metavar="NAME",
        help=f"a format's name, {ALL}, {TFLM} or {C} (C source for microcontrollers, with and "
        f"without an interpreter), {WASM} (for browsers), {ETHOS_U} (for Arm's NPUs), or several "
        "with commas; repeatable",
    )
    add(
        "--from",
        dest="made_of",
        type=names(*COMPILABLE),
        default=(),
        metavar="NAME",
        help=f"the format whose file {C}, {WASM} or {ETHOS_U} is made of; of {ETHOS_U} several, "
        f"with commas (default: {PACKAGED})",
    )
    add(
        "--npu",
        choices=NPUS,
        metavar="CONFIGURATION",
        help=f"the NPU that {ETHOS_U} is compiled for, {NPUS[0]} to {NPUS[-1]} (default: {NPU})",
    )
    add(
        "--optimize",
        choices=OPTIMIZE,
        help=f"what {C} packs pruned, clustered and 4-bit weights for (default: {OPTIMIZE[0]})",
    )
    add(
        "--from-tflite",
        type=Path,
        metavar="FILE",
        help=f"make {C}, {TFLM} or {ETHOS_U} of a .tflite file that this tool did not make, proven "
        "against itself on LiteRT, and against --model if that is given, into from-tflite/ in the "
        "artifacts folder",
    )
    add("--list", action="store_true", help="show the formats and exit")
    add(
        "--explain",
        metavar="NAME",
        help="say which operators cost an integer format its accuracy, and why; it is made first "
        "if it is not up to date",
    )
    add("--force", action="store_true", help="make again what is up to date already")
    _add_format_options(found)
    _add_model_options(found)
    _add_data_options(found)
    add = found.group("bundles")
    add(
        "--bundle",
        type=Path,
        metavar="DIR|FILE.tar.gz",
        help="convert nothing; write what a device needs to run and judge the exports that are "
        "there, or those of --format",
    )
    add_bundle_images(add)
    found.add_shared_arguments()
    return found


def _add_format_options(parser: Parser) -> None:
    add = parser.group("options of formats")
    add(
        "--batch",
        choices=("1", "dynamic"),
        help="batch dimension (default: 1 for TFLite, dynamic for ONNX)",
    )
    add(
        "--io",
        choices=("int8", "uint8", "float32"),
        help="input and output of integer TFLite models (default: int8, of int16x8: int16)",
    )
    add(
        "--sparsity",
        type=number_between(0.1, 0.95),
        metavar="SHARE",
        help="weights that pruning sets to zero (default: the first of 0.6, 0.4, 0.2 that passes "
        "verification)",
    )
    add(
        "--clusters",
        type=integer_between(2, 128),
        metavar="N",
        help="distinct weights that clustering leaves in each layer (default: 16)",
    )
    add(
        "--opset",
        type=integer_between(13, 18),
        metavar="N",
        help="ONNX opset (default: 18, of float16 15)",
    )
    add(
        "--target-cpu",
        choices=tuple(WEIGHT_SCHEMES),
        help="what weights of onnx-int8 and onnx-dynamic are stored for: this processor as it "
        "runs them (default), any, or one with VNNI or Arm's dot products",
    )
    add(
        "--recurrent",
        choices=RECURRENT,
        help="recurrent layers as one operator, as loops, or with all steps written out (default: "
        "auto, the best for the format)",
    )
    add(
        "--keep-metadata",
        action="store_true",
        help="TFLite files keep names of inner tensors, metadata and signatures: for "
        "get_signature_runner and for viewers that tell operators apart by name",
    )
    add(
        "--epochs",
        type=integer_between(1, 1_000),
        metavar="N",
        help="epochs of each fine-tuning step (default: 2 to 6, by the kind)",
    )
    add(
        "--max-drop",
        type=number_between(0.0001, 1),
        metavar="SHARE",
        help="accuracy that a mixed format may lose, by its 95 %% interval (default: 0.01)",
    )
    add(
        "--max-float-share",
        type=number_between(0, 1),
        metavar="SHARE",
        help="multiplications that a mixed format may leave in float (default: 0.3)",
    )
    add(
        "--calibration-samples",
        type=integer_between(1, MAX_SAMPLES),
        metavar="N",
        help="how many examples calibrate (default: 500)",
    )
    add(
        "--calibration-method",
        choices=CALIBRATION_METHODS,
        help="how ranges come from them (default: auto, the best on held-out examples)",
    )


def _add_model_options(parser: Parser) -> None:
    add = parser.group("a model of your own")
    add(
        "--model",
        metavar="PATH",
        help="a .keras, .h5 or .hdf5 file, a SavedModel folder, or package.module:callable that "
        "returns a model (default: the one that `python -m train` made)",
    )
    add(
        "--shape",
        action="append",
        default=[],
        type=parse_shape,
        metavar="NAME=1,96,96,3",
        help="fixes dimensions that an input leaves open; repeatable",
    )
    add(
        "--split-outputs",
        action="store_true",
        help="give what the model concatenates last as outputs of their own, each with its own "
        "scale: NAME_0, NAME_1 …",
    )
    add(
        "--extract-preprocessing",
        action="store_true",
        help="leave the Rescaling and Normalization that inputs go through first to the code that "
        "feeds them: an integer input has one scale for features of all units",
    )
    add_trust_options(add)


def _add_data_options(parser: Parser) -> None:
    add = parser.group("its data")
    add(
        "--calibration",
        metavar="PATH",
        help="examples, none of the test's: an .npz with arrays by input name (x, y if there is "
        "one), an .npy, a folder of images by class, or module:callable that yields batches",
    )
    add(
        "--image-size",
        type=parse_size,
        metavar="HxW",
        help="what pictures are brought to (default: the model's input)",
    )
    add(
        "--preprocess",
        action="append",
        default=[],
        type=parse_preprocess,
        metavar="[INPUT:]scale=1/255,mean=…,std=…",
        help="what raw values become: (raw * scale - mean) / std; a mean or std for each channel "
        "as 0.485:0.456:0.406; repeatable, for several inputs",
    )
    add("--scale", type=parse_scale, metavar="1/255", help="short for --preprocess scale=1/255")
    add(
        "--embed-preprocessing",
        action="store_true",
        help="put it into the exported graph, so that the device feeds raw values",
    )
