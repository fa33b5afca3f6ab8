"""What a device has and a product needs: `flash=32kB,ram=2kB,accuracy=0.9`, read and held against.

Of a kilobyte, 1,000 bytes; of a `KiB`, 1,024.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from train.common.errors import ToolkitError

Kind = Literal["flash", "ram", "latency", "multiplications", "accuracy", "drop"]
COSTS: tuple[Kind, ...] = ("flash", "ram", "latency", "multiplications")  # before any training
QUALITIES: tuple[Kind, ...] = ("accuracy", "drop")
KINDS: tuple[Kind, ...] = (*COSTS, *QUALITIES)
BYTES = {"b": 1, "kb": 1e3, "mb": 1e6, "kib": 1024, "mib": 1024**2}
UNITS: Mapping[Kind, Mapping[str, float]] = {
    "flash": BYTES,
    "ram": BYTES,
    "latency": {"us": 1, "µs": 1, "μs": 1, "ns": 1e-3, "ms": 1e3, "s": 1e6},
    "multiplications": {"": 1, "k": 1e3, "m": 1e6, "g": 1e9},
    "accuracy": {"": 1, "%": 0.01},
    "drop": {"": 1, "%": 0.01},
}
EXAMPLES: Mapping[Kind, str] = {
    "flash": "flash=32kB",
    "ram": "ram=2kB",
    "latency": "latency=10ms",
    "multiplications": "multiplications=1M",
    "accuracy": "accuracy=0.9",
    "drop": "drop=0.005",
}
AMOUNT = re.compile(r"(?P<number>[0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*(?P<unit>[a-zµμ%]*)", re.I)
MOST_COST = 1e15


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a search; bytes, microseconds, a count, and shares in 0…1.

    Attributes:
        most: of each cost that is limited, the most that is allowed.
        accuracy: the least on held-out images; None for the most that can be had.
        drop: the most of it that the exported file may lose against its Keras model; None for what
            its format's checks allow.
        minimize: the cost to make as small as possible; None where accuracy is to be large.
    """

    most: Mapping[Kind, float]
    accuracy: float | None = None
    drop: float | None = None
    minimize: Kind | None = None

    @property
    def needed(self) -> tuple[Kind, ...]:
        """The costs that decide."""
        return tuple(kind for kind in COSTS if kind in self.most or kind == self.minimize)

    def used(self, costs: Mapping[Kind, float]) -> dict[Kind, float]:
        """Returns of each limited cost how much of the limit is used, 1 for all of it."""
        return {kind: costs[kind] / most for kind, most in self.most.items() if kind in costs}

    def allow(self, costs: Mapping[Kind, float]) -> bool:
        """Returns whether costs, those that are known, are within the limits."""
        return all(used <= 1 for used in self.used(costs).values())

    def told(self, costs: Mapping[Kind, float]) -> dict[Kind, str]:
        """Returns of each cost that decides what it is, and how close to its limit, as text."""
        used = self.used(costs)
        found: dict[Kind, str] = {}
        for kind in self.needed:
            if kind in costs:
                found[kind] = amount(kind, costs[kind])
            if kind in costs and kind in used:
                found[kind] += f" of {amount(kind, self.most[kind])} ({used[kind]:.1%})"
        return found

    def lines(self, costs: Mapping[Kind, float]) -> Iterator[str]:
        """Yields the same, each with the name of its cost."""
        for kind, text in self.told(costs).items():
            yield f"{kind} {text}"


def amount(kind: Kind, value: float) -> str:
    """Returns a cost or a quality as text, with its unit."""
    match kind:
        case "flash" | "ram":
            return f"{value:,.0f} B"
        case "latency":
            return f"{value / 1e3:,.3g} ms" if value >= 1e3 else f"{value:.3g} µs"
        case "multiplications":
            return f"{value:,.0f}"
        case _:
            return f"{value:.2%}"


def parse_limits(text: str) -> dict[Kind, float]:
    """Returns the amounts in a text such as `flash=32kB,ram=2kB`, by kind.

    Raises:
        ToolkitError: a limit or a unit is unknown, or one is given twice.
    """
    found: dict[Kind, float] = {}
    for part in text.split(","):
        name, _, written = (each.strip() for each in part.partition("="))
        kind = next((kind for kind in KINDS if kind == name.lower()), None)
        if kind is None:
            close = difflib.get_close_matches(name.lower(), KINDS, 1)
            remedy = f"did you mean {close[0]}?" if close else f"write it as {EXAMPLES['flash']}"
            raise ToolkitError(
                f"--fit: got the limit {name!r}, expected one of {', '.join(KINDS)}; {remedy}"
            )
        if kind in found:
            raise ToolkitError(f"--fit: got {kind} twice, expected it once; leave one out")
        found[kind] = _amount(kind, written)
    return found


def _amount(kind: Kind, written: str) -> float:
    units = UNITS[kind]
    told = AMOUNT.fullmatch(written)
    unit = None if told is None else units.get(told["unit"].lower())
    if told is None or unit is None:
        named = " or ".join(name for name in units if name) or "no unit"
        needed = f"a number with {named}" if "" not in units else f"a number, {named} allowed"
        raise ToolkitError(f"--fit: got {kind}={written}, expected {needed}, as {EXAMPLES[kind]}")
    value = float(told["number"]) * unit
    most = MOST_COST if kind in COSTS else 1
    if not 0 < value <= most:
        within = "more than 0" if kind in COSTS else "a share above 0 and up to 1"
        raise ToolkitError(f"--fit: got {kind}={written}, expected {within}, as {EXAMPLES[kind]}")
    return value


def limits(text: str, minimize: str | None) -> Limits:
    """Returns the limits that the command line states.

    Args:
        text: of `--fit`.
        minimize: a cost to make as small as possible.

    Raises:
        ToolkitError: they cannot be read, or contradict each other.
    """
    given = parse_limits(text)
    most = {kind: given[kind] for kind in COSTS if kind in given}
    asked = next((kind for kind in COSTS if kind == minimize), None)
    if asked is not None and "accuracy" not in given:
        raise ToolkitError(
            f"got --minimize {asked} without a limit of accuracy, expected one, or the smallest "
            "network is the answer; add accuracy=0.9 or so to --fit"
        )
    if asked is None and not most:
        raise ToolkitError(
            f"--fit: got {text}, expected what the device has, such as {EXAMPLES['flash']}; or say "
            "with --minimize what is to be small"
        )
    return Limits(most=most, accuracy=given.get("accuracy"), drop=given.get("drop"), minimize=asked)
