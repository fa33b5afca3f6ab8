"""What the machine did while it was measured, and why rounds may differ; or what browser it was.

Linux says most of this in /proc and /sys; what a system doesn't say is None.
"""

import os
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from train.common.environment import available_cores, pin

CPU_FOLDER = Path("/sys/devices/system/cpu")
PROC_STAT = Path("/proc/stat")
MAX_STEAL_SHARE = 0.01
MAX_OTHER_LOAD = 0.15  # of one core
MAX_PROBE_SPREAD = 1.05
MIN_PROBES = 20
PROBE_LOOPS = 2_000
PROBE_READINGS = 15


@dataclass(frozen=True, kw_only=True)
class Counters:
    """Totals since the machine or the process started.

    Attributes:
        busy_s: time that all cores worked, seconds; idle, waiting and stolen time aside.
        steal_s: time that the hypervisor gave to others, seconds.
        total_s: all time of all cores, seconds.
        throttled: how often cores were throttled by heat.
        own_s: processor time of this process, seconds.
    """

    busy_s: float | None
    steal_s: float | None
    total_s: float | None
    throttled: int | None
    own_s: float


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What happened between two readings of the counters.

    Attributes:
        seconds: how long that was.
        steal_share: share of the time that the hypervisor gave to others, 0…1.
        other_load: how many cores other processes kept busy.
        throttled: how many times cores were throttled by heat.
        governors: the frequency governors of the cores.
        probe_spread: slowest over fastest fixed piece of Python, 5th to 95th percentile, ≥ 1.
    """

    seconds: float
    steal_share: float | None
    other_load: float | None
    throttled: int | None
    governors: tuple[str, ...]
    probe_spread: float | None

    def as_json(self) -> dict[str, Any]:
        """Returns a JSON object of the fields."""
        return asdict(self)

    def causes(self) -> list[str]:
        """Returns what may have made rounds differ, each with its figure."""
        found = []
        if self.other_load is not None and self.other_load > MAX_OTHER_LOAD:
            found.append(f"other load: other processes kept {self.other_load:.1f} cores busy")
        if self.steal_share is not None and self.steal_share > MAX_STEAL_SHARE:
            found.append(f"other load: the hypervisor took {self.steal_share:.0%} of the time")
        if self.throttled:
            found.append(f"throttling: cores were slowed by heat {self.throttled} times")
        slow = [name for name in self.governors if name != "performance"]
        if slow:
            found.append(f"frequency scaling: the governor is {', '.join(slow)}, not performance")
        if self.probe_spread is not None and self.probe_spread > MAX_PROBE_SPREAD:
            found.append(
                f"the processor's own speed varied by a factor of {self.probe_spread:.2f} "
                "(frequency scaling, throttling or another tenant of the machine)"
            )
        return found


def probe_ns(core: int) -> int:
    """Returns how long a fixed piece of Python takes on a core now, in nanoseconds (median).

    Always of the same process, so that when it changes, the machine's speed does.
    """
    allowed = available_cores()
    pin({core})
    try:
        readings = []
        for _ in range(PROBE_READINGS):
            started = time.perf_counter_ns()
            total = 0
            for number in range(PROBE_LOOPS):
                total += number
            readings.append(time.perf_counter_ns() - started)
    finally:
        pin(allowed)
    return int(np.median(readings))


def read_counters(stat: Path = PROC_STAT, cpus: Path = CPU_FOLDER) -> Counters:
    """Returns the counters as they are now."""
    busy = steal = total = None
    if stat.is_file():
        # cpu user nice system idle iowait irq softirq steal …, in ticks
        ticks = os.sysconf("SC_CLK_TCK")
        fields = [int(field) / ticks for field in stat.read_bytes().splitlines()[0].split()[1:9]]
        total, steal = sum(fields), fields[7] if len(fields) > 7 else 0.0
        busy = total - fields[3] - fields[4] - steal
    counts = [
        int(path.read_bytes()) for path in cpus.glob("cpu*/thermal_throttle/core_throttle_count")
    ]
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return Counters(
        busy_s=busy,
        steal_s=steal,
        total_s=total,
        throttled=sum(counts) if counts else None,
        own_s=usage.ru_utime + usage.ru_stime,
    )


def conditions(
    before: Counters,
    after: Counters,
    *,
    workers_s: float,
    seconds: float,
    cpus: Path = CPU_FOLDER,
) -> Conditions:
    """Returns what happened between two readings.

    Args:
        before: the earlier reading.
        after: the later reading.
        workers_s: processor time of the workers in between, seconds.
        seconds: wall time in between.
        cpus: where the system tells about its cores.
    """
    steal = other = throttled = None
    passed = _difference(before.total_s, after.total_s)
    busy = _difference(before.busy_s, after.busy_s)
    stolen = _difference(before.steal_s, after.steal_s)
    if passed and busy is not None and stolen is not None:
        steal = stolen / passed
        own = after.own_s - before.own_s + workers_s
        other = max(0.0, (busy - own) / max(seconds, 1e-9))
    if before.throttled is not None and after.throttled is not None:
        throttled = after.throttled - before.throttled
    files = cpus.glob("cpu*/cpufreq/scaling_governor")
    governors = {path.read_text(encoding="utf-8").strip() for path in files}
    return Conditions(
        seconds=seconds,
        steal_share=steal,
        other_load=other,
        throttled=throttled,
        governors=tuple(sorted(governors)),
        probe_spread=None,
    )


def summarize_conditions(parts: Sequence[Conditions], probes_ns: Sequence[int]) -> Conditions:
    """Returns the conditions over several stretches of time, at least one.

    Args:
        parts: the conditions of each.
        probes_ns: durations of the fixed piece of Python in all of them.
    """
    seconds = sum(part.seconds for part in parts)
    counts = [part.throttled for part in parts if part.throttled is not None]
    spread = None
    if len(probes_ns) >= MIN_PROBES:
        fast, slow = np.quantile(probes_ns, (0.05, 0.95))
        spread = float(slow / fast)
    return Conditions(
        seconds=seconds,
        steal_share=_mean([(part.steal_share, part.seconds) for part in parts]),
        other_load=_mean([(part.other_load, part.seconds) for part in parts]),
        throttled=sum(counts) if counts else None,
        governors=parts[-1].governors,
        probe_spread=spread,
    )


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _mean(weighted: list[tuple[float | None, float]]) -> float | None:
    known = [(value, weight) for value, weight in weighted if value is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


@dataclass(frozen=True, kw_only=True)
class Browser:
    """A browser that ran exports.

    Attributes:
        name: short, as rows are named by it.
        version: in full.
        user_agent: how it calls itself.
        cores: of its device.
        isolated: whether the page was isolated from others, which makes its clock finer.
        clock_step_us: by how much its clock moves.
        here: whether it ran on this machine.
        accelerator: `wasm` or `webgpu`.
        gpu: what WebGPU computes on; None without WebGPU.
        packages: versions of the runtimes, by the package's name.
    """

    name: str
    version: str
    user_agent: str
    here: bool
    cores: int
    isolated: bool
    clock_step_us: float
    accelerator: str
    gpu: str | None
    packages: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Returns a JSON object of the fields."""
        return asdict(self)
