"""Every error that the three commands report in one line, and the exit code each ends with.

ToolkitError                 2  bad usage or bad input
├── DataError                2  the data set is missing, corrupt or of the wrong shape
├── ArtifactError            2  a model, export or manifest is missing, corrupt or stale
│   └── MissingOperatorError 2  a runtime lacks an operator of a file
├── MissingPackageError      2  a package is not installed
└── CheckError               1  a file was made, but it does not do what the model does
"""

import copyreg
import errno
import os
from typing import Any

from train.common.environment import REQUIREMENTS_FILE, in_bundle

DEVICE_MODULES = ("numpy", "rich", "jinja2", "PIL", "ai_edge_litert", "onnxruntime")

# What the system has to say that no content of a file is to blame for, and what helps.
FREE_SPACE = "free some space on that disk, or give another folder"
OTHER_FOLDER = "change the permissions, or give another folder"
SYSTEM_REMEDIES = {
    errno.ENOSPC: FREE_SPACE,
    errno.EDQUOT: FREE_SPACE,
    errno.EFBIG: FREE_SPACE,
    errno.EROFS: "give a folder that can be written to",
    errno.EACCES: OTHER_FOLDER,
    errno.EPERM: OTHER_FOLDER,
    errno.EIO: "look after that disk",
    errno.ENOMEM: "free some memory",
    errno.EMFILE: "allow more open files (ulimit -n)",
}


class ToolkitError(Exception):
    """Bad usage or bad input; the message says what was got, what was expected, what to do."""

    exit_code = 2

    def __reduce__(self) -> tuple[Any, ...]:
        """Says how to send it to another process: as it is, not made anew by its `__init__`."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class DataError(ToolkitError):
    """The data set is missing, corrupt or not of the expected shape."""


class ArtifactError(ToolkitError):
    """A model, an exported file or a manifest is missing, corrupt or stale."""


class MissingOperatorError(ArtifactError):
    """A runtime cannot load a file because it lacks one of its operators."""

    def __init__(self, message: str, *, operator: str) -> None:
        """Takes the message and the operator's name in TFLite."""
        super().__init__(message)
        self.operator = operator


class MissingPackageError(ToolkitError):
    """A package that this command needs is not installed."""

    def __init__(self, error: ModuleNotFoundError) -> None:
        """Names the package and the exact command that installs what is needed."""
        module = (error.name or "").split(".")[0]
        extra = "device" if module in DEVICE_MODULES else "host"
        file = REQUIREMENTS_FILE if in_bundle() else f"requirements-{extra}.txt"
        super().__init__(
            f"the package {module!r} is not installed; "
            f"run `pip install --no-deps --require-hashes -r {file}`"
        )


class CheckError(ToolkitError):
    """An exported file was made but disagrees with its source model; it was not kept."""

    exit_code = 1


def reason_and_remedy(error: OSError, remedy: str) -> tuple[str, str]:
    """Returns why the system refused, and what to do: `remedy` where the reason does not say it."""
    number = error.errno
    if number is None and "requested and" in str(error):  # NumPy drops the reason
        number = errno.ENOSPC
    reason = error.strerror or (os.strerror(number) if number else str(error))
    return reason, SYSTEM_REMEDIES.get(number or 0, remedy)


def damaged(what: object, error: Exception, remedy: str) -> ArtifactError:
    """Returns the error of a file that cannot be read: corrupt, or kept from us by the system."""
    if isinstance(error, OSError) and error.errno is not None:
        reason, remedy = reason_and_remedy(error, remedy)
        return ArtifactError(f"{what} cannot be read: {reason}; {remedy}")
    return ArtifactError(f"{what} is corrupt ({error}); {remedy}")
