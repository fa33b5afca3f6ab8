"""The folders stand in the order of the flow, and each imports only from those before it."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
# Everything in one of these may import itself and what stands before it; a stage's files that are
# not listed here, such as its `pipeline` and `__main__`, come after all of its folders.
LAYERS = (
    *(
        "train.common",
        "train.recipes",
        "train.limits",
        "train.config",
        "train.data",
        "train.fit",
        "train.search",
        "train",
    ),
    *("export.formats", "export.layer_report", "export.manifest"),
    *("export.model", "export.data", "export.runtimes", "export.verify"),
    *("export.convert", "export.deploy", "export.cost", "export"),
    *("benchmark.measure", "benchmark.judge", "benchmark.advise", "benchmark.results"),
    *("benchmark.report", "benchmark.remote", "benchmark"),
)
STAGES = ("train", "export", "benchmark")


def layer_of(module: str) -> str:
    """Returns the layer that a module stands in, the innermost of several."""
    fitting = (layer for layer in LAYERS if f"{module}.".startswith(f"{layer}."))
    return max(fitting, key=len)


def imported(path: Path) -> Iterator[str]:
    """Yields every module of the project that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def violations() -> set[tuple[str, str]]:
    """Returns each file that imports from a layer after its own, and that layer."""
    found = set()
    for stage in STAGES:
        for path in (REPOSITORY / stage).rglob("*.py"):
            name = str(path.relative_to(REPOSITORY))
            own = layer_of(name.removesuffix(".py").replace("/", "."))
            for module in imported(path):
                if module.split(".")[0] not in STAGES:
                    continue
                if LAYERS.index(layer_of(module)) > LAYERS.index(own):
                    found.add((name, layer_of(module)))
    return found


def test_no_folder_imports_from_one_after_it() -> None:
    assert not violations()


def test_no_modules_import_each_other() -> None:
    paths = {
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
        for stage in STAGES
        for path in (REPOSITORY / stage).rglob("*.py")
    }
    graph: dict[str, set[str]] = {}
    for name, path in paths.items():
        modules = {m if m in paths else m.rpartition(".")[0] for m in imported(path)}
        graph[name] = {m for m in modules & paths.keys() if not f"{name}.".startswith(f"{m}.")}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules
