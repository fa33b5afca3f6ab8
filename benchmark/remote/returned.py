"""What comes back from another machine, kept as it comes.

`hosts/` in the artifacts folder: `<host>.json` of the last finished run, and the reports
made of it here; `<host>.partial/` of one under way or cut off. Nothing that is sent decides
where it is written, and results are read as strictly as any before a report shows them.
"""

import base64
import binascii
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.report.write import write_reports
from benchmark.results.read import read_run
from train.common.errors import ArtifactError
from train.common.files.staging import publish, staging

FOLDER = "hosts"
RESULT = "benchmark.json"
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,100}")
RESULT_NAME = re.compile(re.escape(RESULT))
MAX_BYTES = 500_000_000


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a report shows of the test data: pictures, if it is pictures, of data with a hash."""

    data_sha256: str
    pictures: np.ndarray | None


class Returned:
    """The files of one machine."""

    def __init__(self, artifacts: Path, name: str) -> None:
        self._folder = artifacts / FOLDER
        self._name = name
        self._left_bytes = MAX_BYTES
        self.partial = self._folder / f"{name}.partial"

    def start(self, *, resume: bool) -> None:
        """Makes the folder for raw results, an empty one unless a run is resumed."""
        if not resume:
            shutil.rmtree(self.partial, ignore_errors=True)
        self.partial.mkdir(parents=True, exist_ok=True)

    def keep(self, message: Mapping[str, Any]) -> None:
        """Keeps a file that a message brings; ignores other messages.

        Raises:
            ArtifactError: the benchmark writes no file of that name, or it is too large.
        """
        for kind, pattern in (("partial", FILE_NAME), ("result", RESULT_NAME)):
            if kind not in message:
                continue
            name, content = str(message[kind]), _decoded(message.get("content"))
            self._left_bytes -= len(content)
            if not pattern.fullmatch(name) or self._left_bytes < 0:
                raise ArtifactError(
                    f"the other machine sent {name[:100]!r}, {len(content):,} bytes, expected the "
                    f"benchmark's results, at most {MAX_BYTES:,} bytes; check what runs there"
                )
            self._write(self.partial / name, content)

    def publish(self, shown: Shown) -> Path | None:
        """Keeps the results of a finished run, with reports made of them; None if there are none.

        Raises:
            ArtifactError: they are not what the benchmark writes.
        """
        if not (self.partial / RESULT).is_file():
            if not self.has_partial():
                self.partial.rmdir()
            return None
        run = read_run(self.partial / RESULT)
        pictures = shown.pictures if run.data.sha256 == shown.data_sha256 else None
        if pictures is not None and len(pictures) != run.total:
            pictures = None
        with staging(self._folder) as staged:
            try:
                made = [self.partial / RESULT, *write_reports(run, pictures, staged)]
            except (LookupError, TypeError, ValueError, ArithmeticError) as error:
                raise ArtifactError(
                    f"{self.partial / RESULT} holds figures that do not fit together "
                    f"({error}), expected what `python -m benchmark` writes; check what runs there"
                ) from error
            ends = (path.name.removeprefix(Path(RESULT).stem) for path in made)
            named = [staged / f"{self._name}{end}" for end in ends]
            for path, name in zip(made, named, strict=True):
                path.replace(name)
            publish(named, self._folder)
        shutil.rmtree(self.partial)
        return self._folder / f"{self._name}.json"

    def has_partial(self) -> bool:
        """Returns whether something came back of a run that did not finish."""
        return self.partial.is_dir() and any(self.partial.iterdir())

    def _write(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(content)
        temporary.replace(path)


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ArtifactError(
            f"the other machine sent garbled content ({error}), expected the benchmark's results; "
            "check what runs there"
        ) from error
