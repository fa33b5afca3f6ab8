"""Small models of the zoo, made, exported and told as `make zoo` does with all of them."""

import re

import pytest

from tests.commands import run_module

pytestmark = pytest.mark.slow

NAMES = ("embedding", "subclassed")
FORMATS = 10
GOOD = re.compile(r"^(100|9\d)%$")
# Activations of 16 bits where the inputs are integers are more than TFLite's converter can do.
REFUSED = {"embedding": {"T16x8": "refused"}}


def test_small_models_work_in_every_format_but_those_that_are_known() -> None:
    done = run_module("tests.zoo", *NAMES)
    assert done.code == 0, done.err
    head, _, *rest = done.out.splitlines()
    columns = head.split()[3 : 3 + FORMATS]
    rows = {line.split()[0]: line.split()[2 : 2 + FORMATS] for line in rest[: len(NAMES)]}
    assert list(rows) == list(NAMES), done.out
    for name, words in rows.items():
        found = dict(zip(columns, words, strict=True))
        bad = {column: word for column, word in found.items() if not GOOD.match(word)}
        assert bad == REFUSED.get(name, {}), done.out
