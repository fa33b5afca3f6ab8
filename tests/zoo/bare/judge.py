"""An export against the bare converter's file: what is behind, and which promise costs that.

Light: standard library only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LESS_DB = 1.0  # that an export's centred SNR may be behind
MORE_BYTES = 1_000
TIMES = 1.1
LEAST_US = 0.5  # the same file, loaded twice, differs by as much
ROUNDING_DB = 80.0  # beyond which two files are float32's own rounding apart


@dataclass(frozen=True, kw_only=True)
class File:
    """A file, as it was measured on examples that neither converter saw.

    Attributes:
        decibels: centred SNR against the Keras model, by output; of indices and the like, none.
        size_bytes: of the file.
        p50_us: median time of one example, one thread; None where it was not measured.
        failed: the checks of its outputs that it does not pass, as an export would have to.
    """

    decibels: Mapping[str, float]
    size_bytes: int
    p50_us: float | None = None
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One format of one model.

    Attributes:
        ours: the export; None where there is none.
        bare: the bare converter's file; None where it makes none, or none that runs.
        reason: why that is.
        promise: what the format promises beyond what the bare converter does by default.
        strict: where the export is behind, the bare converter's file that keeps the promise; None
            where it was not tried, makes none, or none that runs.
        strict_reason: why that is; empty where it was not tried.
    """

    ours: File | None
    bare: File | None
    reason: str = ""
    promise: str = ""
    strict: File | None = None
    strict_reason: str = ""

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> "Comparison":
        """Returns what `dataclasses.asdict` made of one."""
        sides = ("ours", "bare", "strict")
        found = {name: content[name] for name in sides if content[name]}
        files = {
            name: File(**{**each, "failed": tuple(each["failed"])}) for name, each in found.items()
        }
        return cls(**{**content, **files})


def gap_db(ours: File, bare: File) -> float:
    """Returns by how much an export is ahead, at the output where it is least so.

    What is beyond `ROUNDING_DB` counts as that.
    """
    gaps = [
        min(ours.decibels[name], ROUNDING_DB) - min(value, ROUNDING_DB)
        for name, value in bare.decibels.items()
    ]
    return min(gaps, default=0.0)


def times(ours: File, bare: File) -> float | None:
    """Returns how many times the bare file's time an export takes."""
    return None if ours.p50_us is None or bare.p50_us is None else ours.p50_us / bare.p50_us


def behind(ours: File | None, bare: File) -> list[str]:
    """Returns in what an export is worse than a bare file, by more than is allowed."""
    if ours is None:
        return [] if bare.failed else ["refused, and the bare file is within the limits"]
    found = []
    if gap_db(ours, bare) < -LESS_DB:
        found.append(f"{-gap_db(ours, bare):.1f} dB less")
    if ours.size_bytes > bare.size_bytes + MORE_BYTES:
        found.append(f"{(ours.size_bytes - bare.size_bytes) / 1000:.1f} kB more")
    ratio = times(ours, bare)
    if ratio is not None and ratio > TIMES and (ours.p50_us or 0) * (1 - 1 / ratio) > LEAST_US:
        found.append(f"{ratio:.2f} × the time, {ours.p50_us:.1f} µs")
    return found


def verdict(found: Comparison) -> tuple[list[str], str]:
    """Returns an export's faults, and the promise that costs what it is behind otherwise.

    A promise is to blame only where the bare converter, held to it, does no better: it makes no
    file, none within the limits, or one that the export is not behind.
    """
    faults = [] if found.bare is None else behind(found.ours, found.bare)
    if not faults or not (found.strict or found.strict_reason):
        return faults, ""
    if found.strict is None or found.strict.failed:
        return [], found.promise
    return (left, "") if (left := behind(found.ours, found.strict)) else ([], found.promise)
