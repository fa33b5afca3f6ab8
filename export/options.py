"""The options of `python -m export`. Light."""

from argparse import Namespace
from pathlib import Path

from export.formats import ALL, TFLM
from export.model.request import ModelRequest, parse_shape
from export.own import OwnModel, parse_preprocess, parse_scale, parse_size
from export.settings import CALIBRATION_METHODS
from train.common.cli import Parser, add_bundle_images, integer_between, number_between
from train.common.errors import ToolkitError
from train.common.preprocessing import Preprocessing

DESCRIPTION = "Converts a Keras model and proves each file before writing it."
MAX_SAMPLES = 1_000_000


def parser() -> Parser:
    """Returns the parser of the command's options."""
    found = Parser(prog="python -m export", description=DESCRIPTION)
    found.add_shared_arguments()
    found.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="NAME",
        help=f"what to make: a format's name, {ALL}, {TFLM}, or several with commas; repeatable",
    )
    found.add_argument("--list", action="store_true", help="show the formats and exit")
    found.add_argument("--force", action="store_true", help="make again what is up to date already")
    _add_own_model(found)
    found.add_argument(
        "--bundle",
        type=Path,
        metavar="DIR|FILE.tar.gz",
        help="convert nothing; write what a device needs to run and judge the exports that are "
        "there, or those of --format",
    )
    add_bundle_images(found.add_argument)
    found.add_argument(
        "--batch",
        choices=("1", "dynamic"),
        help="batch dimension (default: 1 for TFLite, dynamic for ONNX)",
    )
    found.add_argument(
        "--io",
        choices=("int8", "uint8", "float32"),
        help="input and output of integer TFLite models (default: int8, of int16x8: int16)",
    )
    found.add_argument(
        "--sparsity",
        type=number_between(0.1, 0.95),
        metavar="SHARE",
        help="weights that pruning sets to zero (default: the first of 0.6, 0.4, 0.2 that passes "
        "verification)",
    )
    found.add_argument(
        "--clusters",
        type=integer_between(2, 128),
        metavar="N",
        help="distinct weights that clustering leaves a layer (default: 16)",
    )
    found.add_argument(
        "--calibration-samples",
        type=integer_between(1, MAX_SAMPLES),
        metavar="N",
        help="training images that calibrate (default: 500)",
    )
    found.add_argument(
        "--calibration-method",
        choices=CALIBRATION_METHODS,
        help="how ranges come from them (default: auto, the best on held-out training images)",
    )
    found.add_argument(
        "--opset", type=integer_between(13, 18), metavar="N", help="ONNX opset (default: 18)"
    )
    found.add_argument(
        "--epochs",
        type=integer_between(1, 1_000),
        metavar="N",
        help="epochs of each fine-tuning step (default: 2 or 3, by the kind)",
    )
    return found


def _add_own_model(parser: Parser) -> None:
    """Adds the options of a model and data of the user's own."""
    add = parser.add_argument_group("a model of your own").add_argument
    add(
        "--model",
        metavar="PATH",
        help="a .keras, .h5 or .hdf5 file, a SavedModel folder, or package.module:callable that "
        "returns a model (default: the one that `python -m train` made)",
    )
    add(
        "--calibration",
        metavar="PATH",
        help="its data, none of the test's: an .npz with arrays by input name (x, y if there is "
        "one), an .npy, a folder of images by class, or module:callable that yields batches",
    )
    add(
        "--shape",
        action="append",
        default=[],
        type=parse_shape,
        metavar="NAME=1,96,96,3",
        help="fixes dimensions that an input leaves open; repeatable",
    )
    add("--custom-objects", metavar="MODULE", help="whose layers and functions the model uses")
    add(
        "--unsafe",
        action="store_true",
        help="run code that is inside the model's file, as of Lambda layers",
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
    add(
        "--image-size",
        type=parse_size,
        metavar="HxW",
        help="what pictures are brought to (default: the model's input)",
    )


def own_options(options: Namespace) -> list[str]:
    """Returns which options of a model of the user's own were given, by name."""
    given = {
        "--model": options.model,
        "--calibration": options.calibration,
        "--shape": options.shape,
        "--custom-objects": options.custom_objects,
        "--unsafe": options.unsafe,
        "--preprocess": options.preprocess,
        "--scale": options.scale,
        "--image-size": options.image_size,
        "--embed-preprocessing": options.embed_preprocessing,
    }
    return [name for name, value in given.items() if value]


def own_model(options: Namespace) -> OwnModel | None:
    """Returns the model that the options ask for; None for the one that `train` made.

    Raises:
        ToolkitError: options of a model of one's own without one, or that contradict each other.
    """
    if options.model is None:
        stray = own_options(options)
        if stray:
            raise ToolkitError(f"got {stray[0]} without --model; give a model of your own, or none")
        return None
    if options.data is not None:
        raise ToolkitError(
            "got --data with --model, expected --calibration, because exports never see test data; "
            "give --data to `python -m benchmark`"
        )
    for name, value in (("--model", options.model), ("--calibration", options.calibration)):
        if value is not None and not value.strip():
            raise ToolkitError(f"got an empty {name}, expected a path or module:callable; give one")
    shaped = [name for name, _ in options.shape]
    if len(set(shaped)) < len(shaped):
        raise ToolkitError(f"got --shape {', --shape '.join(shaped)}; give one for each input")
    preprocess = dict(options.preprocess)
    if options.scale is not None:
        if preprocess:
            raise ToolkitError("got --scale and --preprocess; say it all with --preprocess")
        preprocess[""] = Preprocessing(scale=options.scale, offset=0.0)
    if options.embed_preprocessing and not preprocess:
        raise ToolkitError(
            "got --embed-preprocessing and nothing to embed; say what with --preprocess"
        )
    return OwnModel(
        request=ModelRequest(
            path=options.model,
            shapes=dict(options.shape),
            custom_objects=options.custom_objects,
            unsafe=options.unsafe,
        ),
        calibration=options.calibration,
        calibration_samples=options.calibration_samples,
        image_size=options.image_size,
        preprocess=preprocess,
        embed=options.embed_preprocessing,
    )
