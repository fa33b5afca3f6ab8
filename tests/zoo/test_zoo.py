"""A small model of the zoo, made, exported and told as `make zoo` does with all of them."""

import re

import pytest

from tests.commands import run_module

pytestmark = pytest.mark.slow

NAME = "legacy_h5"
FORMATS = 10
GOOD = re.compile(r"^(100|9\d)%$")


def test_a_small_model_works_in_every_format() -> None:
    done = run_module("tests.zoo", NAME)
    assert done.code == 0, done.err
    head, _, row, *_ = done.out.splitlines()
    name, _, *words = row.split()
    assert name == NAME
    found = dict(zip(head.split()[3 : 3 + FORMATS], words, strict=False))
    assert len(found) == FORMATS
    bad = {column: word for column, word in found.items() if not GOOD.match(word)}
    assert bad == {}, done.out
