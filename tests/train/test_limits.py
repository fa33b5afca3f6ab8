"""Limits as a user writes them, and what they allow."""

import pytest

from train.common.errors import ToolkitError
from train.limits import Limits, amount, limits, parse_limits


def test_amounts_are_read_with_their_units() -> None:
    assert parse_limits("flash=32kB, ram=2 KiB,latency=5us,multiplications=1.5M") == {
        "flash": 32_000,
        "ram": 2_048,
        "latency": 5,
        "multiplications": 1_500_000,
    }
    assert parse_limits("latency=10ms,accuracy=90%,drop=0.005") == {
        "latency": 10_000,
        "accuracy": 0.9,
        "drop": 0.005,
    }


@pytest.mark.parametrize(
    ("text", "minimize", "said"),
    [
        ("flsh=3kB", None, "did you mean flash"),
        ("speed=3", None, "expected one of flash, ram"),
        ("flash=32", None, "expected a number with"),
        ("flash=32kg", None, "expected a number with"),
        ("flash=0kB", None, "expected more than 0"),
        ("flash=nankB", None, "expected a number with"),
        ("accuracy=90", None, "up to 1"),
        ("flash=3kB,flash=4kB", None, "got flash twice"),
        ("", None, "expected one of flash"),
        ("accuracy=0.9", None, "what the device has"),
        ("flash=9kB", "ram", "without a limit of accuracy"),
    ],
)
def test_what_is_no_limit_or_contradicts_another_is_one_line(
    text: str, minimize: str | None, said: str
) -> None:
    with pytest.raises(ToolkitError, match=said) as raised:
        limits(text, minimize)
    assert "\n" not in str(raised.value)


def test_costs_are_held_against_the_limits_that_there_are() -> None:
    found = Limits(most={"flash": 1_000, "ram": 100})
    assert found.needed == ("flash", "ram")
    assert found.used({"flash": 500, "ram": 100, "latency": 9}) == {"flash": 0.5, "ram": 1}
    assert found.allow({"flash": 1_000, "ram": 100})
    assert not found.allow({"flash": 1_001, "ram": 1})
    assert list(found.lines({"flash": 500, "ram": 50})) == [
        "flash 500 B of 1,000 B (50.0%)",
        "ram 50 B of 100 B (50.0%)",
    ]


def test_what_is_made_small_decides_too() -> None:
    assert limits("accuracy=0.9,ram=2kB", "flash").needed == ("flash", "ram")


def test_latencies_are_said_in_a_unit_that_suits() -> None:
    assert amount("latency", 4.2) == "4.2 µs"
    assert amount("latency", 12_500) == "12.5 ms"
