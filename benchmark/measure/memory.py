"""What this process holds in memory. Light: standard library."""

import resource
import sys
from pathlib import Path


def resident_peak(status: Path = Path("/proc/self/status")) -> int:
    """Returns the largest resident set of this process so far, in bytes.

    From the kernel's VmHWM where there is one: `ru_maxrss` keeps the peak of the process that
    this one was forked from (https://man7.org/linux/man-pages/man2/getrusage.2.html).
    """
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
