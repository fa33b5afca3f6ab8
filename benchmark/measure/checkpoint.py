"""Raw results on disk as they arrive, so that a run that was cut off can be resumed.

A folder beside the artifacts: `run.json` says what the run is, `<row>.json` and the files
`<row>.output0.npy`, … hold what loading and all examples gave, `round-<n>.json` the timed calls of
one round. Each file is written in full and then renamed; a file that is there is whole.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.measure.variants import Variant
from train.common.environment import Environment
from train.common.errors import ArtifactError, DataError, damaged
from train.common.files.artifact import read_json, write_json
from train.common.files.npy import open_npy
from train.common.files.open import MAX_JSON_BYTES, parse_json, read_bounded
from train.common.reference_outputs import ReferenceOutputs

FOLDER = "benchmark.partial"
SCHEMA_VERSION = 1
ANEW = "run without --resume to start anew"


def identity_of(
    settings: Mapping[str, Any],
    variants: Iterable[Variant],
    reference: ReferenceOutputs,
    environment: Environment,
) -> dict[str, Any]:
    """Returns what raw results depend on; results that differ in it are never mixed."""
    return {
        "machine": environment.as_json(),
        "settings": settings,
        "model": reference.model_sha256,
        "data": reference.inputs_sha256,
        "exports": {s.key: s.manifest and s.manifest.sha256 for s in variants},
        "added": {s.key: s.added for s in variants if s.added is not None},
    }


@contextmanager
def garbled_results(artifacts: Path, *, resumed: bool) -> Iterator[None]:
    """Says of what results of an earlier run make fail that these are garbled.

    They hold whatever workers answered, which nothing declares, and a stranger may have changed
    them.

    Raises:
        ArtifactError: in place of what missing keys and other types raise.
    """
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        if not resumed:
            raise
        raise ArtifactError(
            f"{artifacts / FOLDER} holds other results than a run keeps "
            f"({type(error).__name__}: {error}); {ANEW}"
        ) from error


class PartialResults:
    """The raw results of one run."""

    def __init__(self, artifacts: Path, identity: Mapping[str, Any], *, resume: bool) -> None:
        """Starts anew, or resumes.

        Args:
            artifacts: the artifacts folder.
            identity: all that the raw results depend on, a JSON object; results of runs that
                differ in it are never mixed.
            resume: whether to resume; starts anew where there is nothing to resume.

        Raises:
            ArtifactError: `resume`, and what is there is another run.
        """
        self._folder = artifacts / FOLDER
        run = self._folder / "run.json"
        if resume and run.is_file():
            found = read_json(run, schema_version=SCHEMA_VERSION, remedy=ANEW)
            self._check(found["identity"], json.loads(json.dumps(identity)))
            return
        self.delete()
        self._folder.mkdir(parents=True)
        self._write(run, {"schema_version": SCHEMA_VERSION, "identity": identity})

    def _check(self, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
        for name in expected:
            if found.get(name) != expected[name]:
                raise ArtifactError(
                    f"cannot resume: {self._folder} is of a run with another {name}: got "
                    f"{_short(found.get(name))}, expected {_short(expected[name])}; run it as it "
                    "was, or without --resume to start anew"
                )

    def delete(self) -> None:
        """Removes the folder and all in it."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def row(self, key: str) -> dict[str, Any] | None:
        """Returns a row's results of loading and of all examples; None if it has none yet."""
        path = self._folder / f"{key}.json"  # written after the files of the outputs
        return _load(path) if path.is_file() else None

    def outputs(self, key: str) -> dict[str, np.ndarray]:
        """Returns a row's outputs, (N, …) by name, not yet read into memory."""
        found = {}
        for number, name in enumerate((self.row(key) or {})["outputs"]):
            path = self._outputs_path(key, number)
            try:
                found[name] = open_npy(path)
            except (OSError, DataError) as error:
                raise damaged(path, error, ANEW) from error
        return found

    def add_row(self, key: str, scalars: Mapping[str, Any], outputs: Path) -> None:
        """Keeps a row's results; the files of its outputs are moved out of the folder `outputs`."""
        for number in range(len(scalars["outputs"])):
            (outputs / f"{number}.npy").replace(self._outputs_path(key, number))
        shutil.rmtree(outputs)
        self._write(self._folder / f"{key}.json", scalars)

    def rounds(self, numbers: range) -> dict[int, dict[str, Any]]:
        """Returns those of some rounds that are finished: answers of the workers by row.

        Their `durations_ns` are arrays, (samples,) int64.
        """
        paths = {number: self._round_path(number) for number in numbers}
        return {number: _round(path) for number, path in paths.items() if path.is_file()}

    def add_round(self, number: int, answers: Mapping[str, Any]) -> None:
        """Keeps a finished round."""
        self._write(self._round_path(number), answers)

    def answer(self, key: str, name: str) -> dict[str, Any] | None:
        """Returns another measurement of a row, such as `throughput`; None if it was not made."""
        path = self._folder / f"{key}.{name}.json"
        return _load(path) if path.is_file() else None

    def add_answer(self, key: str, name: str, answer: Mapping[str, Any]) -> None:
        """Keeps another measurement of a row."""
        self._write(self._folder / f"{key}.{name}.json", answer)

    def scratch(self, key: str) -> Path:
        """Returns a new folder that a worker may write a row's outputs to before they are kept."""
        folder = self._folder / f"{key}.tmp"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def _outputs_path(self, key: str, number: int) -> Path:
        return self._folder / f"{key}.output{number}.npy"

    def _round_path(self, number: int) -> Path:
        return self._folder / f"round-{number:03d}.json"

    def _write(self, path: Path, content: Mapping[str, Any]) -> None:
        temporary = path.with_name(path.name + ".tmp")
        write_json(temporary, content)
        temporary.replace(path)


def _load(path: Path) -> dict[str, Any]:
    try:
        return dict(parse_json(read_bounded(path, MAX_JSON_BYTES)))
    except (OSError, ValueError, TypeError) as error:
        raise damaged(path, error, ANEW) from error


def _round(path: Path) -> dict[str, Any]:
    answers = _load(path)
    for answer in answers.values():
        if "durations_ns" in answer:
            answer["durations_ns"] = np.array(answer["durations_ns"], np.int64)
    return answers


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
