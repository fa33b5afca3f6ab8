"""`python -m export`: converts the trained model and proves each file before writing it."""

import sys
from collections.abc import Sequence

from export.formats import ALIASES, ALL, FORMATS, Format, select_formats
from train.cli import Parser, run_command


def main(arguments: Sequence[str]) -> int:
    """Parses, exports, prints a line a format; returns the exit code."""
    parser = Parser(prog="python -m export", description=__doc__)
    parser.add_shared_arguments()
    parser.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="NAME",
        help=f"what to make: a format's name, {ALL}, or several joined by commas; repeatable",
    )
    parser.add_argument("--list", action="store_true", help="show the formats and exit")
    options = parser.parse_args(arguments)
    if options.list:
        print(format_list())
        return 0
    formats = select_formats(options.format)

    from train.native_output import captured_native_output
    from train.progress import progress
    from train.record import read_model_record

    read_model_record(options.artifacts)  # no model is said at once, not after TensorFlow's import
    with progress() as report:
        report.step("loading TensorFlow")
        with captured_native_output():
            from export.pipeline import ExportConfig, export_formats
        config = ExportConfig(artifacts=options.artifacts, data=options.data, formats=formats)
        failures = export_formats(config, report)
    for error in failures.values():
        print(f"error: {error}", file=sys.stderr)
    return max((error.exit_code for error in failures.values()), default=0)


def format_list() -> str:
    """Returns the table of formats as text."""
    lines = [f"{'format':<16} {'weights':<8} {'activations':<12} suits"]
    lines += [
        f"{entry.name:<16} {entry.weights:<8} {entry.activations:<12} {needs(entry)}{entry.suits}"
        for entry in FORMATS.values()
    ]
    aliases = ", ".join(f"{alias} = {name}" for alias, name in ALIASES.items())
    return "\n".join([*lines, f"short: {aliases}, {ALL} = every one"])


def needs(entry: Format) -> str:
    """Returns what a format needs besides the model, as a prefix of its line."""
    return "(calibrated) " if entry.calibrated else ""


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
