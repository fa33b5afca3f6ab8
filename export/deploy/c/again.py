"""`python -m export.deploy.c.again MANIFEST FOLDER`: builds an export's C source, made again.

A process of its own: the file that it is made of may be a stranger's, and LiteRT may crash on it.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from export.deploy.c.host import TIMEOUT_S, build
from export.deploy.c.package import FROM, HEADER_FILE, OPTIMIZE, SOURCE_FILE, source_of
from export.deploy.c.steps.weights.packing import SIZE
from export.formats.packages import C
from export.manifest import Manifest, check_file, read_manifest
from export.runtimes.c import LIBRARY_FILE
from train.common.command.cli import run_program
from train.common.errors import ArtifactError

MODULE = "export.deploy.c.again"
REPOSITORY = Path(__file__).resolve().parents[3]


def main(arguments: Sequence[str]) -> int:
    """Builds it."""
    build_again(read_manifest(Path(arguments[0])), Path(arguments[1]))
    return 0


def build_again(manifest: Manifest, folder: Path) -> Path:
    """Compiles the C source of an artifacts folder for this machine, made again from its file.

    What is compiled is never what lies in the folder: it might be a stranger's.

    Args:
        manifest: `c.json`.
        folder: where to.

    Returns:
        The library, as `CRunner` takes it.

    Raises:
        ArtifactError: the file that it was made of is gone or another, or what lies there is not
            what is made of it.
    """
    origin = str(manifest.options.get(FROM))
    again = f"run `python -m export --format {C} --from {origin}` again"
    before = read_manifest(manifest.path.parents[1] / f"{Path(origin).name}.json")
    check_file(before)
    _, *texts = source_of(before.artifact_path, before, str(manifest.options.get(OPTIMIZE, SIZE)))
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in zip((SOURCE_FILE, HEADER_FILE), texts, strict=True):
        if manifest.path.with_name(name).read_bytes() != text.encode():
            raise ArtifactError(
                f"{manifest.path.with_name(name)} is not what {before.artifact_path.name} makes; "
                f"{again}"
            )
        folder.joinpath(name).write_text(text, encoding="ascii")
    return build(folder, folder, before.inputs, before.outputs)


def built_apart(manifest: Path, folder: Path) -> Path:
    """Returns the library that `build_again` makes, made in a process of its own.

    Args:
        manifest: `c.json`.
        folder: where to.

    Raises:
        ArtifactError: as `build_again`; or the process crashed, or took too long.
    """
    command = [sys.executable, "-m", MODULE, str(manifest.resolve()), str(folder.resolve())]
    try:
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(f"c: making {manifest} again took more than {TIMEOUT_S} s") from error
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        why = said[-1].removeprefix("error: ") if said else f"it ended with {done.returncode}"
        raise ArtifactError(why if said else f"c: {manifest} cannot be made again: {why}")
    return folder / LIBRARY_FILE


if __name__ == "__main__":
    run_program(main)
