"""Where this runs: on which machine, for the records, and whether from a bundle."""

import os
import platform
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# Of a bundle, which `python -m export --bundle` makes:
BUNDLE_FILE = "bundle.json"
DATA_FOLDER = "data"  # the test images that it carries
REQUIREMENTS_FILE = "requirements.txt"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The machine and interpreter that a run was made on."""

    cpu: str
    architecture: str
    cpu_features: tuple[str, ...]  # the vector extensions that quantized and half kernels use
    cores: int
    memory_bytes: int
    system: str
    python: str
    emulated: bool = False  # the instructions are another processor's: results hold, times do not

    @property
    def byte_products(self) -> str:
        """How kernels for integers multiply here, in words: with which instructions, or without."""
        found = [name for name in DOT_PRODUCTS if name in self.cpu_features]
        return f"{self.architecture} {f'with {found[0]}' if found else 'without dot products'}"

    def as_json(self) -> dict[str, Any]:
        """Returns a JSON object of the fields."""
        return asdict(self)


# Linux's names in /proc/cpuinfo, x86-64 then aarch64.
VECTOR_FEATURES = (
    *("sse4_1", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"),
    *("avx512_fp16", "asimd", "asimdhp", "asimddp", "i8mm", "sve"),
)
# Those that add products of 8-bit integers in 32 bits.
DOT_PRODUCTS = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
# Arm's cores by their number in /proc/cpuinfo, those of common boards and servers.
ARM_CORES = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd49": "Neoverse-N2",
    "0xd4f": "Neoverse-V2",
}
ARM = "0x41"  # the implementer's number
# No system says this of itself reliably, so whoever starts an emulator sets it in there to 1.
EMULATED_VARIABLE = "EDGE_EXPORT_EMULATED"


def available_cores() -> tuple[int, ...]:
    """Returns the numbers of the cores that this process may run on, ascending."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def pin(cores: Collection[int]) -> bool:
    """Keeps this thread on some cores where the system allows it, and says whether it does.

    macOS has no such call, and a container may refuse it.
    """
    if not hasattr(os, "sched_setaffinity"):
        return False
    try:
        os.sched_setaffinity(0, cores)
    except OSError:
        return False
    return True


def read_environment(cpuinfo: Path = Path("/proc/cpuinfo")) -> Environment:
    """Returns this machine's description; the processor is "unknown" where Linux's is absent."""
    fields: dict[str, str] = {}
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            fields.setdefault(key.strip(), value.strip())
    features = (fields.get("flags") or fields.get("Features") or "").split()
    named = fields.get("model name") or fields.get("Model")
    if named is None and fields.get("CPU implementer") == ARM:
        named = ARM_CORES.get(fields.get("CPU part", ""))
    return Environment(
        cpu=named or platform.processor() or "unknown",
        architecture=platform.machine(),
        cpu_features=tuple(name for name in VECTOR_FEATURES if name in features),
        cores=len(available_cores()),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=platform.platform(),
        python=platform.python_version(),
        emulated=os.environ.get(EMULATED_VARIABLE) == "1",
    )


def in_bundle() -> bool:
    """Returns whether the three packages lie in a bundle, which lists its files beside them."""
    return (ROOT / BUNDLE_FILE).is_file()
