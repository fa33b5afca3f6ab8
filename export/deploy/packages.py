"""What is made of an export's file for devices: C source, WebAssembly, what an NPU takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np

from export.convert.job.inputs import ConversionInputs
from export.deploy.c import host as c_host
from export.deploy.c import package as c
from export.deploy.c.steps.weights.packing import SIZE
from export.deploy.ethos_u import package as ethos_u
from export.deploy.ethos_u.vela import check_compiler
from export.deploy.microcontroller import package as tflm
from export.deploy.microcontroller.arena import check_interpreter
from export.deploy.wasm import package as wasm
from export.formats.packages import ETHOS_U, PACKAGED, TFLM, WASM, C, PackageRequest
from export.formats.settings import Settings
from export.manifest import Manifest
from train.common.preprocessing import preprocess

Make = Callable[[Path, Manifest, ConversionInputs, datetime], str]


@dataclass(frozen=True, kw_only=True)
class Package:
    """A kind of package.

    Attributes:
        name: what `--format` calls it.
        made_of: the format whose file it is made of.
        step: what is done, for the progress line.
        check: raises a ToolkitError if a tool that it needs is not here.
        is_current: whether making it again would change nothing.
        make: makes it; returns text for the terminal.
    """

    name: str
    made_of: str
    step: str
    check: Callable[[], object]
    is_current: Callable[[Settings, ConversionInputs], bool]
    make: Make


def package(request: PackageRequest) -> Package:
    """Returns what makes a package."""
    name, origin, aim = request.kind, request.made_of, request.optimize or SIZE
    if name == ETHOS_U:
        npu = request.npu
        return Package(
            name=request.name,
            made_of=origin,
            step=f"compiling for {npu}",
            check=check_compiler,
            is_current=lambda settings, inputs: ethos_u.is_current(origin, npu, settings, inputs),
            make=lambda path, manifest, inputs, now: ethos_u.make_package(
                path, manifest, inputs.record.folder, now, npu
            ),
        )
    if name == TFLM:
        return Package(
            name=TFLM,
            made_of=PACKAGED,
            step="looking for the smallest tensor arena",
            check=check_interpreter,
            is_current=tflm.is_current,
            make=lambda path, manifest, inputs, now: tflm.make_package(
                path, manifest, _held_out(inputs), inputs.record, now
            ),
        )
    if name == WASM:
        return Package(
            name=WASM,
            made_of=origin,
            step="compiling, and comparing bytes",
            check=wasm.check_tools,
            is_current=lambda settings, inputs: wasm.is_current(origin, settings, inputs),
            make=partial(wasm.make_package, provable=_provable),
        )
    return Package(
        name=C,
        made_of=origin,
        step="compiling, and comparing bytes",
        check=c_host.compiler,
        is_current=lambda settings, inputs: c.is_current(origin, aim, settings, inputs),
        make=lambda path, manifest, inputs, now: c.make_package(
            path, manifest, _held_out(inputs), inputs.record, now, aim, provable=_provable
        ),
    )


def _held_out(inputs: ConversionInputs) -> dict[str, np.ndarray]:
    return preprocess(inputs.held_out.inputs, inputs.preprocessing, inputs.record.inputs)


def _provable(model: bytes, tables: Mapping[int, np.ndarray]) -> bytes:
    from export.deploy.c.proof import provable  # of LiteRT's schema

    return provable(model, tables)
