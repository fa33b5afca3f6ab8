"""Odd files, each put where a command looks for one: one line or a row `error`, never a traceback.

`python -m tests.hostile` prints how many were handled; `tests/test_hostile.py` runs the same table.
"""

import gzip
import io
import json
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmark.measure.settings import MeasureSettings
from benchmark.measure.variants import find_manifests, find_variants
from benchmark.results.read import read_run
from export.data.test_data import open_evaluation
from export.deploy.bundle.archive import unpack
from export.deploy.bundle.launcher import problem_with, seal_of
from export.model.request import ModelRequest
from tests.bundles import write_inputs
from train.common.errors import ToolkitError
from train.common.files.artifact import sealed
from train.common.record import OUTPUTS_FILE, load_outputs, read_model_record
from train.repeat import recorded_options

Change = Callable[[Path], None]
SECONDS = 20.0
SETTINGS = MeasureSettings(samples=1_000, rounds=5, launches=1, max_seconds=1)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A file that is read: what reads it, given a folder with a sound one, and its name there.

    `read` returns what was said of the odd file; None where it was taken for a sound one.
    """

    name: str
    file: str
    read: Callable[[Path], str | None]


def fifo(path: Path) -> None:
    """A pipe that nobody writes to."""
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    """A folder."""
    path.unlink()
    path.mkdir()


def device(path: Path) -> None:
    """A device without an end."""
    path.unlink()
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    """A link to itself."""
    path.unlink()
    path.symlink_to(path)


def vanished(path: Path) -> None:
    """A link to nothing."""
    path.unlink()
    path.symlink_to(path.with_name("gone"))


def process_memory(path: Path) -> None:
    """A file whose size is not its length."""
    path.unlink()
    path.symlink_to("/proc/self/maps")


def written(content: bytes) -> Change:
    """Returns what writes these bytes."""

    def change(path: Path) -> None:
        path.write_bytes(content)

    return change


FILES: dict[str, Change] = {
    "pipe": fifo,
    "folder": folder,
    "device": device,
    "loop": loop,
    "vanished": vanished,
    "process memory": process_memory,
    "empty": written(b""),
    "text": written(b"hello"),
    "zeros": written(bytes(1000)),
    "gzip of zeros": written(gzip.compress(bytes(10_000_000))),
    "nested": written(b"[" * 100_000),
    "UTF-16": written('{"schema_version": 1}'.encode("utf-16")),
    "half a character": written(b'{"schema_version": 1, "a": "\\ud800"}'),
    "infinite": written(b'{"schema_version": 1, "a": 1e999}'),
    "NaN": written(b'{"schema_version": 1, "a": NaN}'),
    "twice": written(b'{"schema_version": 1, "schema_version": 1}'),
    "long number": written(b'{"schema_version": 1, "a": ' + b"9" * 5_000 + b"}"),
    "true version": written(b'{"schema_version": true}'),
    "a list": written(b"[]"),
}
VALUES: tuple[object, ...] = (
    *(None, True, -1, 0, 1.5, 10**400, 1e300, "", "x", "\x00", "\x1b[2J", "../x", "a" * 5_000),
    *([], [[]], [None], {}, {"x": None}, {"": {}}),
)


def _in_json(name: str, value: object, seal: Callable[[Mapping[str, Any]], Any]) -> Change:
    """Returns what gives a field another value and seals the file again."""

    def change(path: Path) -> None:
        content = json.loads(path.read_bytes())
        content[name] = value
        path.write_text(json.dumps(seal(content)))

    return change


def _members(**arrays: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in arrays.items():
            file.writestr(f"{name}.npy", content)
    return archive.getvalue()


def _npy(values: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=True)
    return file.getvalue()


def _encrypted(content: bytes) -> bytes:
    """Sets the flag of encryption of every member."""
    found = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = found.find(mark)
        while at >= 0:
            found[at + offset] |= 1
            at = found.find(mark, at + 4)
    return bytes(found)


ABOUT = json.dumps({"outputs": ["a"]})
ARCHIVES: dict[str, bytes] = {
    "no members": _members(),
    "pickle": _members(about=_npy(np.array([{"a": print}], object))),
    "lies of its size": _members(about=_npy("x"), output0=_npy(np.zeros(3))[:-8]),
    "text that is no JSON": _members(about=_npy("x")),
    "lacks fields": _members(about=_npy(ABOUT)),
    "encrypted": _encrypted(_members(about=_npy(ABOUT))),
    "a member of zeros": _members(about=bytes(10_000_000)),
    "header of terabytes": _members(
        about=_npy("x")[:128].replace(b"'shape': ()", b"'shape': (9999999999,)")
    ),
}


def said_of_manifest(place: Path) -> str | None:
    """Returns the problem of the row of a manifest that was changed."""
    found = open_evaluation(place / "artifacts", place / "images", None, _scratch(place))
    manifests = find_manifests(place / "artifacts", None)
    with patch("benchmark.measure.variants.check_kept"):  # the files here hold no model
        variants = find_variants(manifests, SETTINGS, found.reference, found.samples)
    return next(v.problem for v in variants if v.format == "tflite-int8")


def said_of_bundle(place: Path) -> str | None:
    """Returns what the launcher says of a bundle."""
    return problem_with(place / "edge")


def _scratch(place: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=place))


def _refusal(read: Callable[[Path], object]) -> Callable[[Path], str | None]:
    def said(place: Path) -> str | None:
        try:
            read(place)
        except ToolkitError as error:
            return str(error)
        return None

    return said


PLACES = (
    Place(name="manifest", file="artifacts/tflite-int8.json", read=said_of_manifest),
    Place(name="exported file", file="artifacts/tflite-int8.tflite", read=said_of_manifest),
    Place(
        name="reference outputs",
        file=f"artifacts/{OUTPUTS_FILE}",
        read=_refusal(lambda place: load_outputs(place / "artifacts", _scratch(place))),
    ),
    Place(
        name="record",
        file="artifacts/model.json",
        read=_refusal(lambda place: read_model_record(place / "artifacts")),
    ),
    Place(
        name="--from",
        file="artifacts/model.json",
        read=_refusal(lambda place: recorded_options(place / "artifacts" / "model.json")),
    ),
    Place(
        name="results",
        file="artifacts/benchmark.json",
        read=_refusal(lambda place: read_run(place / "artifacts" / "benchmark.json")),
    ),
    Place(
        name="model",
        file="artifacts/model.keras",
        read=_refusal(
            lambda place: ModelRequest(path=str(place / "artifacts" / "model.keras")).kind
        ),
    ),
    Place(
        name="images",
        file="images/images.npy",
        read=_refusal(
            lambda place: open_evaluation(
                place / "artifacts", place / "images", None, _scratch(place)
            )
        ),
    ),
    Place(
        name="archive",
        file="edge.tar.gz",
        read=_refusal(lambda place: unpack(place / "edge.tar.gz", _scratch(place))),
    ),
    Place(name="bundle's list", file="edge/bundle.json", read=said_of_bundle),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """An odd file in a place."""

    place: Place
    what: str
    change: Change
    may_be_sound: bool = False

    @property
    def name(self) -> str:
        """What it is, and where."""
        return f"{self.place.name}: {self.what}"

    def run(self) -> str | None:
        """Returns what is wrong with how it was handled; None if it was handled well."""
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            _write_sound(folder, self.place.file)
            self.change(folder / self.place.file)
            started = time.monotonic()
            try:
                said = self.place.read(folder)
            except Exception as error:  # noqa: BLE001 - a traceback is what it looks for
                return f"{type(error).__name__}: {error}"
        if time.monotonic() - started > SECONDS:
            return "it took too long"
        if said is None and not self.may_be_sound:
            return "it was taken for a sound one"
        return None


def _write_sound(folder: Path, file: str) -> None:
    """Writes exports, their data, and a file of some name if it is none of these."""
    write_inputs(folder)
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_text("{}")


def cases() -> Iterator[Case]:
    """Yields the table."""
    for place in PLACES:
        for what, change in FILES.items():
            # any bytes may be a model, until it is loaded
            sound = place.name == "model"
            yield Case(place=place, what=what, change=change, may_be_sound=sound)
    outputs = next(place for place in PLACES if place.name == "reference outputs")
    for what, content in ARCHIVES.items():
        yield Case(place=outputs, what=what, change=written(content))
    manifest = PLACES[0]
    with _sound_file(manifest) as path:
        fields = [name for name in json.loads(path.read_bytes()) if name != "seal"]
    for name in fields:
        for value in VALUES:
            change = _in_json(name, value, sealed)
            what = f"{name} = {str(value)[:20]!r}"
            yield Case(place=manifest, what=what, change=change, may_be_sound=True)
    listing = PLACES[-1]
    for name in ("schema_version", "files"):
        for value in VALUES:
            change = _in_json(name, value, lambda found: {**found, "seal": seal_of(dict(found))})
            what = f"{name} = {str(value)[:20]!r}"
            yield Case(place=listing, what=what, change=change, may_be_sound=True)


@contextmanager
def _sound_file(place: Place) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as temporary:
        _write_sound(Path(temporary), place.file)
        yield Path(temporary) / place.file


def main() -> int:
    """Prints what was not handled, and how many were; returns the exit code."""
    every = list(cases())
    wrong = {case.name: said for case in every if (said := case.run()) is not None}
    for name, said in wrong.items():
        print(f"{name}: {said}")
    print(f"{len(every) - len(wrong)} of {len(every)} odd files were handled")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
