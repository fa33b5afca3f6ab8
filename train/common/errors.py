"""Every error that the three commands report in one line, and the exit code each ends with.

ToolkitError                 2  bad usage or bad input
├── DataError                2  the data set is missing, corrupt or of the wrong shape
├── ArtifactError            2  a model, export or manifest is missing, corrupt or stale
│   └── MissingOperatorError 2  a runtime lacks an operator of a file
├── MissingPackageError      2  a package is not installed
└── CheckError               1  a file was made, but it does not do what the model does
"""

from train.common.environment import REQUIREMENTS_FILE, in_bundle

DEVICE_MODULES = ("numpy", "rich", "jinja2", "PIL", "ai_edge_litert", "onnxruntime")


class ToolkitError(Exception):
    """Bad usage or bad input; the message says what was got, what was expected, what to do."""

    exit_code = 2


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
