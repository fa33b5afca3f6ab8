"""Batches from the user's own functions; functions that fail too."""

import sys
from itertools import count
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from export.data.wanted import Wanted
from tests.export.data.opened import opened, refused, spec, wanted
from train.common.samples import Samples

NAMES = (f"batches_{number}" for number in count())
TWO = wanted(spec("a", 4), spec("b"), outputs=(spec("classes", 3), spec("height", 1)))


def run(code: str, tmp_path: Path, what: Wanted | None = None, attribute: str = "f") -> Samples:
    """Opens a module of its own, with numpy at hand, in the current folder."""
    name = next(NAMES)
    (tmp_path / f"{name}.py").write_text(f"import numpy as np\n{dedent(code)}")
    return opened(f"{name}:{attribute}", what or wanted(), tmp_path)


@pytest.fixture(autouse=True)
def current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def test_batches_of_arrays(tmp_path: Path) -> None:
    found = run(
        """
        def f():
            for size in (2, 3, 0, 1):
                yield np.full((size, 4), size, np.int16)
        """,
        tmp_path,
    )
    values = found.inputs["values"]
    assert isinstance(values, np.memmap)
    assert (values.dtype, values[:, 0].tolist()) == (np.int16, [2, 2, 3, 3, 3, 1])
    assert not found.targets
    assert str(tmp_path) not in sys.path


def test_batches_of_inputs_and_targets(tmp_path: Path) -> None:
    found = run(
        """
        def f():
            return [(np.asfortranarray(np.arange(8.0).reshape(2, 4) + n), np.array([0, n]))
                    for n in range(3)]
        """,
        tmp_path,
    )
    assert found.inputs["values"][:, 0].tolist() == [0, 4, 1, 5, 2, 6]
    assert found.targets["classes"].tolist() == [0, 0, 0, 1, 0, 2]


def test_batches_by_name(tmp_path: Path) -> None:
    found = run(
        """
        class Loader:
            def __iter__(self):
                for n in range(2):
                    inputs = {"b": np.array([n, n]), "a": np.ones((2, 4))}
                    yield inputs, {"height": np.array([0.5, n]), "classes": np.array([n, 2])}

        class Data:
            load = Loader
        """,
        tmp_path,
        TWO,
        "Data.load",
    )
    assert found.inputs["b"].tolist() == [0, 0, 1, 1]
    assert found.inputs["a"].shape == (4, 4)
    assert found.targets["classes"].tolist() == [0, 2, 1, 2]
    assert found.targets["height"].tolist() == [[0.5], [0], [0.5], [1]]


def test_what_converts_itself_is_taken(tmp_path: Path) -> None:
    found = run(
        """
        class Tensor:
            def __array__(self, dtype=None, copy=None):
                return np.ones((2, 4), np.float32)
        def f():
            yield Tensor()
        """,
        tmp_path,
    )
    assert (found.inputs["values"] == 1).all()


def test_modules_in_packages(tmp_path: Path) -> None:
    (tmp_path / "package_of_batches").mkdir()
    code = "import numpy as np\nf = lambda: [np.ones((2, 4))]\n"
    (tmp_path / "package_of_batches" / "inner.py").write_text(code)
    assert len(opened("package_of_batches.inner:f", wanted(), tmp_path)) == 2


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with refused("--data no_such:f: raised ModuleNotFoundError: No module named 'no_such'; fix"):
        opened("no_such:f", wanted(), tmp_path)
    with refused(f"got no 'f' in {next(NAMES).rsplit('_')[0]}"):
        run("g = 1", tmp_path)
    with refused("got int, expected a function to call"):
        run("f = 1", tmp_path)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "import nothing_like_this",
            "raised ModuleNotFoundError: No module named 'nothing_like_th",
        ),
        ("def f(:", "raised SyntaxError: "),
        ("import sys; sys.exit('usage')", "raised SystemExit: usage; fix it"),
        ("def f(size): pass", "raised TypeError: f() missing 1 required positional argument"),
        ("def f():\n    raise ValueError('one\\ntwo')", "raised ValueError: one two; fix it"),
        ("def f():\n    raise ValueError", "raised ValueError; fix it"),
        ("def f():\n    raise ValueError('long ' * 999)", "long long …; fix it"),
        ("def f():\n    yield np.ones((1, 4))\n    1 / 0", "raised ZeroDivisionError: division"),
        ("def f(): pass", "it returned NoneType, expected an iterable of batches, each an array"),
        ("def f(): return np.ones((3, 4))", "it returned ndarray, expected an iterable of batch"),
        ("def f(): return {}", "it returned dict, expected an iterable of batches"),
        ("def f(): return []", "got no batches, expected at least one"),
        ("def f(): yield np.ones((0, 4))", "got no batches, expected at least one"),
        ("def f(): yield [[1, 2, 3, 4]]", "batch 0: 'values': got list, expected an array, a di"),
        ("def f(): yield 1.0", "batch 0: 'values': got float, expected an array"),
        ("def f(): yield np.float32(1)", "batch 0: 'values': got a single value, expected examp"),
        ("def f(): yield np.array([None])", "batch 0: 'values': got an array of Python objects"),
        ("def f(): yield np.array(['a'])", "batch 0: 'values': got <U1, expected bool, integer"),
        ("def f(): yield np.ones((2, 5))", "batch 0: input 'values': got shape (2, 5), expected v"),
        ("def f(): yield (1, 2, 3)", "batch 0: got a tuple of 3, expected an array, a dict"),
        ("def f(): yield {'z': np.ones(4)}", "batch 0: got the key 'z', expected 'x', 'values'"),
        ("def f(): yield {}", "batch 0: got no array for any input, expected one for the input"),
        (
            "def f(): yield np.ones((2, 4)), {'z': np.ones(2)}",
            "batch 0: got the key 'z', expected 'y', 'classes', 'target:classes'",
        ),
        (
            "def f(): yield np.ones((2, 4)), np.zeros(3, int)",
            "batch 0: got 2 of 'input values', 3 of 'target classes', expected as many",
        ),
        (
            "def f():\n    yield np.ones((2, 4))\n    yield np.ones((2, 4), np.float32)",
            "batch 1: input 'values': got float32 of shape (4,) each, expected float64 of (4,) as",
        ),
        (
            "def f():\n    yield np.ones((2, 4)), np.eye(3)[:2]\n    yield np.ones((2, 4)), [0]",
            "batch 1: 'classes': got list, expected an array",
        ),
        (
            "def f():\n    yield np.ones((2, 4)), np.eye(3)[:2]\n    yield np.ones((2, 4))",
            "batch 1: got 'input values', expected 'input values', 'target classes' as in the",
        ),
        (
            "def f():\n    yield np.ones((2, 4)), np.ones((2, 3))\n"
            "    yield np.ones((2, 4)), np.ones((2, 2))",
            "batch 1: target 'classes': got float64 of shape (2,) each, expected float64 of (3,)",
        ),
    ],
)
def test_what_fails_or_does_not_fit_is_refused(code: str, message: str, tmp_path: Path) -> None:
    with refused(message):
        run(code, tmp_path)


def test_one_array_is_for_one_input(tmp_path: Path) -> None:
    with refused("batch 0: got one array, expected arrays for the inputs 'a', 'b'"):
        run("def f(): yield np.ones((2, 4))", tmp_path, TWO)


def test_an_interrupt_passes(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("def f(): raise KeyboardInterrupt", tmp_path)
