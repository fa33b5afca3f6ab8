import numpy as np
import pytest

from export.convert.mixed.search import Choice, Search


def search(noise: dict[str, float], limit: float, max_share: float = 1.0) -> Search[float]:
    """Of operators whose errors add up; each has the same share of the multiplications."""
    ranked = sorted(noise, key=lambda name: -noise[name])
    return Search(
        choices=[Choice(name=name, share=1 / len(noise)) for name in ranked],
        judge=lambda in_float: sum(noise[name] for name in noise.keys() - in_float),
        within=lambda left: left <= limit,
        max_share=max_share,
    )


def test_plain_integers_within_the_limit_are_judged_once() -> None:
    found = search({"a": 1.0, "b": 2.0}, limit=3.0)
    assert found.find() == frozenset()
    assert list(found.tried) == [frozenset()]


@pytest.mark.parametrize("seed", range(5))
def test_the_fewest_operators_are_in_float_and_none_without_need(seed: int) -> None:
    random = np.random.RandomState(seed)
    noise = {f"op{n}": float(value) for n, value in enumerate(random.lognormal(0, 2, 40))}
    limit = 0.1 * sum(noise.values())
    chosen = search(noise, limit).find()
    assert chosen is not None
    left = sum(noise.values()) - np.cumsum(sorted(noise.values(), reverse=True))
    assert len(chosen) == int(np.argmax(left <= limit)) + 1
    judged = search(noise, limit).judge
    assert judged(chosen) <= limit
    assert all(judged(chosen - {name}) > limit for name in chosen)


def test_few_of_many_are_tried() -> None:
    noise = {f"op{n}": 1.0 + n / 1000 for n in range(256)}
    found = search(noise, limit=100.0)
    assert found.find() is not None
    assert len(found.tried) < 60


def test_an_operator_that_was_not_needed_is_quantized_again() -> None:
    # the largest error is at one that helps only together with the next
    def judge(in_float: frozenset[str]) -> bool:
        return {"b", "c"} <= in_float

    choices = [Choice(name=name, share=0.0) for name in "abcd"]
    found = Search(choices=choices, judge=judge, within=bool, max_share=0.3)
    assert found.find() == frozenset("bc")


def test_the_share_in_float_is_kept_by_leaving_out_what_is_too_large() -> None:
    choices = [Choice(name=n, share=s) for n, s in (("large", 0.5), ("b", 0.1), ("c", 0.1))]
    found = Search(
        choices=choices,
        judge=lambda in_float: len(in_float),
        within=lambda n: n >= 2,
        max_share=0.3,
    )
    assert found.find() == frozenset("bc")


def test_where_nothing_is_within_the_limits_everything_allowed_was_tried() -> None:
    found = search({"a": 1.0, "b": 2.0, "c": 4.0}, limit=0.5, max_share=0.7)
    assert found.find() is None
    assert max(map(len, found.tried)) == 2
