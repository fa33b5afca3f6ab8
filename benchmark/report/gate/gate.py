"""What fails a gate: verdicts, and what got worse against an earlier run."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.judge.evidence import Verdict
from benchmark.report.gate import FAIL, INCONCLUSIVE, REGRESSION
from benchmark.results.compare import WORSE, Changes, Kind
from benchmark.results.run import Run


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A run, and what is to fail it.

    Attributes:
        run: what was found.
        changes: against an earlier run; None without one.
        fail_on: of `FAIL_ON`; `inconclusive` is `fail` and more.
    """

    run: Run
    changes: Changes | None
    fail_on: Sequence[str]

    def stops(self, verdict: Verdict) -> bool:
        """Returns whether a verdict fails the gate; an `error` does as a `fail` does."""
        if verdict == "inconclusive":
            return INCONCLUSIVE in self.fail_on
        return verdict != "pass" and (FAIL in self.fail_on or INCONCLUSIVE in self.fail_on)

    @property
    def worse(self) -> dict[str, tuple[Kind, ...]]:
        """What got worse, by the row's name, whether that fails the gate or not."""
        found = self.changes.worse if self.changes else ()
        return {row.name: tuple(kind for kind in row.kinds if kind in WORSE) for row in found}

    @property
    def exit_code(self) -> int:
        """1 if something fails the gate, else 0."""
        failed = any(self.stops(row.verdict) for row in self.run.results)
        return int(failed or (REGRESSION in self.fail_on and bool(self.worse)))


def fail_on(asked: Sequence[str], *, compared: bool, measured: bool) -> tuple[str, ...]:
    """Returns what fails a gate: what was asked for, or else all that was looked at.

    Args:
        asked: what was asked for; nothing leaves the default.
        compared: whether there is an earlier run to compare with.
        measured: whether verdicts were reached, and not only read.
    """
    default = (*[INCONCLUSIVE] * measured, *[REGRESSION] * compared)
    return tuple(asked) or default
