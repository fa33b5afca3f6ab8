"""Text files are UTF-8 whatever the locale: every call that opens one says so."""

import ast
from collections.abc import Iterator

import pytest

from tests.commands import REPOSITORY

MODES = {"r", "w", "a", "x", "r+", "w+", "rt", "wt"}


def without_encoding(text: str) -> Iterator[str]:
    """Yields the calls that open text in the locale's encoding."""
    for call in ast.walk(ast.parse(text)):
        if not isinstance(call, ast.Call):
            continue
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        first = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        opens = (
            name in ("read_text", "write_text")
            or (name == "open" and (first in MODES or not (call.args or call.keywords)))
            or (name == "makefile" and "b" not in str(first))
            or given.get("text") == "True"
        )
        if opens and "encoding" not in given:
            yield ast.unparse(call)


@pytest.mark.parametrize("stage", ["train", "export", "benchmark"])
def test_every_text_file_is_opened_as_utf_8(stage: str) -> None:
    for path in (REPOSITORY / stage).rglob("*.py"):
        assert list(without_encoding(path.read_text(encoding="utf-8"))) == [], path


@pytest.mark.parametrize(
    "call", ["p.read_text()", "p.open()", "p.open('w')", "s.makefile('r')", "run(x, text=True)"]
)
def test_a_call_that_leaves_it_to_the_locale_is_found(call: str) -> None:
    assert len(list(without_encoding(call))) == 1
