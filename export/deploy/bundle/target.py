"""Where a bundle may be put."""

import json
import tarfile
import zlib
from pathlib import Path

from export.deploy.bundle.launcher import problem_with
from train.common.environment import BUNDLE_FILE
from train.common.errors import ArtifactError
from train.common.files.open import open_regular

ARCHIVE_SUFFIX = ".tar.gz"
CACHE = "__pycache__"
ELSEWHERE = "move it, or give another place with --bundle"


def check_target(target: Path) -> None:
    """Checks that a bundle put there replaces nothing but an older bundle.

    Raises:
        ArtifactError: something else is there, or an older bundle that was changed or holds
            results.
    """
    if target.name.endswith(ARCHIVE_SUFFIX):
        if target.exists() and not _is_archive(target):
            raise ArtifactError(
                f"{target}: got another file, expected nothing or an older bundle; {ELSEWHERE}"
            )
        return
    if not target.exists():
        return
    if not target.is_dir():
        raise ArtifactError(
            f"{target}: got a file, expected a folder, nothing, or a name that ends in "
            f"{ARCHIVE_SUFFIX}; {ELSEWHERE}"
        )
    if not any(target.iterdir()):
        return
    if not (target / BUNDLE_FILE).is_file():
        raise ArtifactError(f"{target}: got a folder with other things in it; {ELSEWHERE}")
    problem = problem_with(target)
    if problem is not None:
        raise ArtifactError(f"the older bundle at {target} is not whole ({problem}); {ELSEWHERE}")
    listed = {*json.loads((target / BUNDLE_FILE).read_bytes())["files"], BUNDLE_FILE}
    for path in sorted(target.rglob("*")):
        name = path.relative_to(target)
        if path.is_file() and CACHE not in name.parts and name.as_posix() not in listed:
            raise ArtifactError(
                f"the older bundle at {target} also holds {name}, which would be lost; {ELSEWHERE}"
            )


def _is_archive(path: Path) -> bool:
    """Returns whether a file is an archive with a bundle's list in it."""
    try:
        with open_regular(path) as file, tarfile.open(fileobj=file, mode="r:gz") as tar:
            return any(member.name.endswith(f"/{BUNDLE_FILE}") for member in tar)
    except (OSError, EOFError, zlib.error, tarfile.TarError):
        return False
