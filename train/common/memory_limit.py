"""What a process that runs files may not do: take the machine's memory."""

import resource
import sys
from contextlib import suppress
from pathlib import Path

# Of the memory that the machine, or the container, has.
MEMORY_SHARE = 0.75
CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
OOM_SCORE = Path("/proc/self/oom_score_adj")
FIRST_TO_KILL = "1000"


def limit_memory(limit_bytes: int) -> None:
    """Makes allocations fail beyond a limit, and this process the first that a lack of memory ends.

    On Linux by what may be written to: runtimes reserve far more addresses than they use, and
    map files, which the address space would count too.
    """
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    with suppress(OSError, ValueError):
        hard = resource.getrlimit(kind)[1]
        soft = limit_bytes if hard == resource.RLIM_INFINITY else min(limit_bytes, hard)
        resource.setrlimit(kind, (soft, hard))
    with suppress(OSError):
        OOM_SCORE.write_text(FIRST_TO_KILL, encoding="utf-8")


def memory_limit_bytes(machine_bytes: int) -> int:
    """Returns what one process may allocate on a machine, or in a container there."""
    found = [machine_bytes]
    for path in CONTAINER_LIMITS:
        with suppress(OSError, ValueError):  # "max" where there is no limit
            found.append(int(path.read_text(encoding="utf-8")))
    return int(min(found) * MEMORY_SHARE)
