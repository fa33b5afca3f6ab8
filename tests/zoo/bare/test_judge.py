"""What counts as behind the bare converter's file, and when a promise is to blame."""

from dataclasses import asdict, replace

import pytest

from tests.zoo.bare.judge import Comparison, File, behind, gap_db, verdict

BARE = File(decibels={"a": 30.0, "b": 40.0}, size_bytes=10_000, p50_us=10.0)
FAILED = replace(BARE, failed=("check centred SNR in dB: got 3, expected >= 12",))


def made(a: float = 30.0, b: float = 40.0, kilobytes: float = 10, us: float = 10) -> File:
    return File(decibels={"a": a, "b": b}, size_bytes=int(kilobytes * 1000), p50_us=us)


@pytest.mark.parametrize(
    ("ours", "words"),
    [
        (made(), []),
        (made(a=29.1, b=39.1, kilobytes=11, us=11), []),
        (made(b=38.9), ["1.1 dB less"]),
        (made(kilobytes=11.5), ["1.5 kB more"]),
        (made(us=11.2), ["1.12 × the time, 11.2 µs"]),
        (made(a=20, kilobytes=1, us=1), ["10.0 dB less"]),
        (None, ["refused, and the bare file is within the limits"]),
    ],
)
def test_an_export_is_behind_in_what_it_does_worse(ours: File | None, words: list[str]) -> None:
    assert behind(ours, BARE) == words


def test_rounding_and_differences_of_a_few_hundred_nanoseconds_are_none() -> None:
    exact = replace(BARE, decibels={"a": 140.0, "b": 139.0}, p50_us=2.0)
    assert behind(made(a=85, b=90, us=2.4), exact) == []
    assert gap_db(made(a=85, b=90), exact) == 0.0
    assert behind(made(a=70, b=90, us=2.0), exact) == ["10.0 dB less"]


def test_refusing_what_the_bare_converter_gets_wrong_is_no_fault() -> None:
    assert behind(None, FAILED) == []
    assert verdict(Comparison(ours=None, bare=None, reason="no operator")) == ([], "")


@pytest.mark.parametrize(
    ("strict", "faults", "blamed"),
    [
        (None, [], "integers only"),
        (FAILED, [], "integers only"),
        (replace(BARE, decibels={"a": 20.5, "b": 40.0}), [], "integers only"),
        (BARE, ["10.0 dB less"], ""),
    ],
)
def test_a_promise_is_to_blame_only_where_the_bare_converter_kept_to_it_does_no_better(
    strict: File | None, faults: list[str], blamed: str
) -> None:
    found = Comparison(
        ours=made(a=20),
        bare=BARE,
        promise="integers only",
        strict=strict,
        strict_reason="" if strict else "ELU is no integer operator",
    )
    assert verdict(found) == (faults, blamed)
    assert verdict(replace(found, strict=None, strict_reason=""))[0] == ["10.0 dB less"]
    assert Comparison.of_json(asdict(found)) == found
