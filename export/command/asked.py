"""What the options of `python -m export` ask for."""

from argparse import Namespace
from typing import TYPE_CHECKING

from export.formats.settings import ExportOptions
from export.model.request import ModelRequest
from train.common.errors import ToolkitError
from train.common.preprocessing import Preprocessing

if TYPE_CHECKING:
    from export.convert.job.job import Job


def export_options(options: Namespace) -> ExportOptions:
    """Returns what was asked of formats."""
    return ExportOptions(
        batch=options.batch,
        io=options.io,
        sparsity=options.sparsity,
        clusters=options.clusters,
        calibration_samples=options.calibration_samples,
        calibration_method=options.calibration_method,
        opset=options.opset,
        target_cpu=options.target_cpu,
        epochs=options.epochs,
        recurrent=options.recurrent,
        max_drop=options.max_drop,
        max_float_share=options.max_float_share,
        keep_metadata=options.keep_metadata or None,
    )


def custom_model_options(options: Namespace) -> list[str]:
    """Returns which options of a custom model and its data were given, by name."""
    given = {
        "--model": options.model,
        "--calibration": options.calibration,
        "--shape": options.shape,
        "--split-outputs": options.split_outputs,
        "--extract-preprocessing": options.extract_preprocessing,
        "--custom-objects": options.custom_objects,
        "--unsafe": options.unsafe,
        "--preprocess": options.preprocess,
        "--scale": options.scale,
        "--image-size": options.image_size,
        "--embed-preprocessing": options.embed_preprocessing,
    }
    return [name for name, value in given.items() if value]


def preprocessing_of(options: Namespace) -> dict[str, Preprocessing]:
    """Returns what raw values become, by the input's name, under the empty one for all others.

    Raises:
        ToolkitError: it is said twice.
    """
    preprocess: dict[str, Preprocessing] = dict(options.preprocess)
    if options.scale is not None:
        if preprocess:
            raise ToolkitError("got --scale and --preprocess; say it all with --preprocess")
        preprocess[""] = Preprocessing(scale=options.scale, offset=0.0)
    return preprocess


def model_of(options: Namespace) -> ModelRequest:
    """Returns the model of one's own that was named."""
    return ModelRequest(
        path=options.model,
        shapes=dict(options.shape),
        custom_objects=options.custom_objects,
        unsafe=options.unsafe,
        split_outputs=options.split_outputs,
        extract_preprocessing=options.extract_preprocessing,
    )


def job_of(options: Namespace) -> "Job":
    """Returns the model to export, and the data that go with it.

    Raises:
        ToolkitError: options of a custom model without one, or that contradict each other.
    """
    from export.convert.job.job import CustomJob, ReferenceJob

    if options.model is None:
        stray = custom_model_options(options)
        if stray:
            raise ToolkitError(f"got {stray[0]} without --model; give a model of your own, or none")
        return ReferenceJob(
            artifacts=options.artifacts,
            data=options.data,
            calibration_samples=options.calibration_samples,
        )
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
    preprocess = preprocessing_of(options)
    if options.embed_preprocessing and not preprocess:
        raise ToolkitError(
            "got --embed-preprocessing and nothing to embed; say what with --preprocess"
        )
    if options.embed_preprocessing and options.extract_preprocessing:
        raise ToolkitError(
            "got --embed-preprocessing and --extract-preprocessing; give one, or neither"
        )
    return CustomJob(
        artifacts=options.artifacts,
        request=model_of(options),
        calibration=options.calibration,
        calibration_samples=options.calibration_samples,
        image_size=options.image_size,
        preprocess=preprocess,
        embed=options.embed_preprocessing,
    )
