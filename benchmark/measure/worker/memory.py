"""What a worker holds in memory, made comparable with that of a process that was never forked."""

import ctypes
import mmap
import resource
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

STATUS, MAPS, PAGEMAP = (Path("/proc/self", name) for name in ("status", "maps", "pagemap"))
PRESENT_BIT = 63
MADV_POPULATE_READ = 22  # since Linux 5.14; older kernels refuse it


def resident_peak(status: Path = STATUS) -> int:
    """Returns the largest resident set of this process so far, in bytes.

    From the kernel's VmHWM where there is one: `ru_maxrss` keeps the peak of the process that
    this one was forked from (https://man7.org/linux/man-pages/man2/getrusage.2.html).
    """
    if status.is_file():
        for line in status.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resident_files(maps: Path = MAPS, pagemap: Path = PAGEMAP) -> list[tuple[int, int]]:
    """Returns where parts of mapped files are in memory: start and size of each, in bytes."""
    found: list[tuple[int, int]] = []
    if not (maps.is_file() and pagemap.is_file()):
        return found
    with pagemap.open("rb", buffering=0) as entries:
        for line in maps.read_text(encoding="utf-8", errors="replace").splitlines():
            addresses, permissions, _, _, inode, *_ = line.split()
            if inode == "0" or not permissions.startswith("r"):
                continue
            start, end = (int(address, 16) for address in addresses.split("-"))
            entries.seek(start // mmap.PAGESIZE * 8)
            pages = entries.read((end - start) // mmap.PAGESIZE * 8)
            present = np.frombuffer(pages, np.uint64) >> np.uint64(PRESENT_BIT)
            edges = np.flatnonzero(np.diff(present.astype(np.int8), prepend=0, append=0))
            for first, last in edges.reshape(-1, 2) * mmap.PAGESIZE:
                found.append((start + int(first), int(last - first)))
    return found


def map_again(files: Iterable[tuple[int, int]]) -> None:
    """Brings back into memory what `resident_files` found before a fork.

    A forked process starts without the pages of files that it shares with its parent; each would
    count as memory of the model when it is first touched.
    """
    madvise = ctypes.CDLL(None).madvise
    for start, size in files:
        madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), MADV_POPULATE_READ)
