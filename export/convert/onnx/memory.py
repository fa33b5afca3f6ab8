"""Gives back what converters have freed."""

import ctypes
import gc
import sys


def release_memory() -> None:
    """Returns to the system what converters have freed.

    Their graphs are cycles, which Python frees late; what glibc's allocator was given back it
    keeps. After a format or two that is as much again as the largest of them needs.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
        if trim is not None:
            trim(0)
