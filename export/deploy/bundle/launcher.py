"""`python -m benchmark` in a bundle: checks each of its files, then measures.

A copy of this file is the bundle's `benchmark/__main__.py`, and the command itself is beside it
as `command.py`. So nothing of the bundle is imported before it is known to be whole, which is
why there is nothing but the standard library here, in a Python that older versions can read.
"""

from __future__ import annotations

import hashlib
import json
import runpy
import sys
from pathlib import Path, PurePosixPath

SCHEMA_VERSION = 1
MAX_LIST_BYTES = 10_000_000
MIN_PYTHON = (3, 11)
AGAIN = "make the bundle again: python -m export --bundle"


def problem_with(folder: Path) -> str | None:
    """Returns what is wrong with a bundle, one line; None if it is whole.

    Each file that `bundle.json` lists must be there with its size and SHA-256; `bundle.json` is
    sealed by a hash of its content. Files that it does not list, such as results, do not matter.
    """
    path = folder / "bundle.json"
    try:
        if path.exists() and not path.is_file():
            return f"{path} is a pipe or a folder, expected a bundle's list of files; {AGAIN}"
        with path.open("rb") as listing:
            content = json.loads(listing.read(MAX_LIST_BYTES))
        version, files, seal = content["schema_version"], content["files"], content.pop("seal")
        listed = {str(name): (str(f["sha256"]), int(f["size_bytes"])) for name, f in files.items()}
        expected_seal = seal_of(content)
    except OSError as error:
        return f"{path}: {error.strerror}, expected a bundle's list of files; {AGAIN}"
    except (
        *(ValueError, LookupError, TypeError, AttributeError),
        *(RecursionError, ArithmeticError),
    ) as error:
        return f"{path} lacks or garbles {error}; {AGAIN}"
    if version != SCHEMA_VERSION:
        return f"{path}: got schema_version {version!r}, expected {SCHEMA_VERSION}; {AGAIN}"
    if seal != expected_seal:
        return f"{path} was changed: its seal does not match its content; {AGAIN}"
    for name, (sha256, size_bytes) in listed.items():
        file = folder / name
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            return f"{path}: got the path {name!r}, expected one inside the bundle; {AGAIN}"
        try:
            if not file.is_file():
                return f"{file}, a part of the bundle, is not there; {AGAIN}"
            found = file.stat().st_size
            if found != size_bytes:
                return f"{file} was changed: got {found} bytes, expected {size_bytes}; {AGAIN}"
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError as error:
            return f"{str(file)[:200]} cannot be read ({error.strerror}); {AGAIN}"
        if digest != sha256:
            return (
                f"{file} was changed: got SHA-256 {digest[:12]}…, expected {sha256[:12]}…; {AGAIN}"
            )
    return None


def seal_of(content: dict[str, object]) -> str:
    """Returns the SHA-256 of a JSON object, whatever the order of its fields."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def main(folder: Path) -> str | None:
    """Runs the benchmark in a bundle; returns why it does not."""
    if sys.version_info < MIN_PYTHON:
        found = ".".join(map(str, sys.version_info[:2]))
        return f"got Python {found}, expected {'.'.join(map(str, MIN_PYTHON))} or later; install it"
    problem = problem_with(folder)
    if problem is None:
        runpy.run_module("benchmark.command", run_name="__main__", alter_sys=True)
    return problem


if __name__ == "__main__":
    reason = main(Path(__file__).resolve().parents[1])
    print("error:", reason, file=sys.stderr)
    sys.exit(2)
