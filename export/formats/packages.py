"""What is made from the file of another format, and so is no entry of the table.

A C array for TFLM, a program in C that needs no interpreter, that program as a WebAssembly module,
a file for Arm's NPUs.
"""

from dataclasses import dataclass

from export.formats.table import FORMATS

TFLM, C, WASM, ETHOS_U = "tflm", "c", "wasm", "ethos-u"
PACKAGES = (TFLM, C, WASM, ETHOS_U)
PROGRAMS = (C, WASM)  # of these, what the benchmark runs
MADE_FROM = (*PROGRAMS, ETHOS_U)  # what `--from` is of
PACKAGED = "tflite-int8"
PACKABLE = tuple(
    entry.name
    for entry in FORMATS.values()
    if entry.family == "tflite" and entry.activations == "int8" and not entry.mixed
)
# What an NPU computes, all or some of it.
COMPILABLE = (*PACKABLE, "tflite-int8-mixed", "tflite-int16x8")
NPUS = (
    *(f"ethos-u55-{macs}" for macs in (32, 64, 128, 256)),
    *(f"ethos-u65-{macs}" for macs in (256, 512)),
    *(f"ethos-u85-{macs}" for macs in (128, 256, 512, 1024, 2048)),
)
NPU = "ethos-u55-128"
# What the weights of C source are packed for: few bytes, or few instructions.
OPTIMIZE = ("size", "speed")


@dataclass(frozen=True, kw_only=True)
class PackageRequest:
    """A package to make.

    Attributes:
        kind: of `PACKAGES`.
        made_of: the format whose file it is made of.
        optimize: what C packs weights for; None for its default.
        npu: the configuration of the NPU that `ethos-u` is for.
    """

    kind: str
    made_of: str = PACKAGED
    optimize: str | None = None
    npu: str = NPU

    @property
    def name(self) -> str:
        """What it is called; of NPUs there may be several."""
        return f"{self.kind} {self.made_of}" if self.kind == ETHOS_U else self.kind
