"""What a measurement is told."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class MeasureSettings:
    """How every variant is measured, and which variants of an export there are.

    Attributes:
        samples: how many single inferences of each row are timed.
        rounds: in how many turns they are taken.
        launches: how many times each row gets a new process meanwhile, at most `rounds`.
        max_seconds: longest time spent on a row's timed calls; fewer samples then.
        threads: how many threads the runtimes may use, one row for each.
        modes: LiteRT kernels and ONNX Runtime optimization levels, one row for each that the
            format's runtime knows; none for the runtime's default.
        batch: size of the batches whose throughput is measured; None not to.
        profile: whether to ask the runtimes' profilers for the time of each operator.
        timeout_s: how long loading a file, or one call, may take; None to go by the first call.
    """

    samples: int
    rounds: int
    launches: int
    max_seconds: float
    threads: tuple[int, ...] = (1,)
    modes: tuple[str, ...] = ()
    batch: int | None = None
    profile: bool = False
    timeout_s: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Returns what a row's raw results depend on, as a JSON object."""
        return {
            "threads": list(self.threads),
            "modes": list(self.modes),
            "samples": self.samples,
            "rounds": self.rounds,
            "launches": self.launches,
            "max_seconds": self.max_seconds,
            "batch": self.batch,
            "profile": self.profile,
        }
