"""`python -m export`: converts a model and proves each file before writing it."""

from argparse import Namespace
from collections.abc import Sequence

from export.formats import (
    ALIASES,
    ALL,
    FORMATS,
    PACKAGED,
    PACKAGES,
    PROGRAMS,
    TFLM,
    WASM,
    C,
    Format,
    select_formats,
    split_names,
)
from export.model.request import trust_of
from export.options import custom_model_options, export_options, job_of, parser
from export.settings import ExportOptions, methods_of, resolve
from train.common.command.cli import DEFAULT_BUNDLE_IMAGES, run_program
from train.common.command.terminal import complain, printable
from train.common.errors import ToolkitError

# What a custom model's outputs on the test data may need, and no conversion is told by.
OF_A_BUNDLE = {"--image-size", "--model", "--custom-objects", "--unsafe"}


def main(arguments: Sequence[str]) -> int:
    """Parses, exports, prints one line per format; returns the exit code."""
    options = parser().parse_args(arguments)
    if options.list:
        print(format_list())
        return 0
    if options.bundle is not None:
        print(printable(bundle(options)))
        return 0
    if options.bundle_images != DEFAULT_BUNDLE_IMAGES:
        raise ToolkitError("got --bundle-images without --bundle; give both or neither")
    explain = explained_format(options)
    asked_for = [*options.format, explain.name] if explain else options.format
    formats = select_formats(asked_for, besides=PACKAGES)
    packages = [name for name in PACKAGES if name in split_names(options.format)]
    check_packages(options, packages)
    wanted = [*formats, *([FORMATS[options.made_of or PACKAGED]] if packages else [])]
    asked = export_options(options)
    resolve(wanted, asked)  # what matters to none of them is said before anything is read
    job = job_of(options)

    from export.guarded import export_guarded
    from export.pipeline import ExportConfig

    config = ExportConfig(
        job=job,
        formats=formats,
        options=asked,
        packages=packages,
        made_of=options.made_of,
        optimize=options.optimize,
        force=options.force,
        explain=explain,
    )
    failures = export_guarded(config)
    for error in failures.values():
        complain(error)
    return max((error.exit_code for error in failures.values()), default=0)


def check_packages(options: Namespace, packages: Sequence[str]) -> None:
    """Checks what was asked of C source and WebAssembly.

    Raises:
        ToolkitError: memory that is not fixed, or a file to make it of where none is.
    """
    if packages and options.batch == "dynamic":
        raise ToolkitError(
            f"{packages[0]}: got --batch dynamic, expected 1, its memory being fixed; leave one out"
        )
    for option, value, of in (
        ("--from", options.made_of, PROGRAMS),
        ("--optimize", options.optimize, (C,)),
    ):
        if value is not None and not set(of) & set(packages):
            raise ToolkitError(
                f"got {option} without --format {' or '.join(of)}; give both or neither"
            )


def explained_format(options: Namespace) -> Format | None:
    """Returns the format that `--explain` names; None without it.

    Raises:
        ToolkitError: it is none, or one whose operators are not looked at.
    """
    if options.explain is None:
        return None
    found = select_formats([options.explain])
    if len(found) != 1 or not found[0].calibrated or found[0].recipes:
        known = [each.name for each in FORMATS.values() if each.calibrated and not each.recipes]
        raise ToolkitError(
            f"--explain: got {options.explain!r}, expected one of {', '.join(known)}"
        )
    return found[0]


def bundle(options: Namespace) -> str:
    """Writes a bundle of exports that are there already; returns what is in it."""
    other_options = set(custom_model_options(options)) - OF_A_BUNDLE
    if (
        options.force
        or options.explain
        or other_options
        or export_options(options) != ExportOptions()
    ):
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
        trust=trust_of(options),
    )
    return write_bundle(config)


def format_list() -> str:
    """Returns the table of formats as text."""
    row = "{:<28} {:<8} {:<12} {:<19} {:<18} {}"
    lines = [row.format("format", "weights", "activations", "needs", "in a browser", "suits")]
    lines += [
        row.format(
            *(entry.name, entry.weights, entry.activations, needs(entry)),
            *(entry.in_browser, entry.suits),
        )
        for entry in FORMATS.values()
    ]
    lines += [
        row.format(name, "int8", "int8", "calibration images", browser, suits)
        for name, browser, suits in (
            (
                TFLM,
                "no",
                f"microcontrollers: {PACKAGED} as a C array for TFLM, with its arena",
            ),
            (C, "no", f"microcontrollers: {PACKAGED}, or --from, as C that needs no interpreter"),
            (WASM, "itself", f"browsers, Node and Deno: {PACKAGED}, or --from, as WebAssembly"),
        )
    ]
    aliases = ", ".join(f"{alias} = {name}" for alias, name in ALIASES.items())
    return "\n".join(
        [*lines, f"short: {aliases}, {ALL} = every one but mixed ones, {', '.join(PACKAGES)}"]
    )


def needs(entry: Format) -> str:
    """Returns what a format needs besides the model: training or calibration images."""
    if entry.recipes:
        return "training images"
    return "calibration images" if methods_of(entry) else "–"


if __name__ == "__main__":
    run_program(main, leave_at_once=True)
