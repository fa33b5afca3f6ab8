"""A browser that runs exports, as a device."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


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
