"""`python -m export`: converts the trained model and proves each file before writing it."""

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence

from export.formats import (
    ALIASES,
    ALL,
    FORMATS,
    TFLM,
    TFLM_MODEL,
    Format,
    select_formats,
    split_names,
)
from export.model.request import module_file
from export.options import own_model, own_options, parser
from export.own import OwnModel
from export.settings import ExportOptions, Settings, methods_of, resolve
from train.common.cli import DEFAULT_BUNDLE_IMAGES, run_command
from train.common.errors import ToolkitError


def main(arguments: Sequence[str]) -> int:
    """Parses, exports, prints a line a format; returns the exit code."""
    options = parser().parse_args(arguments)
    if options.list:
        print(format_list())
        return 0
    asked = ExportOptions(
        batch=options.batch,
        io=options.io,
        sparsity=options.sparsity,
        clusters=options.clusters,
        calibration_samples=options.calibration_samples,
        calibration_method=options.calibration_method,
        opset=options.opset,
        epochs=options.epochs,
    )
    if options.bundle is not None:
        own_given = set(own_options(options)) - {"--image-size"}
        if options.force or own_given or asked != ExportOptions():
            raise ToolkitError(
                "got --bundle with options of a conversion, expected --format at most, because a "
                "bundle takes exports as they are; export first, then bundle"
            )
        chosen = tuple(select_formats(options.format)) if options.format else None

        from export.deploy.bundle.build import BundleConfig, write_bundle

        config = BundleConfig(
            target=options.bundle,
            artifacts=options.artifacts,
            data=options.data,
            formats=chosen,
            images=options.bundle_images,
            image_size=options.image_size,
        )
        print(write_bundle(config))
        return 0
    if options.bundle_images != DEFAULT_BUNDLE_IMAGES:
        raise ToolkitError("got --bundle-images without --bundle; give both or neither")
    formats = select_formats(options.format, besides=(TFLM,))
    tflm, tflm_model = TFLM in split_names(options.format), FORMATS[TFLM_MODEL]
    if tflm and options.batch == "dynamic":
        raise ToolkitError(
            f"{TFLM}: got --batch dynamic, expected 1, TFLM's memory being fixed; leave one out"
        )
    settings = resolve([*formats, tflm_model] if tflm else formats, asked)
    own = own_model(options)
    if own is not None:
        return export_own(options, own, formats, settings, tflm=tflm)

    from export.current import current_manifest
    from export.deploy.microcontroller.package import is_current, package_current
    from train.common.native_output import captured_native_output
    from train.common.progress import progress
    from train.common.record import read_model_record

    # What needs no TensorFlow is said before its import: no model, nothing to do.
    record = read_model_record(options.artifacts)
    if record.request is not None:
        raise ToolkitError(
            f"{options.artifacts} holds exports of {record.file}, a model of your own; give it "
            "again with --model, and its data with --calibration"
        )
    if not options.force:
        old = [e for e in formats if not current_manifest(e, settings[e.name], record)]
        for entry in formats:
            if entry not in old:
                print(f"{entry.name:<28} is up to date; --force makes it again")
        formats = old
        if tflm and is_current(settings[TFLM_MODEL], record):
            print(f"{TFLM:<28} is up to date; --force makes it again")
            tflm = False
    if not formats and not tflm:
        return 0
    with progress() as report:
        model = current_manifest(tflm_model, settings[TFLM_MODEL], record) if tflm else None
        if model is not None and not formats:
            report.step(f"{TFLM}: looking for the smallest tensor arena")
            report.milestone(package_current(model, record, options.data))
            return 0
        report.step("loading TensorFlow")
        with captured_native_output():
            from export.pipeline import ExportConfig, export_formats
        export_config = ExportConfig(
            artifacts=options.artifacts,
            data=options.data,
            formats=formats,
            settings=settings,
            tflm=tflm,
            force=True,  # what is up to date is left out already
        )
        failures = export_formats(export_config, report)
    return said(failures)


def export_own(
    options: Namespace,
    own: OwnModel,
    formats: Sequence[Format],
    settings: Mapping[str, Settings],
    *,
    tflm: bool,
) -> int:
    """Exports a user's own model; returns the exit code."""
    from train.common.native_output import captured_native_output
    from train.common.progress import progress

    # Both say that there is no such model before TensorFlow is loaded.
    if own.request.kind == "callable":
        module_file(own.request.path.partition(":")[0])
    with progress() as report:
        report.step("loading TensorFlow")
        with captured_native_output():
            from export.pipeline import ExportConfig, export_formats
        config = ExportConfig(
            artifacts=options.artifacts,
            data=None,
            formats=formats,
            settings=settings,
            tflm=tflm,
            own=own,
            force=options.force,
        )
        failures = export_formats(config, report)
    return said(failures)


def said(failures: Mapping[str, ToolkitError]) -> int:
    """Prints why formats were not made; returns the exit code."""
    for error in failures.values():
        print(f"error: {error}", file=sys.stderr)
    return max((error.exit_code for error in failures.values()), default=0)


def format_list() -> str:
    """Returns the table of formats as text."""
    row = "{:<28} {:<8} {:<12} {:<22} {}"
    lines = [row.format("format", "weights", "activations", "needs", "suits")]
    lines += [
        row.format(entry.name, entry.weights, entry.activations, needs(entry), entry.suits)
        for entry in FORMATS.values()
    ]
    lines.append(
        row.format(
            *(TFLM, "int8", "int8", "calibration images"),
            f"microcontrollers: {TFLM_MODEL} as a C array, with its tensor arena",
        )
    )
    aliases = ", ".join(f"{alias} = {name}" for alias, name in ALIASES.items())
    return "\n".join([*lines, f"short: {aliases}, {ALL} = every one but {TFLM}"])


def needs(entry: Format) -> str:
    """Returns what a format needs besides the model: training or calibration images."""
    if entry.recipes:
        return "training images"
    return "calibration images" if methods_of(entry) else "–"


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
