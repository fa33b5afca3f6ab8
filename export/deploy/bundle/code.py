"""The part of this toolkit that a device runs, found by what imports what."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("train", "export", "benchmark")
COMMAND = "benchmark/__main__.py"
# A bundle's own `__main__` checks it first and then runs the command under this name.
BUNDLED_COMMAND = "benchmark/command.py"
# What has no use inside a bundle: running one elsewhere, and loading Keras models, for which there
# is no TensorFlow on a device.
LEFT_OUT = ("benchmark/remote", "export/model/load.py", "export/model/loaded.py")


def code_files(root: Path) -> dict[str, Path]:
    """Returns the files that `python -m benchmark` needs, by their path in a bundle.

    All of `benchmark/`, and of the other packages what it imports, at the top of a file or
    inside a function, directly or not.

    Args:
        root: the folder of the three packages.
    """
    wanted = [
        path
        for path in (root / "benchmark").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    found: set[Path] = set()
    while wanted:
        path = wanted.pop()
        if path in found or any(path.is_relative_to(root / name) for name in LEFT_OUT):
            continue
        found.add(path)
        if path.suffix == ".py":
            wanted += _imported(path, root)
    names = {path.relative_to(root).as_posix(): path for path in sorted(found)}
    names[BUNDLED_COMMAND] = names.pop(COMMAND)
    return names


def _imported(path: Path, root: Path) -> Iterator[Path]:
    """Yields the toolkit's files that a file imports, their packages' `__init__` included."""
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for module in modules:
            parts = module.split(".")
            for length in range(1, len(parts) + 1 if parts[0] in PACKAGES else 1):
                place = root.joinpath(*parts[:length])
                yield from filter(Path.is_file, (place.with_suffix(".py"), place / "__init__.py"))
