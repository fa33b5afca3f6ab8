"""A bundle → another machine → its results here."""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.remote.address import DEFAULT_PYTHON, Address, parse_address
from benchmark.remote.connection import NO_COMMAND, Connection
from benchmark.remote.returned import Returned, Shown
from export.data.test_data import open_evaluation
from export.deploy.bundle.archive import pack, unpack
from export.deploy.bundle.build import ARTIFACTS_FOLDER, BundleConfig, copy_bundle, write_bundle
from export.deploy.bundle.launcher import problem_with
from export.formats.table import FORMATS, RUNTIMES, Format
from export.model.request import NO_TRUST, Trust, add_trust_options
from train.common.command.cli import Parser, add_bundle_images
from train.common.command.interrupts import EXIT_INTERRUPTED
from train.common.command.terminal import printable
from train.common.errors import DEVICE_MODULES, ArtifactError, ToolkitError

MIN_PYTHON = (3, 11)
RUNTIME_MODULES = {"litert": "ai_edge_litert", "onnxruntime": "onnxruntime"}
EXIT_CODES = (0, 1, 2, EXIT_INTERRUPTED)
# The last line of a run: where the page is. Here that is another place.
PAGE_LINE = "All figures, as a page: "


@dataclass(frozen=True, kw_only=True)
class RemoteConfig:
    """One run on another machine.

    Attributes:
        host: the machine, `user@host:port`.
        python: its Python, as its shell finds it.
        bundle: a bundle made earlier, folder or `.tar.gz`; None to make one of the next four.
        artifacts: the folder with the exports; results are written into `hosts/` in it.
        data: the test data, or the folder of the data set; None to look for it.
        image_size: height and width that its pictures are brought to; None for the model's own.
        formats: what goes into the bundle; None for every export there is.
        images: how many test images go into it; None for all.
        arguments: of the benchmark there.
        resume: whether to continue a run that was cut off.
        trust: what may be run here of code that comes with the Keras model.
    """

    host: str
    python: str = DEFAULT_PYTHON
    bundle: Path | None
    artifacts: Path
    data: Path | None
    formats: tuple[Format, ...] | None
    images: int | None
    arguments: tuple[str, ...]
    resume: bool
    image_size: tuple[int, int] | None = None
    trust: Trust = NO_TRUST


def run_on_host(config: RemoteConfig) -> int:
    """Runs the benchmark on another machine, prints what it prints, and keeps its results.

    What comes back is on disk at once; if the run is cut off, it stays there.

    Returns:
        The exit code there.

    Raises:
        ToolkitError: the machine does not answer, lacks something, or the connection broke.
        ArtifactError: the bundle is not whole, or cannot be made.
        DataError: as `write_bundle`.
        KeyboardInterrupt: interrupted; its message says how to go on.
    """
    address = parse_address(config.host)
    returned = Returned(config.artifacts, address.name)
    resume = config.resume and returned.has_partial()
    with tempfile.TemporaryDirectory(prefix="edge-export-") as temporary:
        folder = _bundle(config, Path(temporary))
        modules = _modules(folder)
        test = open_evaluation(folder / ARTIFACTS_FOLDER, None, None, Path(temporary))
        shown = Shown(data_sha256=test.reference.data_sha256, pictures=test.pictures)
        if resume:
            shutil.copytree(returned.partial, folder / "artifacts" / "benchmark.partial")
        archive = Path(temporary) / "sent.tar.gz"
        pack(folder, archive, "bundle")
        packed = archive.read_bytes()
    arguments = [*config.arguments, *(["--resume"] if resume else [])]
    print(f"{config.host}: connecting", flush=True)
    with Connection(address, config.python, modules) as connection:
        answers = connection.answers()
        _check(next((m for m in answers if "python" in m), None), connection, address, config)
        returned.start(resume=resume)
        print(f"{config.host}: copying {len(packed) / 1e6:.1f} MB", flush=True)
        with _interruptible(connection, returned):
            request = {"size_bytes": len(packed), "arguments": arguments}
            connection.send(json.dumps(request).encode() + b"\n" + packed)
            code = _follow(answers, returned, address)
            if code is None:
                raise ToolkitError(
                    f"the connection to {config.host} was cut off ({connection.ending()[1]}); "
                    + _kept(returned)
                )
    path = returned.publish(shown)
    if code not in EXIT_CODES:
        raise ToolkitError(
            f"the benchmark on {config.host} ended by {code}, expected an exit code of "
            f"{', '.join(map(str, EXIT_CODES))}: it may lack memory; {_kept(returned)}"
        )
    if path is not None:
        page = path.with_suffix(".html").name
        print(printable(f"Brought back: {path}, and the page {page} beside it"))
    return code


