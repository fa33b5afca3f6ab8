"""`python -m export`: converts a model and proves each file before writing it."""

from argparse import Namespace
from collections.abc import Iterator, Sequence

from export.command.asked import (
    custom_model_options,
    export_options,
    job_of,
    model_of,
    preprocessing_of,
)
from export.command.options import parser
from export.formats.calibration import methods_of
from export.formats.packages import (
    ETHOS_U,
    MADE_FROM,
    NPU,
    PACKABLE,
    PACKAGED,
    PACKAGES,
    PROGRAMS,
    TFLM,
    WASM,
    C,
    PackageRequest,
)
from export.formats.select import ALIASES, ALL, select_formats, split_names
from export.formats.settings import ExportOptions, resolve
from export.formats.table import FORMATS, Format
from export.model.request import trust_of
from train.common.command.cli import DEFAULT_BUNDLE_IMAGES, run_program
from train.common.command.terminal import complain, printable
from train.common.errors import ToolkitError

# What a custom model's outputs on the test data may need, and no conversion is told by.
OF_A_BUNDLE = {"--image-size", "--model", "--custom-objects", "--unsafe"}
# Of `--from-tflite`.
OF_A_FILE = ("--calibration", "--preprocess", "--scale", "--image-size", "--model")
OF_ITS_MODEL = (
    "--custom-objects",
    "--unsafe",
    "--shape",
    "--split-outputs",
    "--extract-preprocessing",
)


def main(arguments: Sequence[str]) -> int:
    """Parses, exports, prints one line per format; returns the exit code."""
    options = parser().parse_args(arguments)
    if options.list:
        print(format_list())
        return 0
    if options.from_tflite is not None:
        return of_foreign_file(options)
    if options.bundle is not None:
        print(printable(bundle(options)))
        return 0
    if options.bundle_images != DEFAULT_BUNDLE_IMAGES:
        raise ToolkitError("got --bundle-images without --bundle; give both or neither")
    explain = explained_format(options)
    asked_for = [*options.format, explain.name] if explain else options.format
    formats = select_formats(asked_for, besides=PACKAGES)
    kinds = [name for name in PACKAGES if name in split_names(options.format)]
    check_packages(options, kinds)
    packages = list(package_requests(options, kinds))
    wanted = [*formats, *(FORMATS[each.made_of] for each in packages)]
    asked = export_options(options)
    resolve(wanted, asked)  # what matters to none of them is said before anything is read
    job = job_of(options)

    from export.command.guarded import export_guarded
    from export.pipeline import ExportConfig

    config = ExportConfig(
        job=job,
        formats=formats,
        options=asked,
        packages=packages,
        force=options.force,
        explain=explain,
    )
    failures = export_guarded(config)
    for error in failures.values():
        complain(error)
    return max((error.exit_code for error in failures.values()), default=0)


def package_requests(options: Namespace, kinds: Sequence[str]) -> Iterator[PackageRequest]:
    """Yields what is to be made of formats' files."""
    for kind in kinds:
        origins = options.made_of if kind in MADE_FROM else ()
        for made_of in origins or (PACKAGED,):
            yield PackageRequest(
                kind=kind,
                made_of=made_of,
                optimize=options.optimize if kind == C else None,
                npu=options.npu or NPU,
            )


def of_foreign_file(options: Namespace) -> int:
    """Makes packages of a `.tflite` file from elsewhere; returns the exit code.

    Raises:
        ToolkitError: another format is asked for, or an option of a conversion.
    """
    kinds = list(dict.fromkeys(split_names(options.format)))
    if not kinds or not set(kinds) <= {C, TFLM, ETHOS_U}:
        raise ToolkitError(
            f"got --from-tflite with --format {','.join(kinds) or '…'}, expected {C}, {TFLM} or "
            f"{ETHOS_U}; nothing else is made of a file that is made already"
        )
    check_packages(options, kinds)
    stray = set(custom_model_options(options)) - set(OF_A_FILE)
    if options.model is not None:
        stray -= set(OF_ITS_MODEL)
    if (
        options.made_of
        or options.explain
        or options.bundle
        or export_options(options) != (ExportOptions())
    ):
        stray.add("options of a conversion")
    if stray:
        raise ToolkitError(
            f"got --from-tflite with {', '.join(sorted(stray))}, expected "
            f"{', '.join(OF_A_FILE)} at most, because nothing is converted"
        )

    from export.deploy.foreign.guarded import package_foreign
    from export.deploy.foreign.package import ForeignRequest

    request = ForeignRequest(
        path=options.from_tflite,
        artifacts=options.artifacts,
        optimize=options.optimize,
        npu=options.npu or NPU,
        calibration=options.calibration,
        image_size=options.image_size,
        preprocess=preprocessing_of(options),
        model=None if options.model is None else model_of(options),
    )
    failures = package_foreign(request, kinds)
    for error in failures.values():
        complain(error)
    return max((error.exit_code for error in failures.values()), default=0)


def check_packages(options: Namespace, packages: Sequence[str]) -> None:
    """Checks what was asked of C source, WebAssembly and files for NPUs.

    Raises:
        ToolkitError: memory that is not fixed, or a file to make it of where none is.
    """
    if packages and options.batch == "dynamic":
        raise ToolkitError(
            f"{packages[0]}: got --batch dynamic, expected 1, its memory being fixed; leave one out"
        )
    for option, value, of in (
        ("--from", options.made_of, MADE_FROM),
        ("--optimize", options.optimize, (C,)),
        ("--npu", options.npu, (ETHOS_U,)),
    ):
        if value and not set(of) & set(packages):
            raise ToolkitError(
                f"got {option} without --format {' or '.join(of)}; give both or neither"
            )
    for program in PROGRAMS:
        origins = options.made_of
        if program in packages and (len(origins) > 1 or not set(origins) <= set(PACKABLE)):
            raise ToolkitError(
                f"got --from {','.join(origins)} with --format {program}, expected one of "
                f"{', '.join(PACKABLE)}; make {ETHOS_U} in a command of its own"
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
            (ETHOS_U, "no", f"Arm's NPUs: {PACKAGED}, or --from, compiled for --npu"),
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
