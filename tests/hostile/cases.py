"""The table of odd files and the places where each is put."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from export.deploy.bundle.launcher import seal_of
from tests.bundles import write_inputs
from tests.hostile.files import ARCHIVES, FILES, VALUES, Change, in_json, written
from tests.hostile.places import PLACES, Place
from train.common.files.artifact import sealed

SECONDS = 20.0


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
            change = in_json(name, value, sealed)
            what = f"{name} = {str(value)[:20]!r}"
            yield Case(place=manifest, what=what, change=change, may_be_sound=True)
    listing = PLACES[-1]
    for name in ("schema_version", "files"):
        for value in VALUES:
            change = in_json(name, value, lambda found: {**found, "seal": seal_of(dict(found))})
            what = f"{name} = {str(value)[:20]!r}"
            yield Case(place=listing, what=what, change=change, may_be_sound=True)


@contextmanager
def _sound_file(place: Place) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as temporary:
        _write_sound(Path(temporary), place.file)
        yield Path(temporary) / place.file