def _bundle(config: RemoteConfig, temporary: Path) -> Path:
    """Returns a folder in `temporary` with a bundle, checked, whose code is this toolkit's."""
    folder = temporary / "bundle"
    if config.bundle is None:
        made = BundleConfig(
            target=folder,
            artifacts=config.artifacts,
            data=config.data,
            formats=config.formats,
            images=config.images,
            image_size=config.image_size,
            trust=config.trust,
        )
        write_bundle(made)
        return folder
    given = config.bundle
    if given.is_file():
        given = unpack(given, temporary / "unpacked")
    elif not given.is_dir():
        raise ArtifactError(f"{given} is not there; make it with `python -m export --bundle`")
    problem = problem_with(given)
    if problem is not None:
        raise ArtifactError(problem)
    copy_bundle(given, folder)
    return folder


def _modules(folder: Path) -> list[str]:
    """Returns what a bundle must be able to import."""
    names = [path.stem for path in (folder / ARTIFACTS_FOLDER).glob("*.json")]
    runtimes = {RUNTIMES[FORMATS[name].family] for name in names if name in FORMATS}
    unneeded = {module for name, module in RUNTIME_MODULES.items() if name not in runtimes}
    return [module for module in DEVICE_MODULES if module not in unneeded]


def _check(
    found: Mapping[str, Any] | None,
    connection: Connection,
    address: Address,
    config: RemoteConfig,
) -> None:
    """Checks that the agent runs there and has what a bundle needs.

    Raises:
        ToolkitError: it does not; the message names the command that fixes it.
    """
    if found is None:
        code, complaint = connection.ending()
        if code == NO_COMMAND:
            raise ToolkitError(
                f"{config.host} lacks Python: got {complaint!r}, expected {config.python}, 3.11 or "
                f"later; run `{address.by_hand('sudo apt-get install python3 python3-venv')}`, or "
                "name another with --remote-python"
            )
        raise ToolkitError(
            f"{config.host} does not answer as expected: {complaint}; try "
            f"`{address.by_hand(f'{config.python} --version')}`, which must ask for nothing"
        )
    try:
        version, missing = tuple(map(int, found["python"])), list(map(str, found["missing"]))
    except (LookupError, TypeError, ValueError) as error:
        raise ToolkitError(
            f"{config.host} answers, but not with its version ({error}); check what "
            f"{config.python} is there"
        ) from error
    if version < MIN_PYTHON:
        raise ToolkitError(
            f"{config.host}: got Python {'.'.join(map(str, version))} as {config.python}, expected "
            "3.11 or later; install one and name it with --remote-python"
        )
    if missing:
        raise ToolkitError(
            f"{config.host} lacks {', '.join(missing)}; {address.installing(config.python)}"
        )


def _follow(
    answers: Iterator[Mapping[str, Any]], returned: Returned, address: Address
) -> int | None:
    """Prints and keeps what arrives; returns the exit code there, None if the connection ended."""
    for message in answers:
        returned.keep(message)
        if "out" in message and not str(message["out"]).startswith(PAGE_LINE):
            print(printable(str(message["out"])), flush=True)
        elif "err" in message:
            print(printable(str(message["err"])), file=sys.stderr, flush=True)
        elif "problem" in message:
            raise ToolkitError(
                f"{address.destination}: {message['problem']}; free its disk, or set TMPDIR there"
            )
        elif isinstance(message.get("exit"), int):
            return int(message["exit"])
    return None


@contextmanager
def _interruptible(connection: Connection, returned: Returned) -> Iterator[None]:
    """Lets an interrupt end the run there, and takes what it still sends."""
    try:
        yield
    except KeyboardInterrupt:
        connection.finish()
        for message in connection.answers():
            returned.keep(message)
        raise KeyboardInterrupt(_kept(returned)) from None


def _kept(returned: Returned) -> str:
    if not returned.has_partial():
        return "nothing had come back yet; run it again"
    return f"what came back is in {returned.partial}; the same command with --resume goes on"


def passed_on(arguments: Sequence[str]) -> tuple[str, ...]:
    """Returns the arguments of the command line that the benchmark there gets too."""
    here = Parser(prog="python -m benchmark", description="")
    here.add_shared_arguments()
    add_bundle_images(here.add_argument)
    add_trust_options(here.add_argument)
    for name in (
        *("--host", "--remote-python", "--bundle", "--reports", "--image-size", "--model"),
    ):
        here.add_argument(name)
    here.add_argument("--resume", action="store_true")
    return tuple(here.parse_known_args(arguments)[1])
