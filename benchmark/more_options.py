"""More options of `python -m benchmark`: comparisons, a gate in CI, other machines, browsers."""

from pathlib import Path

from benchmark.report.gate import FAIL_ON
from train.common.command.cli import Parser, add_bundle_images, names

ACCELERATORS = ("wasm", "webgpu")


def add_comparisons(parser: Parser) -> None:
    """Adds what compares results files."""
    add = parser.group("compare runs")
    add(
        "--compare",
        type=Path,
        nargs="+",
        default=(),
        metavar="FILE",
        help="what changed from one results file to another, or to this run; exit code 1 if a row "
        "is gone or has a worse verdict, a significantly lower accuracy or higher latency",
    )
    add(
        "--merge",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="the results of several machines side by side",
    )


def add_gate(parser: Parser) -> None:
    """Adds what makes a gate in CI of a run."""
    add = parser.group("a gate in CI")
    add(
        "--junit",
        type=Path,
        metavar="FILE",
        help="JUnit XML: a test case for each row and each thing that it is judged by",
    )
    add(
        "--fail-on",
        type=names(*FAIL_ON),
        default=(),
        metavar="fail|inconclusive|regression",
        help="what exit code 1 is for, several with commas: a failed verdict, one that is "
        "inconclusive too, what got worse by --compare (default: all three)",
    )


def add_other_machine(parser: Parser) -> None:
    """Adds what measures on another machine."""
    add = parser.group("another machine")
    add(
        "--host",
        metavar="USER@HOST[:PORT]",
        help="measure there, by ssh: take a bundle there, run it, bring the results back into "
        "hosts/ in the artifacts folder",
    )
    add(
        "--remote-python",
        default="python3",
        metavar="PATH",
        help="with --host: the Python there (default: %(default)s)",
    )
    add(
        "--bundle",
        type=Path,
        metavar="DIR|FILE.tar.gz",
        help="with --host: a bundle made earlier (default: one of the exports that are there)",
    )
    add_bundle_images(add)


def add_browser(parser: Parser) -> None:
    """Adds what measures in a browser."""
    add = parser.group("a browser, as one more device")
    add(
        "--browser",
        nargs="?",
        const="",
        metavar="PATH",
        help="rows for every export in a Chromium or Chrome, without a window, by LiteRT.js and "
        "ONNX Runtime Web: this one, or one that is found",
    )
    add(
        "--serve",
        action="store_true",
        help="the same in a browser of a phone or a tablet: prints the address of the page to open "
        "there, with a QR code, and ends after one run",
    )
    add(
        "--listen",
        metavar="ADDRESS[:PORT]",
        help="with --serve: who can open the page; 0.0.0.0 for all in the network, who then "
        "see the exports and the test data if they know its address (default: this machine alone)",
    )
    add("--accelerator", choices=ACCELERATORS, help="what computes there (default: wasm)")
