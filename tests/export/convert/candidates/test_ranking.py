"""Of several files of a format: the cheapest scheme of the best, and a method if it is no luck."""

from dataclasses import replace

import numpy as np
import pytest

from export.convert.candidates.ranking import Candidate, best_method_first, best_scheme_first
from export.formats.settings import SAFE_WEIGHTS, SIGNED_WEIGHTS


def candidate(scheme: str, score: float, operator: str = "MatMulInteger") -> Candidate:
    return Candidate(
        method=None,
        scheme=scheme,
        content=b"",
        run_as=b"",
        score=score,
        operators={operator: 1},
        errors=np.full((1, 20), 10 ** (-score / 10)),
    )


@pytest.mark.parametrize(
    ("scores", "operator", "has_vnni", "kept"),
    [
        ((30.0, 34.0, 34.2, 34.3), "MatMulInteger", False, "int8 per channel"),
        ((33.4, 34.0, 34.2, 34.3), "MatMulInteger", False, "int8 per tensor"),
        ((33.4, 34.0, 34.2, 34.3), "ConvInteger", False, "uint8 per tensor"),
        ((34.6, 34.0, 34.2, 34.3), "ConvInteger", True, "uint8 per tensor"),
        ((35.4, 34.0, 34.2, 34.3), "ConvInteger", True, "int8 per tensor"),
        ((12.0, 13.0, 30.0, 31.5), "MatMulInteger", False, "uint8 per channel"),
        ((12.0, 13.0, 14.0, 15.5), "QLinearConv", True, "int8 per channel"),
        ((12.0, 13.0, 14.0, 16.5), "QLinearConv", True, "uint8 per channel"),
        ((-5.0, -5.2, -9.0, -9.0), "MatMulInteger", True, "int8 per tensor"),
    ],
)
def test_the_cheapest_of_the_best_schemes_is_kept(
    scores: tuple[float, ...], operator: str, has_vnni: bool, kept: str
) -> None:
    schemes = (*SIGNED_WEIGHTS, *SAFE_WEIGHTS)
    made = [candidate(*found, operator) for found in zip(schemes, scores, strict=False)]
    found = best_scheme_first(made, has_vnni=has_vnni)
    assert found[0].scheme == kept
    assert len(found) == len(made)
    assert best_scheme_first([], has_vnni=True) == []


def test_chance_may_not_decide_against_what_is_made_by_default() -> None:
    """Of 20 examples, one can hide that the others are worse."""
    draw = np.random.default_rng(0).uniform(0.5, 1.5, 20)
    plain = replace(candidate("int8 per tensor", 15.9, "ConvInteger"), errors=draw[np.newaxis])
    losses = 1.5 * draw
    losses[0] = 0.0
    cheap = replace(candidate("uint8 per tensor", 15.8, "ConvInteger"), errors=losses[np.newaxis])
    assert best_scheme_first([plain, cheap], has_vnni=True)[0] is plain
    cheap = replace(cheap, errors=1.02 * draw[np.newaxis])
    assert best_scheme_first([plain, cheap], has_vnni=True)[0] is cheap


def test_of_several_outputs_none_is_given_up_for_another() -> None:
    exact, coarse = np.full((2, 20), 0.01), np.full((2, 20), 0.01)
    coarse[0], coarse[1] = 0.001, 0.02
    plain = replace(candidate("int8 per tensor", 20), errors=exact)
    better = replace(candidate("uint8 per tensor", 30), errors=coarse)
    assert best_scheme_first([plain, better], has_vnni=False)[0] is plain
    coarse[1] = 0.012
    assert best_scheme_first([plain, better], has_vnni=False)[0] is better


NOISE = np.random.RandomState(2).standard_normal(80) ** 2


@pytest.mark.parametrize(
    ("losses", "first"),
    [
        ([[NOISE], [0.9 * NOISE], [0.99 * NOISE]], 1),
        ([[NOISE], [np.append(NOISE[1:], 0.0)]], 0),  # less on the whole, by an example's luck
        ([[NOISE], [1.1 * NOISE]], 0),
        ([[np.ones(80), NOISE], [np.zeros(80), 2 * NOISE]], 1),  # right where the other is wrong
        ([[np.zeros(80), NOISE], [np.zeros(80), 0.9 * NOISE]], 1),
        ([[NOISE]], 0),
    ],
)
def test_a_method_comes_first_if_it_is_better_by_more_than_chance(
    losses: list[list[np.ndarray]], first: int
) -> None:
    made = [
        replace(
            candidate("int8 per tensor", -float(np.mean(found[-1]))),
            errors=found[-1][np.newaxis],
            wrong=found[0] if len(found) > 1 else None,
        )
        for found in losses
    ]
    found = best_method_first(made)
    assert found[0] is made[first]
    assert len(found) == len(made)
    assert best_method_first([]) == []
